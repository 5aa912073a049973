import type { RedisLink } from '../redis/redis-link';
import type { CacheStore } from './core/cache-store';
import { MemoryStore } from './core/memory-store';
import { TieredStore } from './core/tiered-store';

/** How the store is, for health and metrics. */
export interface StoreState {
  readonly store: 'memory' | 'redis';
  readonly isUp: boolean;
  /** Why Redis is not usable. */
  readonly problem?: string;
  readonly l1Entries?: number;
  readonly l1Bytes?: number;
}

export class StoreHealth {
  constructor(
    private readonly store: CacheStore,
    private readonly link: RedisLink | undefined,
  ) {}

  get(): StoreState {
    const hasMemory = this.store instanceof TieredStore || this.store instanceof MemoryStore;
    const l1 = hasMemory ? { l1Entries: this.store.l1Size, l1Bytes: this.store.l1Bytes } : {};
    if (!this.link) return { store: 'memory', isUp: true, ...l1 };
    const { isUp, problem } = this.link;
    return { store: 'redis', isUp, ...(problem === undefined ? {} : { problem }), ...l1 };
  }
}
