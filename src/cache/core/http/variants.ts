import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheTier } from '../cache-outcome';
import type { CacheStore } from '../cache-store';
import type { IndexMemory } from '../index-memory';
import { memberKey, readIndex, type ResourceIndex } from '../resource-index';
import { applySoftPurge, markOf } from '../soft-purge';
import { selectionKey } from './selection';

export interface Seen {
  readonly index: ResourceIndex | undefined;
  readonly entry: CacheEntry | undefined;
  readonly tier: CacheTier;
  /** Where the variant that the request selects is, or would be stored as far as the index tells. */
  readonly variantKey: string | undefined;
}

/**
 * Finds the index and, of the variants that the request selects, the latest (RFC 9111 §4.1). Where neither is in memory both are asked
 * for at once, in one round trip, if the index is the one that was seen last.
 *
 * @param leaseMs as of the store's `find`, given by who loads what is missing
 */
export async function findVariant(
  {
    store,
    seenLast,
    selecting,
  }: { readonly store: CacheStore; readonly seenLast: IndexMemory; readonly selecting: readonly string[] },
  { key, headers: request }: { readonly key: string; readonly headers: HeaderList },
  now: number,
  leaseMs: number | undefined,
): Promise<Seen> {
  const keysOf = ({ lists, generation }: Pick<ResourceIndex, 'lists' | 'generation'>): readonly string[] =>
    lists.map((names) => memberKey(key, generation, selectionKey(names, request)));
  const { found, ahead } = await seenLast.find(
    store,
    key,
    () => ({ leaseMs, selection: leaseMs === undefined ? undefined : selectionKey(selecting, request) }),
    keysOf,
  );
  const index = found && readIndex(found.entry);
  if (!found || !index || now >= found.entry.freshUntil)
    return { index: undefined, entry: undefined, tier: 'upstream', variantKey: undefined };
  const keys = keysOf(index);
  const options = { leaseMs: keys.length === 1 ? leaseMs : undefined, indexMark: markOf(index.entry) };
  const variants = await Promise.all(
    keys.map(async (one) => store.peek(one) ?? (await ahead.get(one)) ?? (await store.find(one, options))),
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
  };
}
