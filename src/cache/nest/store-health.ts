import type { Clock } from '../../kernel/clock';
import type { RedisLink } from '../../redis/redis-link';
import { readRedisUsage, type RedisUsage } from '../../redis/redis-usage';
import type { CacheStore } from '../store/cache-store';
import { MemoryStore } from '../store/memory/memory-store';
import { runwayOf, type Runway } from '../engine/runway';

/** How many entries in memory stand for all. */
const SAMPLED_ENTRIES = 256;

/** How the store is, for health and metrics. */
export interface StoreState {
  readonly store: 'memory' | 'redis';
  readonly isUp: boolean;
  /** Why Redis is not usable. */
  readonly problem?: string;
  readonly l1Entries?: number;
  readonly l1Bytes?: number;
  readonly l1PreparedBytes?: number;
}

export class StoreHealth {
  constructor(
    private readonly store: CacheStore,
    private readonly link: RedisLink | undefined,
    private readonly clock: Clock,
  ) {}

  get(): StoreState {
    const { store } = this;
    const l1 =
      store instanceof MemoryStore
        ? { l1Entries: store.l1Size, l1Bytes: store.l1Bytes, l1PreparedBytes: store.l1PreparedBytes }
        : {};
    if (!this.link) return { store: 'memory', isUp: true, ...l1 };
    const { isUp, problem } = this.link;
    return { store: 'redis', isUp, ...(problem === undefined ? {} : { problem }), ...l1 };
  }

  /** Undefined without Redis. */
  async readUsage(): Promise<RedisUsage | undefined> {
    return this.link && (await readRedisUsage(this.link));
  }

  /** For the entries in memory that were used last. */
  readRunway(): Runway | undefined {
    const { store } = this;
    if (!(store instanceof MemoryStore)) return undefined;
    return runwayOf(store.recentEntries(SAMPLED_ENTRIES), this.clock.now());
  }
}
