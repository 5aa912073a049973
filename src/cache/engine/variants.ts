import type { CacheEntry } from '../model/cache-entry';
import type { CacheTier } from '../model/cache-outcome';
import { newToken } from '../model/random-id';
import type { CacheStore, Found, FoundOrLease, LeaseAnswer, LeaseRequest } from '../store/cache-store';
import { IndexMemory } from './index-memory';
import { looksLikeIndex, memberKey, readIndex, type ResourceIndex } from '../model/resource-index';
import { applySoftPurge, markOf } from '../model/soft-purge';
import type { HttpCacheRequest, Origin } from '../model/exchange';
import type { RequestPolicy } from '../law/request-policy';
import { joinedNames, selectionKey } from '../law/selection';

export interface Seen {
  readonly index: ResourceIndex | undefined;
  /** The stored response that the request selects. */
  readonly entry: CacheEntry | undefined;
  readonly tier: CacheTier;
  /** The key of that response, or the key under which it would be stored as far as the index determines it. */
  readonly variantKey: string | undefined;
  /** The possible keys of the selected response: one for each list of the index. */
  readonly variantKeys: readonly string[];
  /** The entry under the resource's own key, if it is neither an index nor a response that the request selects. */
  readonly occupant?: CacheEntry | undefined;
  /** For a miss, if the caller loads on one: the store's first answer about the lease of its load. The caller uses it or releases it. */
  readonly lease?: LeaseAnswer | undefined;
}

/** A request, and what is stored for it. */
export interface Lookup {
  readonly request: HttpCacheRequest;
  /** Its cache directives. */
  readonly directives: RequestPolicy;
  readonly seen: Seen;
  readonly origin: Origin;
}

/** The parts of a request that select a stored response. */
export type Selecting = Pick<HttpCacheRequest, 'key' | 'headers' | 'projection' | 'tags'>;

/** What distinguishes the lease of a load under its key. */
type Asking = Pick<LeaseRequest, 'selection' | 'indexMark' | 'firstLoad'>;
type Lists = ResourceIndex['lists'];

const NOTHING: Seen = {
  index: undefined,
  entry: undefined,
  tier: 'upstream',
  variantKey: undefined,
  variantKeys: [],
};

/**
 * Finds the stored response that a request selects (RFC 9111 §4.1): through the index of its URL the latest of the variants, or a
 * projection; or under the key itself, where no request field selects the response.
 *
 * Its one invariant: a response stored without a field that selects here is not found, even if another replica, or an earlier process with
 * other settings, has stored it.
 */
export class VariantFinder {
  private readonly seenLast = new IndexMemory();
  /** The lists of an index with the names that select here in each, computed once per index. */
  private readonly completed = new WeakMap<Lists, Lists>();

  /** @param selecting request fields that select every response, regardless of its `Vary`, in lower case */
  constructor(
    private readonly store: CacheStore,
    private readonly selecting: readonly string[],
  ) {}

  /** The selection of a load while nothing is stored for its URL; undefined where the URL alone selects. */
  selectionOf(request: Selecting): string | undefined {
    if (request.projection !== undefined) return request.projection;
    return this.selecting.length === 0 ? undefined : selectionKey(this.selecting, request.headers);
  }

  /** The lease under which the response may be on its way, though the index of its URL does not name it yet. */
  firstLoadOf(request: Selecting): LeaseRequest['firstLoad'] {
    const selection = this.selectionOf(request);
    return selection === undefined ? undefined : { key: request.key, selection };
  }

  /**
   * If neither index nor variant is in memory, both are read in one round trip, provided the index has not changed since it was last seen.
   *
   * @param leaseMs given by callers that load on a miss
   */
  async find(request: Selecting, now: number, leaseMs: number | undefined): Promise<Seen> {
    const { key } = request;
    const { found, lease, prefetched } = await this.seenLast.find(
      this.store,
      key,
      () => this.look(request, key, leaseMs, leaseMs === undefined ? {} : { selection: this.selectionOf(request) }),
      (index) => this.keysOf(index, request),
    );
    const index = found && readIndex(found.entry);
    if (!found) return lease ? { ...NOTHING, lease } : NOTHING;
    if (!index || now >= found.entry.freshUntil) return this.withoutIndex(found, request);
    const keys = this.keysOf(index, request);
    const asking = { indexMark: markOf(index.entry), firstLoad: this.firstLoadOf(request) };
    const answers = await Promise.all(
      keys.map(async (one): Promise<FoundOrLease> => {
        const there = this.store.peek(one) ?? (await prefetched.get(one));
        // With several keys it is not known yet which one a load will store.
        return there ? { found: there } : this.look(request, one, keys.length === 1 ? leaseMs : undefined, asking);
      }),
    );
    const members = answers.map((answer) => answer.found);
    const seen = latest(members, keys, index, request);
    const [first] = answers;
    return first && !first.found && first.lease ? { ...seen, lease: first.lease } : seen;
  }

  /** The same from this process's memory alone; undefined where memory cannot decide. */
  peek(request: Selecting, now: number): Seen | undefined {
    const found = this.store.peek(request.key, now);
    if (!found) return undefined;
    const index = readIndex(found.entry);
    if (!index) return this.withoutIndex(found, request);
    if (now >= found.entry.freshUntil) return undefined;
    const keys = this.keysOf(index, request);
    const members = keys.map((one) => this.store.peek(one, now));
    return members.includes(undefined) ? undefined : latest(members, keys, index, request);
  }

  private async look(
    { tags }: Selecting,
    key: string,
    leaseMs: number | undefined,
    asking: Asking,
  ): Promise<FoundOrLease> {
    if (leaseMs !== undefined)
      return this.store.findOrAcquire({ key, token: newToken(), tags, seenId: '', leaseMs, ...asking });
    const found = await this.store.find(key);
    return found ? { found } : {};
  }

  /** A response that only its URL selects is stored under the key of the URL. */
  private withoutIndex(found: Found | undefined, { key, projection }: Selecting): Seen {
    if (!found) return NOTHING;
    const { entry, tier } = found;
    const isSelected = projection === undefined && this.selecting.length === 0 && !looksLikeIndex(entry);
    return isSelected
      ? { index: undefined, entry, tier, variantKey: key, variantKeys: [key] }
      : { ...NOTHING, occupant: entry };
  }

  private keysOf(
    { lists, generation }: Pick<ResourceIndex, 'lists' | 'generation'>,
    request: Selecting,
  ): readonly string[] {
    const { key, projection } = request;
    if (projection !== undefined) return [memberKey(key, generation, projection)];
    return this.complete(lists).map((names) => memberKey(key, generation, selectionKey(names, request.headers)));
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

/** The latest of the members of an index that a request selects. */
function latest(
  members: readonly (Found | undefined)[],
  keys: readonly string[],
  index: ResourceIndex,
  { projection }: Selecting,
): Seen {
  let at = -1;
  members.forEach((member, place) => {
    if (member && (at < 0 || member.entry.storedAt > (members[at]?.entry.storedAt ?? 0))) at = place;
  });
  const chosen = members[at];
  const variantKey = keys[Math.max(0, at)];
  if (!chosen) return { index, entry: undefined, tier: 'upstream', variantKey, variantKeys: keys };
  // Derived from a response older than the latest stored one: must be derived again.
  const isOutdated = projection !== undefined && !index.projections.includes(projection);
  const entry = isOutdated ? { ...chosen.entry, softPurgeMark: markOf(index.entry) } : chosen.entry;
  return { index, entry: applySoftPurge(entry, index.entry), tier: chosen.tier, variantKey, variantKeys: keys };
}
