import type { CacheEntry } from '../model/cache-entry';
import type { CacheStore, EntryCount, Found, InvalidationTarget, KeyPage, ListedEntry } from '../store/cache-store';
import { confirmed } from '../store/if-available';
import { looksLikeIndex, memberKey, readIndex, type ResourceIndex } from '../model/resource-index';
import { applySoftPurge } from '../model/soft-purge';

const NO_BODY = Buffer.alloc(0);

/**
 * The stored responses, as operators and handlers see them: a resource is shown as its latest response.
 *
 * Its one invariant: it changes nothing and loads nothing.
 */
export class StoredEntries {
  constructor(private readonly store: CacheStore) {}

  /** @throws AppError `cache-unavailable` */
  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    return confirmed('list the entries', this.store.listing.list(match, cursor, limit, tag));
  }

  /** @throws AppError `cache-unavailable` */
  count(target: InvalidationTarget): Promise<EntryCount> {
    return confirmed('count the entries', this.store.listing.count(target));
  }

  /** @throws AppError `cache-unavailable` */
  find(key: string): Promise<Found | undefined> {
    return confirmed('show the entry', this.store.find(key));
  }

  /**
   * An entry; for a resource the description of its members, under its own key and tags.
   *
   * @throws AppError `cache-unavailable`
   */
  inspect(key: string): Promise<ListedEntry | undefined> {
    return confirmed('show the entry', this.inspectResource(key));
  }

  private async inspectResource(key: string): Promise<ListedEntry | undefined> {
    const listed = await this.store.listing.inspect(key);
    if (!listed || !looksLikeIndex(listed.metadata)) return listed;
    const found = await this.store.find(key);
    const index = found && readIndex(found.entry);
    if (!index) return listed;
    const keys = memberKeys(index, key);
    const all = await Promise.all(keys.map((one) => this.store.listing.inspect(one)));
    const [first = listed] = all.filter((one) => one !== undefined);
    const metadata = { ...first.metadata, tags: listed.metadata.tags };
    const { softPurgeMark } = applySoftPurge({ ...first, ...first.metadata, body: NO_BODY }, index.entry);
    const { softPurgeMark: _ofIndex, ...rest } = listed;
    const soft = softPurgeMark === undefined ? {} : { softPurgeMark };
    return { ...rest, ...soft, metadata, bodyBytes: first.bodyBytes, members: keys.filter((_key, at) => all[at]) };
  }
}

/** The entry that represents a key: the entry itself; for a resource its latest response, else its first projection. */
export async function representativeEntry(
  store: CacheStore,
  key: string,
  entry: CacheEntry,
): Promise<CacheEntry | undefined> {
  const index = readIndex(entry);
  if (!index) return entry;
  for (const member of memberKeys(index, key)) {
    const found = store.peek(member) ?? (await store.find(member));
    if (found) return applySoftPurge(found.entry, index.entry);
  }
  return undefined;
}

/** The latest response of a resource, by its index. */
export async function latestResponse(
  store: CacheStore,
  key: string,
  selections: (lists: ResourceIndex['lists']) => ReadonlySet<string>,
): Promise<Found | undefined> {
  const found = store.peek(key) ?? (await store.find(key));
  const index = found && readIndex(found.entry);
  if (!index?.latest || !selections(index.lists).has(index.latest)) return undefined;
  const member = memberKey(key, index.generation, index.latest);
  const response = store.peek(member) ?? (await store.find(member));
  return response && { ...response, entry: applySoftPurge(response.entry, index.entry) };
}

function memberKeys(index: ResourceIndex, key: string): readonly string[] {
  const names = index.latest === '' ? index.projections : [index.latest, ...index.projections];
  return names.map((name) => memberKey(key, index.generation, name));
}
