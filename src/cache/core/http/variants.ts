import { randomBytes } from 'node:crypto';
import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheTier } from '../cache-outcome';
import type { CacheStore } from '../cache-store';
import { selectionKey } from './selection';

const MOST_LISTS = 8;
/** So much longer than its variants an index lives, so that it is not written anew for each of them. */
const INDEX_SPARE_MS = 3_600_000;

/**
 * The stored responses of one URL: an index under the URL's own key, and beside it one entry for each selection.
 *
 * The index names the fields that responses varied by, and a generation, which is part of the variants' keys. So whoever
 * removes the index (an invalidation, `redis-cli DEL`) removes all variants with it: the next index has another generation,
 * and what a load that began before still stores is found by nobody.
 */
export interface VariantIndex {
  readonly entry: CacheEntry;
  readonly generation: string;
  /** Lists of field names, those of the latest response first. */
  readonly lists: readonly (readonly string[])[];
}

export interface Seen {
  readonly index: VariantIndex | undefined;
  readonly entry: CacheEntry | undefined;
  readonly tier: CacheTier;
  /** Where the variant that the request selects is, or would be stored as far as the index tells. */
  readonly variantKey: string | undefined;
}

/** Finds the index and, of the variants that the request selects, the latest (RFC 9111 §4.1). */
export async function findVariant(store: CacheStore, key: string, request: HeaderList, now: number): Promise<Seen> {
  const found = store.peek(key) ?? (await store.find(key));
  const index = found && readIndex(found.entry);
  if (!found || !index || now >= found.entry.freshUntil)
    return { index: undefined, entry: undefined, tier: 'upstream', variantKey: undefined };
  const keys = index.lists.map((names) => variantKey(key, index.generation, names, request));
  const variants = await Promise.all(keys.map(async (one) => store.peek(one) ?? (await store.find(one))));
  let at = -1;
  variants.forEach((variant, place) => {
    if (variant && (at < 0 || variant.entry.storedAt > (variants[at]?.entry.storedAt ?? 0))) at = place;
  });
  const chosen = variants[at];
  return {
    index,
    entry: chosen?.entry,
    tier: chosen?.tier ?? 'upstream',
    variantKey: keys[Math.max(0, at)],
  };
}

export function variantKey(key: string, generation: string, names: readonly string[], request: HeaderList): string {
  return `${key}|${generation}|${selectionKey(names, request)}`;
}

/** An index for a response that varies by these names: a new one, or the one there is with them in front. */
export function indexFor(
  known: VariantIndex | undefined,
  names: readonly string[],
  { upstream, tags, variant }: { upstream: string; tags: readonly string[]; variant: { endsAt: number; now: number } },
): VariantIndex {
  const generation = known?.generation ?? randomBytes(6).toString('base64url');
  const others = known?.lists.filter((list) => !isSame(list, names)) ?? [];
  const lists = [names, ...others].slice(0, MOST_LISTS);
  const until = Math.max(variant.endsAt + INDEX_SPARE_MS, known?.entry.freshUntil ?? 0);
  const entry: CacheEntry = {
    ...{ id: randomBytes(9).toString('base64url'), status: 200, headers: [], validators: {}, upstream },
    tags: [...new Set([...(known?.entry.tags ?? []), ...tags])],
    ...{ storedAt: variant.now, freshUntil: until, swrMs: 0, sieMs: 0, mustRevalidate: false, loadMs: 0, etag: '' },
    coding: 'identity',
    body: Buffer.from(JSON.stringify({ generation, lists })),
    ...(known?.entry.staledAt === undefined ? {} : { staledAt: known.entry.staledAt }),
  };
  return { entry, generation, lists };
}

/** Whether the index as it is finds a variant of these names, and lives as long as it. */
export function covers(index: VariantIndex, names: readonly string[], endsAt: number): boolean {
  return isSame(index.lists[0] ?? [], names) && index.entry.freshUntil >= endsAt;
}

/** Undefined for an entry that is no index. */
export function readIndex(entry: CacheEntry): VariantIndex | undefined {
  try {
    const value: unknown = JSON.parse(entry.body.toString('utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { generation, lists } = value as Record<string, unknown>;
    if (typeof generation !== 'string' || !/^[\w-]{1,16}$/.test(generation) || !Array.isArray(lists)) return undefined;
    if (!lists.every((list) => Array.isArray(list) && list.every((name) => typeof name === 'string'))) return undefined;
    return { entry, generation, lists: lists.slice(0, MOST_LISTS) };
  } catch {
    return undefined; // not ours: as if there were none, and replaced
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}
