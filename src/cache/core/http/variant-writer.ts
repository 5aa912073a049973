import { AppError } from '../../../kernel/app-error';
import type { Clock } from '../../../kernel/clock';
import { endOfLife, type CacheEntry, type HeaderList } from '../cache-entry';
import type { CacheStore, Lease } from '../cache-store';
import { coverIndex } from '../cover-index';
import { ifAvailable } from '../if-available';
import { newToken } from '../random-id';
import {
  alreadyContains,
  indexFor,
  isUnderTags,
  memberKey,
  readIndex,
  type IndexUpdate,
  type ResourceIndex,
} from '../resource-index';
import { markOf } from '../soft-purge';
import type { HttpCacheRequest, OriginResponse } from './exchange';
import { verdictOf } from './exchange-policy';
import { isWholeCoding } from './coded-body';
import { valueOf } from './fields';
import { httpEntry, validatedEntry, type EntryOptions } from './http-entries';
import type { ResponsePolicy } from './response-policy';
import { EVERY_FIELD, joinedNames, selectionKey, varyNames } from './selection';
import type { SharedBody } from './shared-body';
import type { Seen } from './variants';

export interface VariantWriterOptions extends EntryOptions {
  /** Request fields that every response is selected by, whatever its `Vary` says, in lower case. */
  readonly selecting: readonly string[];
}

/** A response that may be stored, as it comes. */
export interface Arriving {
  readonly response: OriginResponse;
  readonly policy: ResponsePolicy;
  readonly body: SharedBody;
  /** The fields that select it; undefined where no request selects it again. */
  readonly names: readonly string[] | undefined;
}

/** A stored response that the upstream was asked about, and the soft-purge mark of its index when the load began. */
export interface Validated {
  readonly entry: CacheEntry;
  readonly indexMark: number;
}

const INDEX_LEASE_MS = 1_000;
const INDEX_TRIES = 5;
const INDEX_WAIT_MS = 100;

/**
 * Puts responses where requests find them: each as a variant, behind the index of its URL.
 *
 * Its one invariant: nothing is stored but under a lease, or in the place of an index that is still the one seen before the
 * load. A store that fails takes nothing from the answer.
 */
