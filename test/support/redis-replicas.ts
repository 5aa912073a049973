import type { CacheEvents } from '../../src/cache/engine/cache-events';
import type { CacheStore } from '../../src/cache/store/cache-store';
import { openStore } from '../../src/cache/store/store.factory';
import { SystemClock, type Clock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { CacheReplica, VersionedOrigin } from './cache-replica';
import { waitUntil } from './wait-until';

export interface ReplicaOptions {
  readonly keyPrefix?: string;
  readonly l1Bytes?: number;
  readonly clock?: Clock;
  readonly events?: CacheEvents;
}

/** Replicas over Redis, until they are closed. */
export class RedisReplicas {
  private readonly stores: CacheStore[] = [];

  /** @param uri of Redis, and the number of its database */
  open(uri: string, { keyPrefix = 'larder', l1Bytes = 16_777_216, clock, events }: ReplicaOptions = {}): CacheReplica {
    const redis = { endpoint: parseRedisEndpoint(uri), keyPrefix, commandTimeoutMs: 5_000, tls: {} };
    const limits = { maxBytes: l1Bytes, maxEntries: 100_000 };
    const { store } = openStore({ redis }, limits, clock ?? new SystemClock(), events);
    this.stores.push(store);
    return new CacheReplica(store, clock);
  }

  /** A replica that has reached Redis and keeps copies. */
  async openReady(uri: string, options?: ReplicaOptions): Promise<CacheReplica> {
    const replica = this.open(uri, options);
    const isReady = async (): Promise<boolean> => {
      await replica.throughRoute({ key: 'probe', tags: [] }, new VersionedOrigin());
      return replica.store.peek('probe') !== undefined;
    };
    await waitUntil(isReady, { what: 'a replica with copies' });
    return replica;
  }

  async close(): Promise<void> {
    await Promise.all(this.stores.splice(0).map((store) => store.close()));
  }
}
