import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { BodySource, HeaderList, StreamedAnswer } from '../../cache';
import { EVERY_FIELD, parseHttpDate, requestPolicy, selectionKey, valueOf } from '../../cache/law';
import type { Clock } from '../../kernel/clock';
import { parsedJson } from '../../kernel/json';
import { bufferSmallBody } from '../buffered-body';
import { newerLimit, type ResourceLimit } from './credential-budget';
import type { LimitOverviewRules } from './rate-limit-adapter';
import type { RateBudget } from './rate-budget';

/** How long the upstream's own overview may be answered again: its numbers for limits that are not used through here grow old. */
const MAX_AGE_MS = 60_000;
const MAX_CREDENTIALS = 1_000;
const READ = { maxBytes: 65_536, maxMs: 1_000 };

/** Fields of one response, or of its bytes. All others, such as the scopes of a token, go to the next callers, too. */
const OF_ONE_RESPONSE: ReadonlySet<string> = new Set([
  ...['age', 'cache-control', 'content-digest', 'content-encoding', 'content-length'],
  ...['date', 'etag', 'expires', 'last-modified'],
]);

interface Overview {
  readonly json: unknown;
  readonly headers: HeaderList;
  /** Instants are by this machine's clock. */
  readonly limits: ReadonlyMap<string, ResourceLimit>;
  readonly receivedAt: number;
  /** How far this machine's clock is ahead of the upstream's, in milliseconds. */
  readonly clockOffsetMs: number;
}

/**
 * The overview of a credential's limits (such as `GET /rate_limit`), answered from the budget.
 *
 * Its one invariant: a caller sees the limits of its own credential only, and only after the upstream has shown them to that credential. For
 * a minute from then on the answer has the upstream's form, the one of the request's version and media type, and for each limit the lower or later
 * of the upstream's numbers and the budget's. When a window has ended since, or a 401 has come for the credential, the upstream is asked again.
 */
export class LimitOverviews {
  private readonly overviews = new LRUCache<string, Overview>({ max: MAX_CREDENTIALS });

  constructor(
    private readonly rules: LimitOverviewRules,
    private readonly budget: RateBudget,
    private readonly clock: Clock,
  ) {}

  isFor(method: string, path: string): boolean {
    return path === this.rules.path && (method === 'GET' || method === 'HEAD');
  }

  /** Undefined where the upstream has to be asked, or the request wants that. */
  async find(credential: string, headers: HeaderList): Promise<StreamedAnswer | undefined> {
    const { isNoCache, maxAgeMs } = requestPolicy(headers);
    if (isNoCache || maxAgeMs === 0) return undefined;
    const form = formOf(credential, headers);
    const known = this.overviews.get(form);
    if (!known) return undefined;
    const spent = await this.budget.limitsOf(credential);
    const limits = [...known.limits].map(([name, limit]) => [name, newerLimit(limit, spent[name])] as const);
    const now = this.clock.now();
    const isRefused = this.budget.credentials.hasRefusedSince(credential, known.receivedAt);
    if (isRefused || now - known.receivedAt > MAX_AGE_MS || limits.some(([, { resetAt }]) => resetAt <= now)) {
      this.overviews.delete(form);
      return undefined;
    }
    const { mainLimit, write } = this.rules;
    const shown = new Map(
      limits.map(([name, { resetAt, ...limit }]) => [name, { ...limit, resetAt: resetAt - known.clockOffsetMs }]),
    );
    const main = shown.get(mainLimit);
    return {
      ...{ kind: 'streamed', status: 200, outcome: 'HIT', tier: 'l1' },
      headers: [
        ...known.headers.filter(
          ([name]) => !OF_ONE_RESPONSE.has(name) && !this.budget.adapter.fieldNames.includes(name),
        ),
        ['cache-control', 'no-cache'],
        ['x-from-cache', '1'],
        ...(main ? Object.entries(this.budget.describe(mainLimit, main)) : []),
      ],
      body: Buffer.from(JSON.stringify(write(known.json, shown))),
    };
  }

  /** Reads the upstream's own answer, which the client still gets unchanged. */
  async read(credential: string, asked: HeaderList, answer: StreamedAnswer): Promise<StreamedAnswer> {
    const { status, headers } = answer;
    if (status !== 200) return answer;
    const coding = valueOf(headers, 'content-encoding');
    const source = Buffer.isBuffer(answer.body) ? Readable.from([answer.body]) : (answer.body as BodySource);
    const { text, body } = await bufferSmallBody(source, coding, READ);
    const now = this.clock.now();
    const date = parseHttpDate(valueOf(headers, 'date') ?? '', now);
    const clockOffsetMs = date === undefined ? 0 : now - date;
    const json = parsedJson(text);
    const limits = this.rules.read(json);
    if (limits?.has(this.rules.mainLimit) === true) {
      const byOwnClock = [...limits].map(
        ([name, limit]) => [name, { ...limit, resetAt: limit.resetAt + clockOffsetMs }] as const,
      );
      this.overviews.set(formOf(credential, asked), {
        ...{ json, headers },
        limits: new Map(byOwnClock),
        receivedAt: now,
        clockOffsetMs,
      });
    }
    return { ...answer, body };
  }
}

/** Each version and media type that goes to the upstream has a form of its own. */
function formOf(credential: string, headers: HeaderList): string {
  return `${credential} ${selectionKey([EVERY_FIELD], headers)}`;
}
