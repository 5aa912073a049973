import type { Clock } from '../../kernel/clock';
import { endOfLife, type CacheEntry } from './cache-entry';
import type { CacheRequest } from './cache-request';
import { StoreUnavailableError, type CacheStore, type Found, type Lease, type ListedEntry } from './cache-store';
import { coverIndex } from './cover-index';
import { ifAvailable } from './if-available';
import { IndexMemory } from './index-memory';
import { newToken } from './random-id';
import {
  alreadyContains,
  indexFor,
  isUnderTags,
  looksLikeIndex,
  memberKey,
  readIndex,
  type ResourceIndex,
} from './resource-index';
import { applySoftPurge, markOf } from './soft-purge';

const INDEX_LEASE_MS = 1_000;
const NO_BODY = Buffer.alloc(0);

/** Where a part is. */
export interface PartPlace {
  readonly key: string;
  readonly index: ResourceIndex;
  /** Whether it was made of the response that was stored last; if not, what is there is stale. */
  readonly isCurrent: boolean;
  /** What is there, if it was asked for together with the index. */
  readonly ahead?: Promise<Found | undefined> | undefined;
}

export type PartRequest = CacheRequest & { readonly part: string };

/**
 * Entries that are made of a resource, kept beside its variants: they go with it.
 *
 * Its one invariant is that of the index: a part is found through the generation that was there before its load began, so that
 * what an invalidation of the resource has covered is found by nobody.
 */
export class ResourceParts {
  private readonly seenLast = new IndexMemory();

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /** What can be told from this process's memory alone. */
  peek(key: string, part: string): PartPlace | undefined {
    return this.placeIn(this.store.peek(key), key, part);
  }

  /** @param leaseMs as of the store's `find`, of the resource's lease */
  async find(key: string, part: string, leaseMs?: number): Promise<PartPlace | undefined> {
    const keysOf = ({ generation }: Pick<ResourceIndex, 'generation'>): string[] => [memberKey(key, generation, part)];
    const { found, ahead } = await this.seenLast.find(this.store, key, () => ({ leaseMs, selection: part }), keysOf);
    const place = this.placeIn(found, key, part);
    return place && { ...place, ahead: ahead.get(place.key) };
  }

  /** Stores the first of a resource: the index under its lease, the part beside it. Found by nobody if the lease is void. */
  async fillFirst(lease: Lease, { key, part, upstream, tags }: PartRequest, entry: CacheEntry): Promise<boolean> {
    const now = this.clock.now();
    const all = [...new Set([...tags, ...entry.tags])];
    const index = indexFor(undefined, { part, endsAt: endOfLife(entry) }, { upstream, tags: all, now });
    // The tags are the index's: what removes that removes the part.
    const linked = { key: placeOf(index, key, part).key, entry: { ...entry, tags: [] } };
    if (await this.store.fill(lease, index.entry, linked)) return true;
    const joined = await this.joinIndex(lease, { key, part, tags: all }, linked.entry);
    if (joined) await this.extend({ key, upstream, tags: all, part }, { index: joined }, endOfLife(entry));
    return joined !== undefined;
  }

  /** Where the part is, once a purge by any of the tags finds it there; undefined where it may not be stored. As the `VariantWriter` does. */
  async cover({ key, tags }: Pick<PartRequest, 'key' | 'tags'>, place: PartPlace): Promise<PartPlace | undefined> {
    if (isUnderTags(place.index, tags)) return place;
    const index = await ifAvailable(() => coverIndex(this.store, key, place.index, tags));
    return index && { ...place, index };
  }

  /** Beside what another load has stored first: as the `VariantWriter` does. Gives the lease back. */
  private async joinIndex(
    lease: Lease,
    { key, part, tags }: Pick<PartRequest, 'key' | 'part' | 'tags'>,
    entry: CacheEntry,
  ): Promise<ResourceIndex | undefined> {
    const found = await this.store.find(key);
    const there = found && readIndex(found.entry);
    const index = there && (await coverIndex(this.store, key, there, tags));
    const isStanding = index !== undefined && (await this.store.isStanding(lease));
    if (isStanding) await this.store.put(memberKey(key, index.generation, part), entry);
    await this.store.release(lease);
    return isStanding ? index : undefined;
  }

