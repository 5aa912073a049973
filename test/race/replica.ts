import { CacheInvalidator } from '../../src/cache/engine/cache-invalidator';
import type { CacheEntry } from '../../src/cache/model/cache-entry';
import type { CacheStore } from '../../src/cache/store/cache-store';
import { HttpCache } from '../../src/cache/engine/http-cache';
import { ifAvailable } from '../../src/cache/store/if-available';
import { Loader } from '../../src/cache/engine/loader';
import { newEntryId } from '../../src/cache/model/random-id';
import { openStore } from '../../src/cache/store/store.factory';
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { waitUntil } from '../support/wait-until';
import { withPlant, type Plant } from './plants';

export const RACE_PREFIX = 'race';

const LIMITS = { maxBytes: 16 * 1024 * 1024, maxEntries: 10_000 };
/** The life of a load's lease between two renewals. */
export const LEASE_MS = 300;
const DEADLINE_MS = 3_000;

/** One replica of the service, as far as the cache goes: its own connections, memory and loader. */
export class Replica {
  private readonly clock = new SystemClock();
  private readonly store: CacheStore;
  readonly cache: CacheInvalidator;
  readonly gateway: HttpCache;
  readonly routes: HttpCache;

  constructor(
    readonly number: number,
    redisUri: string,
    plant: Plant | undefined,
  ) {
    const redis = {
      endpoint: parseRedisEndpoint(redisUri),
      keyPrefix: RACE_PREFIX,
      commandTimeoutMs: 1_000,
      tls: {},
    };
    const { store } = openStore({ redis, port: undefined }, LIMITS, this.clock);
    this.store = withPlant(store, plant);
    const times = { leaseMs: LEASE_MS, pollMs: 20, loadTimeoutMs: DEADLINE_MS };
    const loader = new Loader(this.store, this.clock, times);
    const limits = { deadlineMs: DEADLINE_MS, staleAfterMs: 400, maxEntryBytes: 1_000_000 };
    const ofGateway = { ...limits, retainForRevalidationMs: 60_000, selecting: ['accept'] };
    const ofRoutes = { ...limits, retainForRevalidationMs: 0, selecting: [], isOriginNeutral: true };
    this.cache = new CacheInvalidator(this.store);
    this.gateway = new HttpCache(this.store, loader, this.clock, ofGateway);
    this.routes = new HttpCache(this.store, loader, this.clock, ofRoutes);
  }

  /** Stores something that nobody reads, for which a small Redis evicts something else. A full one may refuse. */
  async crowd(draw: number): Promise<void> {
    const freshUntil = this.clock.now() + 600_000; // outlives the race: only an eviction makes room
    const entry = { ...this.probe(), id: newEntryId(), freshUntil, body: Buffer.alloc(20_000) };
    await ifAvailable(() => this.store.put(`crowd:${Math.floor(draw * 1_000)}`, entry));
  }

  /** Until it reaches Redis and hears of changes again: only then does it answer from its memory at once. */
  untilHealed(): Promise<void> {
    return waitUntil(() => this.isHealed(), { what: `replica ${this.number} to heal` });
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
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      mustRevalidate: false,
      loadDurationMs: 0,
      etag: '"probe"',
      coding: 'identity',
      body: Buffer.from('probe'),
    };
  }
}
