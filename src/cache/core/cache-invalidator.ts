import type { CacheStore, InvalidationMode, InvalidationTarget, InvalidationTargets } from './cache-store';
import { confirmed } from './confirmed';
import { targetList } from './invalidation-target';

/** Who requested an invalidation. */
export type InvalidationSource = 'admin' | 'webhook' | 'write' | 'channel' | 'code';

/** An invalidation that the store has confirmed. */
export interface Invalidation {
  readonly targets: readonly InvalidationTarget[];
  readonly mode: InvalidationMode;
  /** How many entries were removed, or became stale. */
  readonly count: number;
  readonly source: InvalidationSource;
}

/** Removes stored responses, or marks them stale, by keys, tags or prefixes. Everything that one event changes is one invalidation. */
export class CacheInvalidator {
  private readonly listeners: ((invalidation: Invalidation) => void)[] = [];

  constructor(private readonly store: CacheStore) {}

  onInvalidated(listener: (invalidation: Invalidation) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Once it resolves, no request on this replica gets a response that was stored or loaded before it; once the store has pushed the
   * change, no request on another replica does either.
   *
   * @returns how many entries it found
   * @throws AppError `cache-unavailable` where the shared store cannot promise it
   */
  async invalidate(
    targets: InvalidationTargets,
    mode: InvalidationMode = 'purge',
    source: InvalidationSource = 'code',
  ): Promise<number> {
    const all = targetList(targets);
    if (all.length === 0) return 0;
    const count = await confirmed('confirm the invalidation', this.store.invalidate(all, mode));
    for (const listener of this.listeners) listener({ targets: all, mode, count, source });
    return count;
  }
}
