import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheTier } from '../cache-outcome';
import type { CacheStore } from '../cache-store';
import { IndexMemory } from '../index-memory';
import { memberKey, readIndex, type ResourceIndex } from '../resource-index';
import { applySoftPurge, markOf } from '../soft-purge';
import { joinedNames, selectionKey } from './selection';

export interface Seen {
  readonly index: ResourceIndex | undefined;
  readonly entry: CacheEntry | undefined;
  readonly tier: CacheTier;
  /** Where the variant that the request selects is, or would be stored as far as the index tells. */
  readonly variantKey: string | undefined;
  /** Where a response that the request selects may be: one key for each list of the index. */
  readonly variantKeys: readonly string[];
}

type Lists = ResourceIndex['lists'];

/**
 * Finds the index of a URL and, of the variants that a request selects, the latest (RFC 9111 §4.1).
 *
 * Its one invariant: what was stored without being selected by a field that selects here is not found, whoever stored it: another
 * replica, or a process before this one, with other settings.
 */
export class VariantFinder {
  private readonly seenLast = new IndexMemory();
  /** The lists of an index with the names that select here in each, made once for each index that is read. */
  private readonly completed = new WeakMap<Lists, Lists>();

  /** @param selecting request fields that every response is selected by, whatever its `Vary` says, in lower case */
  constructor(
    private readonly store: CacheStore,
    private readonly selecting: readonly string[],
  ) {}

  /**
   * Where neither index nor variant is in memory both are asked for at once, in one round trip, if the index is the one that was
   * seen last.
   *
   * @param leaseMs as of the store's `find`, given by who loads what is missing
   */
  async find(
    { key, headers: request }: { readonly key: string; readonly headers: HeaderList },
    now: number,
    leaseMs: number | undefined,
  ): Promise<Seen> {
    const keysOf = ({ lists, generation }: Pick<ResourceIndex, 'lists' | 'generation'>): readonly string[] =>
      this.complete(lists).map((names) => memberKey(key, generation, selectionKey(names, request)));
    const { found, ahead } = await this.seenLast.find(
      this.store,
      key,
      () => ({ leaseMs, selection: leaseMs === undefined ? undefined : selectionKey(this.selecting, request) }),
      keysOf,
    );
    const index = found && readIndex(found.entry);
    if (!found || !index || now >= found.entry.freshUntil)
      return { index: undefined, entry: undefined, tier: 'upstream', variantKey: undefined, variantKeys: [] };
    const keys = keysOf(index);
    const options = { leaseMs: keys.length === 1 ? leaseMs : undefined, indexMark: markOf(index.entry) };
    const variants = await Promise.all(
      keys.map(async (one) => this.store.peek(one) ?? (await ahead.get(one)) ?? (await this.store.find(one, options))),
    );
    let at = -1;
    variants.forEach((variant, place) => {
      if (variant && (at < 0 || variant.entry.storedAt > (variants[at]?.entry.storedAt ?? 0))) at = place;
    });
    const chosen = variants[at];
    return {
      index,
      entry: chosen && applySoftPurge(chosen.entry, index.entry),
      tier: chosen?.tier ?? 'upstream',
      variantKey: keys[Math.max(0, at)],
      variantKeys: keys,
    };
  }

  private complete(lists: Lists): Lists {
    let completed = this.completed.get(lists);
    if (completed === undefined) {
      const all = lists.map((names) => joinedNames(names, this.selecting));
      completed = [...new Map(all.map((names) => [names.join(), names])).values()];
      this.completed.set(lists, completed);
    }
    return completed;
  }
}
