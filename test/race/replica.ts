import type { CacheEntry } from '../../src/cache/core/cache-entry';
import type { CacheStore } from '../../src/cache/core/cache-store';
import { Loader } from '../../src/cache/core/loader';
import { ResponseCache } from '../../src/cache/core/response-cache';
import { openStore } from '../../src/cache/store.factory';
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { waitUntil } from '../support/wait-until';
import { withBrokenLease } from './broken-lease';

export const RACE_PREFIX = 'race';

const LIMITS = { maxBytes: 16 * 1024 * 1024, maxEntries: 10_000 };
const DEADLINE_MS = 3_000;

/** One replica of the service, as far as the cache goes: its own connections, memory and loader. */
export class Replica {
  private readonly clock = new SystemClock();
  private readonly store: CacheStore;
  readonly cache: ResponseCache;

  constructor(
    readonly number: number,
    redisUri: string,
    brokenLease: boolean,
  ) {
    const redis = {
      endpoint: parseRedisEndpoint(redisUri),
      keyPrefix: RACE_PREFIX,
      commandTimeoutMs: 1_000,
      tls: {},
    };
    const { store } = openStore({ redis, port: undefined }, LIMITS, this.clock);
    this.store = brokenLease ? withBrokenLease(store) : store;
    const times = { leaseMs: 300, pollMs: 20, loadTimeoutMs: DEADLINE_MS, maxEntryBytes: 1_000_000 };
    const loader = new Loader(this.store, this.clock, times);
    this.cache = new ResponseCache(this.store, loader, this.clock, { deadlineMs: DEADLINE_MS, staleAfterMs: 400 });
  }

  /** Until it reaches Redis and hears of changes again: only then does it answer from its memory at once. */
  untilHealed(): Promise<void> {
    return waitUntil(() => this.isHealed(), { what: `replica ${this.number} to heal`, timeoutMs: 10_000 });
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private async isHealed(): Promise<boolean> {
    const key = `probe:${this.number}`;
    await this.store.put(key, this.probe());
    await this.store.find(key);
    return this.store.peek(key) !== undefined;
  }

  private probe(): CacheEntry {
    const now = this.clock.now();
    return {
      id: 'probeprobe00',
      status: 200,
      headers: [],
      validators: {},
      upstream: 'race',
      tags: [],
      storedAt: now,
      freshUntil: now + 1_000,
      swrMs: 0,
      sieMs: 0,
      mustRevalidate: false,
      loadMs: 0,
      etag: '"probe"',
      coding: 'identity',
      body: Buffer.from('probe'),
    };
  }
}