  /** Has the index live as long as the part that was just stored, if it does not. */
  async extend(
    { key, upstream, tags, part }: Pick<PartRequest, 'key' | 'upstream' | 'tags' | 'part'>,
    { index }: Pick<PartPlace, 'index'>,
    endsAt: number,
  ): Promise<void> {
    const joining = { part, endsAt };
    if (alreadyContains(index, joining)) return;
    const now = this.clock.now();
    const longer = indexFor(index, joining, { upstream, tags, now });
    const seenId = index.entry.id;
    try {
      const token = longer.entry.id;
      const answer = await this.store.acquire({ key, token, tags, seenId, leaseMs: INDEX_LEASE_MS });
      if (answer.kind === 'granted') await this.store.fill(answer.lease, longer.entry);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error; // the part goes with the index as it is
    }
  }

  /** An entry; of a resource what is stored of it, told under its own key and tags. */
  async inspect(key: string): Promise<ListedEntry | undefined> {
    const listed = await this.store.inspect(key);
    if (!listed || !looksLikeIndex(listed.metadata)) return listed;
    const found = await this.store.find(key);
    const index = found && readIndex(found.entry);
    if (!index) return listed;
    const keys = placesIn(index, key);
    const all = await Promise.all(keys.map((one) => this.store.inspect(one)));
    const [first = listed] = all.filter((one) => one !== undefined);
    const metadata = { ...first.metadata, tags: listed.metadata.tags };
    const { softPurgeMark } = applySoftPurge({ ...first, ...first.metadata, body: NO_BODY }, index.entry);
    const { softPurgeMark: _ofIndex, ...rest } = listed;
    const soft = softPurgeMark === undefined ? {} : { softPurgeMark };
    return { ...rest, ...soft, metadata, bodyBytes: first.bodyBytes, leadsTo: keys.filter((_key, at) => all[at]) };
  }

  private placeIn(found: Found | undefined, key: string, part: string): PartPlace | undefined {
    const index = found && this.clock.now() < found.entry.freshUntil ? readIndex(found.entry) : undefined;
    return index && placeOf(index, key, part);
  }
}

/** Where what is stored is found by nobody. */
export function placeOfNobody(key: string): string {
  return `${key}|${newToken()}`;
}

function placeOf(index: ResourceIndex, key: string, part: string): PartPlace {
  return { key: memberKey(key, index.generation, part), index, isCurrent: index.parts.includes(part) };
}

/** The part that was found in its place, as the index has it. */
export function partAt(entry: CacheEntry, { index, isCurrent }: PartPlace): CacheEntry {
  return applySoftPurge(isCurrent ? entry : { ...entry, softPurgeMark: markOf(index.entry) }, index.entry);
}

/** What stands for the entry of a key: itself, or of a resource its whole response, else its first part. */
export async function shownEntry(store: CacheStore, key: string, entry: CacheEntry): Promise<CacheEntry | undefined> {
  const index = looksLikeIndex(entry) ? readIndex(entry) : undefined;
  if (!index) return entry;
  for (const one of placesIn(index, key)) {
    const found = store.peek(one) ?? (await store.find(one));
    if (found) return applySoftPurge(found.entry, index.entry);
  }
  return undefined;
}

function placesIn(index: ResourceIndex, key: string): readonly string[] {
  const names = index.latest === '' ? index.parts : [index.latest, ...index.parts];
  return names.map((name) => memberKey(key, index.generation, name));
}

/** The whole response of a resource that was stored last, if it may still be used without a word of the upstream. */
export async function freshResponse(
  store: CacheStore,
  key: string,
  isUsable: (entry: CacheEntry) => boolean,
): Promise<Found | undefined> {
  const found = store.peek(key) ?? (await store.find(key));
  const index = found && readIndex(found.entry);
  if (!index?.latest) return undefined;
  const place = memberKey(key, index.generation, index.latest);
  const response = store.peek(place) ?? (await store.find(place));
  if (!response) return undefined;
  const entry = applySoftPurge(response.entry, index.entry);
  return isUsable(entry) ? { ...response, entry } : undefined;
}
