import type { Clock } from '../../../kernel/clock';
import type { CacheStore, Found } from '../cache-store';
import { applySoftPurge } from '../soft-purge';
import type { Way } from './exchange';
import { PLAIN } from './request-policy';
import { reuseOf } from './reuse';

/**
 * Fresh hits by the way that such requests have come before, for requests that ask nothing of the cache.
 *
 * Its one invariant: a way leads to what `HttpCache` would find by all of its thought, or to nothing. Whatever changes a
 * resource's variants, or invalidates it, changes its index, and the index of a way is known by its id.
 */
export class KnownWays {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /** What is in this process's memory. */
  peek({ key, indexId, variantKey }: Way): Found | undefined {
    const index = this.store.peek(key);
    return index?.entry.id === indexId ? this.hit(index, this.store.peek(variantKey)) : undefined;
  }

  /** Whether there may be more to find than `peek` has. */
  mayLead({ freshUntil }: Way): boolean {
    return this.clock.now() < freshUntil;
  }

  /** What is anywhere: index and variant are asked for at once. */
  async find({ key, indexId, variantKey }: Way): Promise<Found | undefined> {
    const [index, variant] = await Promise.all([this.store.find(key), this.store.find(variantKey)]);
    return index?.entry.id === indexId ? this.hit(index, variant) : undefined;
  }

  private hit(index: Found, variant: Found | undefined): Found | undefined {
    const now = this.clock.now();
    if (!variant || now >= index.entry.freshUntil) return undefined;
    const entry = applySoftPurge(variant.entry, index.entry);
    return reuseOf(entry, PLAIN, now) === 'fresh' ? { entry, tier: variant.tier } : undefined;
  }
}