export class VariantWriter {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly options: VariantWriterOptions,
  ) {}

  /** The fields that select the response among others: those it names, and those that may have changed it unnamed. */
  selectingNames(headers: HeaderList): readonly string[] | undefined {
    const names = varyNames(headers);
    return names && joinedNames(names, this.options.selecting);
  }

  /**
   * Has purges by any of the request's tags find what the load stores, before it asks the upstream.
   *
   * @returns what was seen, with its index as it is then; undefined where nothing may be stored
   */
  async cover({ key, tags }: HttpCacheRequest, seen: Seen): Promise<Seen | undefined> {
    const { index } = seen;
    if (!index || isUnderTags(index, tags)) return seen;
    const covered = await ifAvailable(() => coverIndex(this.store, key, index, tags));
    return covered && { ...seen, index: covered };
  }

  /** Stores a whole response: the variant, and the index that finds it. Rejects where the body breaks off. */
  async keep(lease: Lease, request: HttpCacheRequest, seen: Seen, arriving: Arriving): Promise<boolean> {
    const { response, policy, body, names } = arriving;
    const bytes = await body.whole().catch((cause: unknown) => {
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000, cause });
    });
    if (bytes === undefined || names === undefined) return this.removeReplaced(lease, seen);
    // Cut inside complete framing: it goes on as it came, and takes the place of nothing.
    const isCoded = valueOf(response.headers, 'content-encoding') !== undefined;
    if (isCoded && !(await isWholeCoding(bytes, response.headers))) return this.giveBack(lease);
    const now = this.clock.now();
    const { upstream, key, tags, headers } = request;
    const entry = await httpEntry(response, bytes, policy, upstream, this.optionsUnder(markOf(seen.index?.entry)));
    const endsAt = endOfLife(entry);
    if (endsAt <= now) return this.removeReplaced(lease, seen);
    const update = { names, endsAt, isWithdrawn: verdictOf(response) === 'resource-withdrawn' };
    const variant = selectionKey(names, headers);
    // What was seen, and leased, may be a variant by other fields than those that this response names.
    const isInPlace = seen.index && memberKey(key, seen.index.generation, variant) === lease.key;
    if (seen.index && isInPlace && alreadyContains(seen.index, update))
      return (await ifAvailable(() => this.store.fill(lease, entry))) === true;
    const index = indexFor(seen.index, { ...update, variant }, { upstream, tags, now });
    const place = memberKey(key, index.generation, variant);
    if (!seen.index) {
      const linked = { key: place, entry };
      const isFirst = await ifAvailable(() => this.store.fill(lease, index.entry, linked));
      return isFirst === true || this.joinIndex(lease, request, entry, { ...update, variant });
    }
    if (place === lease.key) await ifAvailable(() => this.store.fill(lease, entry));
    else await Promise.all([ifAvailable(() => this.store.put(place, entry)), this.giveBack(lease)]);
    return this.addToIndex(request, seen.index, { ...update, variant });
  }

  /** What is stored once the upstream has said that it still holds (RFC 9111 §4.3.4), and whether it is. */
  async freshen(
    lease: Lease,
    base: Validated,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    const entry = validatedEntry(base.entry, response, policy, this.optionsUnder(base.indexMark));
    return { entry, stored: (await ifAvailable(() => this.store.freshen(lease, entry))) === true };
  }

  /** A HEAD tells whether the stored GET still holds (RFC 9111 §4.3.5): if so it is freshened, else it is not used again. */
  async heedHead(
    tags: readonly string[],
    { entry, key, indexMark }: { readonly entry: CacheEntry; readonly key: string; readonly indexMark: number },
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<void> {
    if (response.status !== 200) return;
    const differs = (['etag', 'last-modified', 'content-length'] as const).some((name) => {
      const told = valueOf(response.headers, name);
      return told !== undefined && told !== valueOf(entry.headers, name);
    });
    await ifAvailable(async () => {
      if (differs) {
        await this.store.invalidate({ kind: 'key', key }, 'purge');
        return;
      }
      const asking = { key, token: newToken(), tags, seenId: entry.id, leaseMs: INDEX_LEASE_MS, indexMark };
      const answer = await this.store.acquire(asking);
      if (answer.kind === 'granted') await this.freshen(answer.lease, { entry, indexMark }, response, policy);
    });
  }

  /**
   * What is stored once the upstream has said that it still holds, but that it may not be stored any more, or that other fields
   * select it: nothing. The answer is for the request that asked.
   */
  async discard(
    lease: Lease,
    base: Validated,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    await this.removeVariant(lease.key);
    return this.leave(lease, base, response, policy);
  }

  /** What was validated, and is not written. */
  async leave(
    lease: Lease,
    base: Validated,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    await this.giveBack(lease);
    const entry = validatedEntry(base.entry, response, policy, this.optionsUnder(base.indexMark));
    return { entry, stored: false };
  }

  /** Whether a 304 leaves the fields by which the stored response is selected as they are, or names fewer. */
  selectsAsBefore(base: CacheEntry, { headers }: OriginResponse): boolean {
    const known = this.selectingNames(base.headers);
    if (known === undefined || known.includes(EVERY_FIELD)) return true;
    return (varyNames(headers) ?? []).every((name) => known.includes(name));
  }

  /** Removes what is stored under a variant's key: neither `max-stale` nor a later failure brings it back. */
  async removeVariant(key: string): Promise<void> {
    await ifAvailable(() => this.store.invalidate({ kind: 'key', key }, 'purge'));
  }

  /** For a response that came in the place of a stored one and cannot be stored itself. */
  async removeReplaced(lease: Lease, { entry }: Seen): Promise<false> {
    if (entry) await this.removeVariant(lease.key);
    return this.giveBack(lease);
  }

  /**
   * Removes all variants and parts of a resource that is not there any more for this caller. Where all of them say so already they
   * stay, or the variants of a missing resource would remove each other for ever. What one of them says tells nothing of the others:
   * the index knows whether there is any that says something else.
   *
   * @param mayStore whether the answer that says so is stored next
   * @returns the index to store it under; undefined where nothing is to be stored
   */
  async withdraw(
    { key, tags, upstream }: HttpCacheRequest,
    { index }: Pick<Seen, 'index'>,
    mayStore: boolean,
  ): Promise<ResourceIndex | undefined> {
    if (!index || index.isWithdrawn) return index;
    if (mayStore) {
      // In the place of the index that was seen, so that an invalidation meanwhile is noticed.
      const now = this.clock.now();
      const nothing = { isWithdrawn: true, endsAt: index.entry.freshUntil };
      const empty = indexFor(undefined, nothing, { upstream, tags, now });
      if (await this.replaceIndex(key, tags, index.entry.id, empty.entry)) return empty;
    }
    await ifAvailable(() => this.store.invalidate({ kind: 'key', key }, 'purge'));
    return undefined;
  }

  private optionsUnder(indexMark: number): EntryOptions & { readonly indexMark: number } {
    const { keepMs, keepsEveryField } = this.options;
    return { keepMs, keepsEveryField, indexMark };
  }

  /** Replaces the index that was seen before the load, if it is still there: else an invalidation came between. */
  private async replaceIndex(
    key: string,
    tags: readonly string[],
    seenId: string,
    index: CacheEntry,
  ): Promise<boolean> {
    const token = newToken();
    const stored = await ifAvailable(async () => {
      const answer = await this.store.acquire({ key, token, tags, seenId, leaseMs: INDEX_LEASE_MS });
      return answer.kind === 'granted' && (await this.store.fill(answer.lease, index));
    });
    return stored === true;
  }

  async giveBack(lease: Lease): Promise<false> {
    await ifAvailable(() => this.store.release(lease));
    return false;
  }

  /**
   * Stores beside what the load of another selection has stored first. That index may be of after an invalidation that this load has missed, and
   * of other tags: so the lease is looked at once a purge by any tag of this load finds the index.
   */
  private async joinIndex(
    lease: Lease,
    request: HttpCacheRequest,
    entry: CacheEntry,
    update: IndexUpdate & { readonly variant: string },
  ): Promise<boolean> {
    const joined = await ifAvailable(async () => {
      const found = await this.store.find(request.key);
      const there = found && readIndex(found.entry);
      const index = there && (await coverIndex(this.store, request.key, there, request.tags));
      if (!index || !(await this.store.isStanding(lease))) return undefined;
      await this.store.put(memberKey(request.key, index.generation, update.variant), entry);
      return index;
    });
    await this.giveBack(lease);
    return joined !== undefined && this.addToIndex(request, joined, update);
  }

  /**
   * Has the index lead to a variant of its generation. It is written over as it is now: it may have been rewritten since the load began, for
   * another variant or by a soft purge, whose mark stays. An index of another generation leads elsewhere: the old one was purged.
   */
  private async addToIndex(
    { key, tags, upstream }: HttpCacheRequest,
    seen: ResourceIndex,
    update: IndexUpdate,
  ): Promise<boolean> {
    let index: ResourceIndex | undefined = seen;
    const stored = await ifAvailable(async () => {
      for (let tries = 0; tries < INDEX_TRIES && index?.generation === seen.generation; tries++) {
        if (alreadyContains(index, update)) return true;
        const next = indexFor(index, update, { upstream, tags, now: this.clock.now() });
        const asking = { key, token: newToken(), tags, seenId: index.entry.id, leaseMs: INDEX_LEASE_MS };
        const answer = await this.store.acquire(asking);
        if (answer.kind === 'granted' && (await this.store.fill(answer.lease, next.entry))) return true;
        if (answer.kind === 'held') await this.store.change(key, INDEX_WAIT_MS);
        const found = await this.store.find(key);
        index = found && readIndex(found.entry);
      }
      return false;
    });
    return stored === true;
  }
}
