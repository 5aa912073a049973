import type { CacheEntry } from '../../src/cache/core/cache-entry';
import type { CacheStore, Lease } from '../../src/cache/core/cache-store';
import { Loader } from '../../src/cache/core/loader';
import { ResponseCache } from '../../src/cache/core/response-cache';
import { openStore } from '../../src/cache/store.factory';
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';

/** A replica of the service's cache: its own connections, its own memory, the same Redis. */
export interface Replica {
  readonly cache: ResponseCache;
  readonly isUp: () => boolean;
  readonly close: () => Promise<void>;
}

/** @param brokenLease plants the bug that the race must find: a fill stores whether or not its lease stands */
export function openReplica(redisUri: string, brokenLease: boolean): Replica {
  const clock = new SystemClock();
  const settings = { endpoint: parseRedisEndpoint(redisUri), keyPrefix: 'race', commandTimeoutMs: 400, tls: {} };
  const { store, link } = openStore(settings, { maxBytes: 10_000_000, maxEntries: 1_000 }, clock);
  if (brokenLease) breakLeases(store);
  const loader = new Loader(store, clock, { leaseMs: 300, loadTimeoutMs: 3_000, pollMs: 20, maxEntryBytes: 10_000 });
  const cache = new ResponseCache(store, loader, clock, { deadlineMs: 4_000, staleAfterMs: 500 });
  return { cache, isUp: () => link?.isUp === true, close: () => store.close() };
}

function breakLeases(store: CacheStore): void {
  const careless = async (lease: Lease, entry: CacheEntry): Promise<boolean> => {
    await store.put(lease.key, entry);
    return true;
  };
  store.fill = careless;
  store.freshen = careless;
}
