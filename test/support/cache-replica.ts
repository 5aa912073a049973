import { Readable } from 'node:stream';
import { CacheInvalidator } from '../../src/cache/engine/cache-invalidator';
import type { CacheStore } from '../../src/cache/store/cache-store';
import type { HeaderList } from '../../src/cache/model/cache-entry';
import { identityBody } from '../../src/cache/law/content-coding';
import { HttpCache } from '../../src/cache/engine/http-cache';
import type { Origin } from '../../src/cache/model/exchange';
import { Loader } from '../../src/cache/engine/loader';
import { StoredEntries } from '../../src/cache/engine/stored-entries';
import { Clock, SystemClock } from '../../src/kernel/clock';

/** What a client got: the version that the origin had, and what became of the request. */
export interface Got {
  readonly version: string;
  readonly outcome: string;
}

/** The origin of one resource: a version, and loads that may be held between their reading of it and their answer. */
export class VersionedOrigin {
  version = 1;
  loads = 0;
  /** Fields of its responses. */
  headers: HeaderList = [['cache-control', 'max-age=600, stale-if-error=600']];
  private gate: Promise<void> = Promise.resolve();

  /** From now on loads read the version and wait with their answer until the function is called that it returns. */
  hold(): () => void {
    let open = (): void => undefined;
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    return () => {
      this.gate = Promise.resolve();
      open();
    };
  }

  async read(): Promise<string> {
    this.loads += 1;
    const { version, gate } = this;
    await gate;
    return String(version);
  }
}

/** A clock that goes as fast as the machine's, and wrong by some milliseconds. */
export class WrongClock extends Clock {
  private readonly system = new SystemClock();

  constructor(public wrongByMs = 0) {
    super();
  }

  now(): number {
    return this.system.now() + this.wrongByMs;
  }
}

export interface Asking {
  readonly key: string;
  readonly tags: readonly string[];
  readonly ttlMs?: number;
  readonly staleWhileRevalidateMs?: number;
  readonly accept?: string;
}

/** One replica of the service as far as the cache goes: all three ways in over one store. */
export class CacheReplica {
  readonly cache: CacheInvalidator;
  readonly entries: StoredEntries;
  private readonly gateway: HttpCache;
  private readonly routes: HttpCache;

  constructor(
    readonly store: CacheStore,
    readonly clock: Clock = new SystemClock(),
    times: { readonly leaseMs?: number; readonly deadlineMs?: number } = {},
  ) {
    const { leaseMs = 5_000, deadlineMs = 5_000 } = times;
    const limits = { leaseMs, pollMs: 20, loadTimeoutMs: 10_000 };
    const waits = { deadlineMs, staleAfterMs: deadlineMs, maxEntryBytes: 1_000_000 };
    const loader = new Loader(store, clock, limits);
    this.cache = new CacheInvalidator(store);
    this.entries = new StoredEntries(store, this.clock);
    this.gateway = new HttpCache(store, loader, clock, {
      ...waits,
      retainForRevalidationMs: 600_000,
      selecting: ['accept'],
    });
    this.routes = new HttpCache(store, loader, clock, {
      ...waits,
      retainForRevalidationMs: 0,
      selecting: [],
      isOriginNeutral: true,
    });
  }

  /** As a gateway route does. */
  async throughGateway({ key, tags, accept = 'a' }: Asking, origin: VersionedOrigin): Promise<Got> {
    const asking: Origin = async () => {
      const requestedAt = this.clock.now();
      const version = await origin.read();
      const body = Readable.from([Buffer.from(version)]);
      return { status: 200, headers: origin.headers, requestedAt, receivedAt: this.clock.now(), body };
    };
    const answer = await this.gateway.exchange(
      {
        ...{ key, tags, upstream: 'github', method: 'GET', kind: 'shared', hasAuthorization: false },
        ...{ headers: [['accept', accept]], signal: new AbortController().signal },
      },
      asking,
    );
    if (answer.kind === 'stored')
      return { version: (await identityBody(answer.entry)).toString(), outcome: answer.outcome };
    const chunks: Buffer[] = [];
    if (Buffer.isBuffer(answer.body)) chunks.push(answer.body);
    else for await (const chunk of answer.body) chunks.push(chunk);
    return { version: Buffer.concat(chunks).toString(), outcome: answer.outcome };
  }

  /** As a route with a rule does; with `part`, as one that is derived from a resource. */
  async throughRoute(
    { key, tags, ttlMs = 600_000, staleWhileRevalidateMs = 0, part }: Asking & { readonly part?: string },
    origin: VersionedOrigin,
  ): Promise<Got> {
    const asking: Origin = async () => {
      const requestedAt = this.clock.now();
      const body = Buffer.from(await origin.read());
      const fields = { headers: [['content-type', 'text/plain']], validators: {}, etag: '"e"' } as const;
      return { status: 200, ...fields, requestedAt, receivedAt: this.clock.now(), body };
    };
    const answer = await this.routes.exchange(
      {
        ...{ key, tags, upstream: 'github', method: 'GET', kind: 'shared', hasAuthorization: false, projection: part },
        ...{ headers: [], signal: new AbortController().signal },
        policy: { ttlMs, staleWhileRevalidateMs, negativeTtlMs: ttlMs, staleIfErrorMs: 600_000 },
      },
      asking,
    );
    if (answer.kind !== 'stored') throw new Error('A whole response is an entry.');
    return { version: (await identityBody(answer.entry)).toString(), outcome: answer.outcome };
  }
}
