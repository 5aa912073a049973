import { AppError } from '../../src/kernel/app-error';
import { ManualClock } from '../../src/kernel/clock';
import { CacheInvalidator } from '../../src/cache/engine/cache-invalidator';
import type { CacheEntry } from '../../src/cache/model/cache-entry';
import { Loader } from '../../src/cache/engine/loader';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import type { RefreshReport } from '../../src/cache/engine/load-failure';
import type { CachePolicy } from '../../src/cache/law/cache-policy';
import type {
  HttpCacheRequest,
  Origin,
  OriginRequest,
  OriginResponse,
  StoredAnswer,
} from '../../src/cache/model/exchange';
import { HttpCache } from '../../src/cache/engine/http-cache';

const policy: CachePolicy = { ttlMs: 1_000, negativeTtlMs: 100, defaultStaleIfErrorMs: 10_000, isExplicit: true };

/** A response of a handler, whose times are those of its request. */
export type Response = Omit<OriginResponse, 'requestedAt' | 'receivedAt'>;
export type Load = (request: OriginRequest) => Promise<Response>;

/** The engine as routes use it: no field selects by itself, the origin gives whole responses. */
class Cache {
  constructor(
    readonly http: HttpCache,
    private readonly clock: ManualClock,
  ) {}

  async answer(request: HttpCacheRequest, load: Load): Promise<StoredAnswer> {
    const origin: Origin = async (asked) => {
      const requestedAt = this.clock.now();
      const response = await load(asked);
      return { ...response, requestedAt, receivedAt: this.clock.now() };
    };
    const answer = await this.http.exchange(request, origin);
    if (answer.kind !== 'stored') throw new Error('a whole response is an entry');
    return answer;
  }
}

export function setUp(
  options: {
    servesStaleDespiteDirectives?: boolean;
    deadlineMs?: number;
    staleAfterMs?: number;
    random?: () => number;
    maxEntryBytes?: number;
    selecting?: readonly string[];
    isOriginNeutral?: boolean;
  } = {},
) {
  const clock = new ManualClock(1_000_000);
  const store = new MemoryStore({ maxBytes: 10_000_000, maxEntries: 1_000 }, clock);
  const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5 });
  const reports: RefreshReport[] = [];
  const replica = () =>
    new Cache(
      new HttpCache(store, loader, clock, {
        ...{
          deadlineMs: 5_000,
          staleAfterMs: 5_000,
          random: () => 0,
          maxEntryBytes: 1_000,
          retainForRevalidationMs: 0,
          selecting: [],
        },
        ...{ isOriginNeutral: true, onRefreshed: (report: RefreshReport) => reports.push(report) },
        ...options,
      }),
      clock,
    );
  return { clock, store, reports, invalidator: new CacheInvalidator(store), replica, cache: replica() };
}

export const request = (more: Partial<CachePolicy> = {}, fields: Partial<HttpCacheRequest> = {}): HttpCacheRequest => ({
  ...{ key: 'k', upstream: 'github', method: 'GET', kind: 'shared', hasAuthorization: false, tags: ['account:k'] },
  ...{ headers: [], policy: { ...policy, ...more }, signal: new AbortController().signal },
  ...fields,
});

export function response(body: string, more: Partial<Response> = {}): Response {
  return { status: 200, headers: [], body: Buffer.from(body), validators: { etag: '"u"' }, etag: '"c"', ...more };
}

export const notModified = (headers: Response['headers'] = []): Response => ({
  status: 304,
  headers,
  body: Buffer.alloc(0),
});
export const text = ({ body }: CacheEntry): string => body.toString();

/** An upstream whose answers wait until the test lets them go. */
export class HeldUpstream {
  readonly asked: OriginRequest[] = [];
  private readonly answers: { resolve: (loaded: Response) => void; reject: (error: Error) => void }[] = [];

  readonly load: Load = (context) => {
    this.asked.push(context);
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  };

  /** Settles once it was asked so many times. */
  async isAsked(times = 1): Promise<void> {
    while (this.asked.length < times) await new Promise((resolve) => setImmediate(resolve));
  }

  async answer(loaded: Response | Error): Promise<void> {
    while (this.answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const waiting = this.answers.shift();
    if (loaded instanceof Error) waiting?.reject(loaded);
    else waiting?.resolve(loaded);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const down = () => new AppError('upstream-unreachable', 'down');
export const always =
  (loaded: Response | Error): Load =>
  () =>
    loaded instanceof Error ? Promise.reject(loaded) : Promise.resolve(loaded);
export const never: Load = () => {
  throw new Error('the upstream must not be asked');
};
