import { BoundedMap } from '../../kernel/bounded-map';
import { FormatReader, FormatWriter, MalformedBytesError } from './stored-format';
import type { CacheEntry, EntryMetadata } from './cache-entry';
import { newEntryId, newGeneration } from './random-id';

const MAX_LISTS = 8;
const MAX_PROJECTIONS = 8;
/** An index lives longer than its members by this share, so that it is not rewritten for each of them. */
const SPARE_SHARE = 0.1;

/**
 * The stored responses of one resource (a URL, for one partition): an index under the resource's own key, and one entry for each variant
 * and each projection.
 *
 * The index names the fields that responses varied by, and a generation, which is part of its members' keys. So removing the index (an
 * invalidation, `redis-cli DEL`) removes all of them: the next index has another generation, and an entry that an earlier load still
 * stores is never found. A soft purge marks the index: members loaded under another mark are stale (`soft-purge.ts`).
 */
export interface ResourceIndex {
  readonly entry: CacheEntry;
  readonly generation: string;
  /** Lists of field names, those of the latest response first. */
  readonly lists: readonly (readonly string[])[];
  /** The name of the latest whole response; empty for none. */
  readonly latest: string;
  /** The names of the projections of the latest response. */
  readonly projections: readonly string[];
  /** Whether all its members say that the resource does not exist for this caller. In doubt false. */
  readonly isWithdrawn: boolean;
}

/** A change of an index: a new variant or projection, or a longer life of a member. */
export interface IndexUpdate {
  /** For a variant: the fields that it varies by, and its name. */
  readonly names?: readonly string[];
  readonly variant?: string;
  /** The name of a projection. */
  readonly projection?: string;
  /** Whether it says that the resource does not exist for this caller. */
  readonly isWithdrawn?: boolean;
  /** When its life ends. */
  readonly endsAt: number;
}

/** The index with the update applied. */
export function indexFor(
  known: ResourceIndex | undefined,
  { names, variant, projection, isWithdrawn: saysWithdrawn, endsAt }: IndexUpdate,
  { upstream, tags, now }: { readonly upstream: string; readonly tags: readonly string[]; readonly now: number },
): ResourceIndex {
  const generation = known?.generation ?? newGeneration();
  const others = known?.lists.filter((list) => !isSame(list, names ?? [])) ?? [];
  const lists = names === undefined ? (known?.lists ?? [[]]) : [names, ...others].slice(0, MAX_LISTS);
  const earlier = known?.projections ?? [];
  const joined = projection === undefined ? earlier : [...new Set([projection, ...earlier])].slice(0, MAX_PROJECTIONS);
  // Projections of an older response may differ from projections of this one.
  const projections = names === undefined ? joined : [];
  const latest = variant ?? known?.latest ?? '';
  const isExtended = names === undefined && projection === undefined && saysWithdrawn === undefined;
  const isWithdrawn = isExtended ? known?.isWithdrawn === true : saysWithdrawn === true && (known?.isWithdrawn ?? true);
  const until = Math.max(endsAt + (endsAt - now) * SPARE_SHARE, known?.entry.freshUntil ?? 0);
  const entry: CacheEntry = {
    ...{ id: newEntryId(), status: 200, headers: [], validators: {}, upstream },
    tags: [...new Set([...(known?.entry.tags ?? []), ...tags])],
    ...{
      storedAt: now,
      freshUntil: until,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      mustRevalidate: false,
      loadDurationMs: 0,
      etag: '',
    },
    coding: 'identity',
    body: write({ generation, lists, latest, projections, isWithdrawn }),
    ...(known?.entry.softPurgeMark === undefined ? {} : { softPurgeMark: known.entry.softPurgeMark }),
  };
  return { entry, generation, lists, latest, projections, isWithdrawn };
}

/** Whether a purge by any of the tags finds the index. */
export function isUnderTags({ entry }: ResourceIndex, tags: readonly string[]): boolean {
  return tags.every((tag) => entry.tags.includes(tag));
}

/** The same index under further tags. */
export function indexUnderTags(known: ResourceIndex, tags: readonly string[]): ResourceIndex {
  const all = [...new Set([...known.entry.tags, ...tags])];
  return { ...known, entry: { ...known.entry, id: newEntryId(), tags: all } };
}

/** The key of a member: a variant or a projection. */
export function memberKey(key: string, generation: string, name: string): string {
  return `${key}|${generation}|${name}`;
}

/** Whether a key looks like one of `memberKey`: a hint, because other keys may look the same. */
export function looksLikeMember(key: string): boolean {
  return /\|[\w-]{8}\|[^|]+$/.test(key);
}

/** Whether the index contains the update already, and lives as long. */
export function alreadyContains(
  index: ResourceIndex,
  { names, projection, isWithdrawn, endsAt }: IndexUpdate,
): boolean {
  if (index.entry.freshUntil < endsAt) return false;
  if (names === undefined && projection === undefined && isWithdrawn === undefined) return true;
  if (index.isWithdrawn && isWithdrawn !== true) return false;
  if (projection !== undefined) return index.projections.includes(projection);
  return isSame(index.lists[0] ?? [], names ?? []) && index.latest !== '' && index.projections.length === 0;
}

/** Whether the entry may be an index, judged without its body: responses have fields. */
export function looksLikeIndex({ headers, etag }: EntryMetadata): boolean {
  return headers.length === 0 && etag === '';
}

/** Undefined for an entry that is not an index. */
export function readIndex(entry: CacheEntry): ResourceIndex | undefined {
  return looksLikeIndex(entry) ? parse(entry) : undefined;
}

/** Most indexes of an API have the same lists: they are one object, for which it is known what they select by. */
const knownLists = new BoundedMap<string, ResourceIndex['lists']>(500);

function sharedLists(lists: ResourceIndex['lists']): ResourceIndex['lists'] {
  return knownLists.getOrMake(JSON.stringify(lists), () => lists);
}

/**
 * Texts and names as in the head of an entry: the generation, the latest, then lists of names and projections, each preceded by its
 * length, and 1 if all of it is withdrawn.
 */
function write({ generation, lists, latest, projections, isWithdrawn }: Omit<ResourceIndex, 'entry'>): Buffer {
  const writer = new FormatWriter().text(generation).text(latest).number(lists.length);
  for (const names of lists) {
    writer.number(names.length);
    for (const name of names) writer.name(name);
  }
  writer.number(projections.length);
  for (const projection of projections) writer.text(projection);
  if (isWithdrawn) writer.number(1);
  return writer.finish();
}

function parse(entry: CacheEntry): ResourceIndex | undefined {
  const { body } = entry;
  const reader = new FormatReader(body, 0, body.length);
  try {
    const generation = reader.text();
    const latest = reader.text();
    const lists = reader.list(() => reader.list(() => reader.name()));
    const projections = reader.list(() => reader.text());
    const isWithdrawn = !reader.isAtEnd && reader.number() === 1;
    if (!/^[\w-]{1,16}$/.test(generation)) return undefined;
    return {
      entry,
      generation,
      lists: sharedLists(lists.slice(0, MAX_LISTS)),
      latest,
      projections: projections.slice(0, MAX_PROJECTIONS),
      isWithdrawn,
    };
  } catch (error) {
    if (error instanceof MalformedBytesError) return undefined; // a foreign format: as if absent, and replaced
    throw error;
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}
