import { setTimeout as pause } from 'node:timers/promises';
import type { HttpCacheRequest } from '../../src/cache/model/exchange';
import { AppError } from '../../src/kernel/app-error';
import { PROJECTION, RACE_KEYS, readingsOf, type RaceKey, type Reading } from './catalog';
import type { History } from './history';
import type { RedisFaults } from './redis-faults';
import type { Answer, Referee } from './referee';
import type { Replica } from './replica';
import { versionIn, type VersionedUpstream } from './versioned-upstream';

export interface Read {
  readonly key: RaceKey;
  readonly reading: Reading;
  readonly replica: number;
  readonly ttlMs: number;
  readonly staleWhileRevalidateMs: number;
}

const MAX_OPEN_READS = 200;
const SIE_MS = 60_000;

/** Asks the replicas as the interceptor does, many at a time, and hands each answer to the referee. */
export class Readers {
  private readonly open = new Set<Promise<unknown>>();
  failed = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly upstream: VersionedUpstream,
    private readonly faults: RedisFaults,
    private readonly referee: Referee,
    private readonly history: History,
  ) {}

  /** Begins `count` reads and does not wait for them, unless too many are under way. */
  async read({ count, ...read }: Read & { readonly count: number }): Promise<void> {
    while (this.open.size >= MAX_OPEN_READS) await pause(2);
    for (let i = 0; i < count; i++) this.begin(read);
  }

  /** Each key on each replica, once. */
  readAll(): void {
    for (const key of RACE_KEYS) {
      for (const { number } of this.replicas)
        for (const reading of readingsOf(key))
          this.begin({ key, reading, replica: number, ttlMs: 300, staleWhileRevalidateMs: 0 });
    }
  }

  async settled(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /** One read and its verdict; undefined when there was no answer but an error. */
  async readOne(one: Read): Promise<Answer | undefined> {
    const { key, replica } = one;
    const asked = this.referee.ask(key.key, replica, this.faults.isBroken);
    try {
      const answer = await this.answer(one);
      this.referee.judge(asked, answer);
      return answer;
    } catch (error) {
      this.failed += 1;
      this.history.add(key.key, `request ${asked.id} fails: ${String(error)}`);
      if (!(error instanceof AppError)) this.referee.report(asked, `request ${asked.id} failed: ${String(error)}`);
      return undefined;
    }
  }

  private begin(one: Read): void {
    const read = this.readOne(one).finally(() => this.open.delete(read));
    this.open.add(read);
  }

  private answer(read: Read): Promise<Answer> {
    return read.reading.startsWith('gateway') ? this.throughGateway(read) : this.throughRoute(read);
  }

  private async throughGateway({ key, reading, replica, ttlMs, staleWhileRevalidateMs }: Read): Promise<Answer> {
    const answer = await this.replicas[replica]!.gateway.exchange(
      {
        ...{ key: key.key, upstream: 'race', method: 'GET', kind: 'shared', hasAuthorization: false },
        ...{ tags: [key.requestTag, key.responseTag], headers: [['accept', reading]] },
        ...{ policy: { ttlMs, staleWhileRevalidateMs, staleIfErrorMs: SIE_MS }, signal: new AbortController().signal },
      },
      (request) => this.upstream.respond(key, replica, request),
    );
    const { outcome, tier } = answer;
    if (answer.kind === 'stored') return { version: versionIn(answer.entry), entryId: answer.entry.id, outcome, tier };
    const chunks: Buffer[] = [];
    if (Buffer.isBuffer(answer.body)) chunks.push(answer.body);
    else for await (const chunk of answer.body) chunks.push(chunk);
    return { version: Number(Buffer.concat(chunks).toString()), entryId: 'none', outcome, tier };
  }

  private async throughRoute({ key, reading, replica, ttlMs, staleWhileRevalidateMs }: Read): Promise<Answer> {
    const { routes } = this.replicas[replica]!;
    const projection = reading === 'projection' ? PROJECTION : undefined;
    // What a resource's response tells is a tag of its index only if the request tells it too.
    const tags = projection === undefined ? [key.requestTag] : [key.requestTag, key.responseTag];
    const request: HttpCacheRequest = {
      ...{ key: key.key, upstream: 'race', method: 'GET', kind: 'shared', hasAuthorization: false, tags, projection },
      ...{ headers: [], signal: new AbortController().signal },
      policy: { ttlMs, staleWhileRevalidateMs, staleIfErrorMs: SIE_MS, earlyRefreshBeta: 1, isExplicit: true },
    };
    const answer =
      routes.peek(request) ?? (await routes.exchange(request, (asked) => this.upstream.load(key, replica, asked)));
    if (answer.kind !== 'stored') throw new Error('A whole response is an entry.');
    const { entry, outcome, tier } = answer;
    return { version: versionIn(entry), entryId: entry.id, outcome, tier };
  }
}
