import { Injectable } from '@nestjs/common';
import { Clock } from '../../kernel/clock';
import { toCacheKey } from '../model/cache-key';
import { CacheStore, StoreUnavailableError, type Found } from '../store/cache-store';
import { ageMs, isFresh } from '../law/freshness';
import { latestResponse } from '../engine/stored-entries';

/** Whole responses that a gateway has stored, for handlers that make something of them. */
@Injectable()
export class StoredResources {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /**
   * A stored 200 of the resource that is fresh, and no older than a rule of one's own allows.
   *
   * @param resource the key after the upstream's name, as the rule's `resource` gives it
   * @param selections the names of the variants that will do, by the lists of field names that select among those stored
   * @returns undefined also while the store cannot be reached: the upstream is to be asked
   */
  async find(
    upstream: string,
    resource: string,
    maxAgeMs: number,
    selections: (lists: readonly (readonly string[])[]) => ReadonlySet<string>,
  ): Promise<Found | undefined> {
    const now = this.clock.now();
    try {
      const found = await latestResponse(this.store, toCacheKey(`${upstream}:${resource}`), selections);
      const entry = found?.entry;
      return entry?.status === 200 && isFresh(entry, now) && ageMs(entry, now) < maxAgeMs ? found : undefined;
    } catch (error) {
      if (error instanceof StoreUnavailableError) return undefined;
      throw error;
    }
  }
}
