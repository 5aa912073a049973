import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type {
  CacheStore,
  EntryCount,
  EntryListing,
  Found,
  InvalidationTarget,
  KeyPage,
  ListedEntry,
} from '../store/cache-store';
import { ageMs, isFresh } from '../law/freshness';
import { toCacheKey } from '../model/cache-key';
import { confirmed, ifAvailable } from '../store/if-available';
import { looksLikeIndex, looksLikeMember, memberKey, readIndex, type ResourceIndex } from '../model/resource-index';
import { applySoftPurge } from '../model/soft-purge';

const NO_BODY = Buffer.alloc(0);
const INDEXES_AT_ONCE = 50;

/**
 * The stored responses, as operators and handlers see them: a resource is shown as its latest response, a variant or a projection as a
 * request would find it. One whose index is gone, is of another generation or does not name it is a miss, and stays in the store until its
 * own life ends; one whose index was soft-purged is soft-purged.
 *
 * Its one invariant: it changes nothing and loads nothing. Every method but `latest` throws AppError `cache-unavailable` while the store is down.
 */
export class StoredEntries {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    return confirmed('list the entries', this.listReachable(match, cursor, limit, tag));
  }

  count(target: InvalidationTarget): Promise<EntryCount> {
    return confirmed('count the entries', this.store.listing.count(target));
  }

  find(key: string): Promise<Found | undefined> {
    return confirmed('show the entry', this.store.find(key));
  }

  /** An entry; for a resource the description of its members, under its own key and tags. */
  inspect(key: string): Promise<ListedEntry | undefined> {
    return confirmed('show the entry', this.inspectResource(key));
  }

  /**
   * The latest response of a resource: a stored 200 that is fresh, and younger than `maxAgeMs`, for handlers that derive another from it.
   *
   * @param resource the key after the upstream's name, as a rule's `resource` gives it
   * @param selections the names of the variants that will do, by the lists of field names that select among those stored
   * @returns undefined also while the store cannot be reached: the upstream is to be asked
   */
  async latest(
    upstream: string,
    resource: string,
    maxAgeMs: number,
    selections: (lists: ResourceIndex['lists']) => ReadonlySet<string>,
  ): Promise<Found | undefined> {
    const now = this.clock.now();
    const key = toCacheKey(`${upstream}:${resource}`);
    return ifAvailable(async () => {
      const found = await this.store.find(key);
      const index = found && readIndex(found.entry);
      if (!index?.latest || !selections(index.lists).has(index.latest)) return undefined;
      const response = await this.store.find(memberKey(key, index.generation, index.latest));
      if (!response) return undefined;
      const entry = applySoftPurge(response.entry, index.entry);
      const isUsable = entry.status === 200 && isFresh(entry, now) && ageMs(entry, now) < maxAgeMs;
      return isUsable ? { ...response, entry } : undefined;
    });
  }

  private async listReachable(...asked: Parameters<EntryListing['list']>): Promise<KeyPage> {
    const page = await this.store.listing.list(...asked);
    return { ...page, items: await this.asReachable(page.items) };
  }

  private async inspectResource(key: string): Promise<ListedEntry | undefined> {
    const listed = await this.store.listing.inspect(key);
    if (!listed) return undefined;
    if (!looksLikeIndex(listed.metadata)) return (await this.asReachable([listed]))[0];
    const found = await this.store.find(key);
    const index = found && readIndex(found.entry);
    if (!index) return listed;
    const keys = memberKeys(index, key);
    const all = await Promise.all(keys.map((one) => this.store.listing.inspect(one)));
    const [first = listed] = all.filter((one) => one !== undefined);
    const metadata = { ...first.metadata, tags: listed.metadata.tags };
    const { softPurgeMark: _ofIndex, ...rest } = listed;
    const members = keys.filter((_key, at) => all[at]);
    return { ...rest, ...softPurge(first, index), metadata, bodyBytes: first.bodyBytes, members };
  }

  /** Reads an index once for each resource. */
  private async asReachable(items: readonly ListedEntry[]): Promise<ListedEntry[]> {
    const now = this.clock.now();
    const resources = [...new Set(items.flatMap(({ key }) => memberNames(key)?.resource ?? []))];
    const indexes = new Map<string, ResourceIndex | undefined>();
    for (let at = 0; at < resources.length; at += INDEXES_AT_ONCE)
      await Promise.all(
        resources.slice(at, at + INDEXES_AT_ONCE).map(async (resource) => {
          const found = await this.store.find(resource);
          indexes.set(resource, found && now < found.entry.freshUntil ? readIndex(found.entry) : undefined);
        }),
      );
    return items.map((item) => {
      const names = memberNames(item.key);
      return names ? withReachability(item, names, indexes.get(names.resource)) : item;
    });
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
    const found = await store.find(member);
    if (found) return applySoftPurge(found.entry, index.entry);
  }
  return undefined;
}

function memberKeys(index: ResourceIndex, key: string): readonly string[] {
  const names = index.latest === '' ? index.projections : [index.latest, ...index.projections];
  return names.map((name) => memberKey(key, index.generation, name));
}

interface MemberNames {
  readonly resource: string;
  readonly generation: string;
  readonly name: string;
}

function withReachability(
  item: ListedEntry,
  { generation, name }: MemberNames,
  index: ResourceIndex | undefined,
): ListedEntry {
  const isVariant = name === '-' || /^[\w-]{22}$/.test(name);
  if (index?.generation !== generation || !(isVariant || index.projections.includes(name)))
    return { ...item, isUnreachable: true };
  return { ...item, ...softPurge(item, index) };
}

/** The mark of a member under its index. */
function softPurge(item: ListedEntry, index: ResourceIndex): Pick<ListedEntry, 'softPurgeMark'> {
  const { softPurgeMark } = applySoftPurge({ ...item, ...item.metadata, body: NO_BODY }, index.entry);
  return softPurgeMark === undefined ? {} : { softPurgeMark };
}

/** The parts of a key of `memberKey`. */
function memberNames(key: string): MemberNames | undefined {
  if (!looksLikeMember(key)) return undefined;
  const nameAt = key.lastIndexOf('|');
  const generationAt = key.lastIndexOf('|', nameAt - 1);
  return {
    resource: key.slice(0, generationAt),
    generation: key.slice(generationAt + 1, nameAt),
    name: key.slice(nameAt + 1),
  };
}
