import type { Clock } from '../../kernel/clock';
import { endOfLife, type CacheEntry, type HeaderList } from '../model/cache-entry';
import type { CacheStore, Lease } from '../store/cache-store';
import type { IndexSubject, IndexWriter } from './index-writer';
import { ifAvailable } from '../store/if-available';
import {
  alreadyContains,
  indexFor,
  memberKey,
  readIndex,
  type IndexUpdate,
  type ResourceIndex,
} from '../model/resource-index';
import { markOf } from '../model/soft-purge';
import { tagOfUpstream } from '../model/cache-key';
import type { HttpCacheRequest, OriginResponse } from '../model/exchange';
import { verdictOf } from '../law/exchange-policy';
import type { HttpCacheOptions } from './http-cache.options';
import { compressed, httpEntry } from './http-entries';
import type { ResponsePolicy } from '../law/response-policy';
import { joinedNames, selectionKey, varyNames } from '../law/selection';
import type { Seen } from './variants';

/** The facts about a response once its head has arrived. */
export interface Arrived {
  readonly response: Omit<OriginResponse, 'body'>;
  readonly policy: ResponsePolicy;
  /** The fields that select it; undefined if no request selects it again. */
  readonly names: readonly string[] | undefined;
}

/**
 * Stores responses where requests find them: each as a variant, under the index of its URL.
 *
 * Its one invariant: nothing is stored except under a lease, or over an index that is unchanged since before the load. A failing store
 * does not affect the answer.
 */
export class VariantWriter {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly indexes: IndexWriter,
    private readonly options: HttpCacheOptions,
  ) {}

  /** The fields that select the response: those it names, and fields that may have changed it unnamed. */
  selectingNames(headers: HeaderList, projection?: string): readonly string[] | undefined {
    const names = varyNames(headers);
    // A projection is found by its name alone: one that request fields select is for its own request.
    if (names === undefined || (projection !== undefined && names.length > 0)) return undefined;
    return joinedNames(names, this.options.selecting);
  }

  /**
   * Ensures that purges by any of the request's tags find the load's response, before its request goes upstream.
   *
   * @returns the state that was seen, with its current index; undefined if nothing may be stored
   */
  async cover(request: HttpCacheRequest, seen: Seen): Promise<Seen | undefined> {
    if (!seen.index) return seen;
    const index = await this.indexes.cover(request, seen.index);
    return index && { ...seen, index };
  }

  /** The entry of a whole response, unmodified, for the waiting requests. */
  entryOf(request: HttpCacheRequest, { index }: Pick<Seen, 'index'>, arrived: Arrived, body: Buffer): CacheEntry {
    const { response, policy } = arrived;
    return httpEntry(response, body, policy, subjectOf(request, response), {
      ...this.options,
      indexMark: markOf(index?.entry),
    });
  }

  /** The entry in the form in which it is stored, if it may be. */
  async compressed(entry: CacheEntry): Promise<CacheEntry> {
    return endOfLife(entry) <= this.clock.now() ? entry : compressed(entry);
  }

  /** Stores a whole response: the variant or projection, and its index; or the entry alone if no field selects it. */
  async storeVariant(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    { response, names }: Arrived,
    entry: CacheEntry,
  ): Promise<boolean> {
    const now = this.clock.now();
    const endsAt = endOfLife(entry);
    if (names === undefined || endsAt <= now) return this.removeReplaced(lease, seen);
    const { upstream, key, headers, projection } = request;
    if (projection === undefined && names.length === 0 && !seen.index && lease.key === key)
      return (await ifAvailable(() => this.store.fill(lease, entry))) === true;
    // Tags of the request are the index's: removing the index removes the member. Tags that only this response has are its own.
    const own = (response.tags ?? []).filter((tag) => !request.tags.includes(tag));
    const member = { ...entry, tags: own };
    const tags = seen.index ? entry.tags.filter((tag) => !own.includes(tag)) : entry.tags;
    const isWithdrawn = projection === undefined && verdictOf(response, this.options) === 'resource-withdrawn';
    const variant = selectionKey(names, headers);
    const update = projection === undefined ? { names, variant, endsAt, isWithdrawn } : { projection, endsAt };
    const name = projection ?? variant;
    const subject = { key, upstream, tags, name };
    // The entry that was seen, and leased, may be a variant by other fields than this response names.
    const isInPlace = seen.index && memberKey(key, seen.index.generation, name) === lease.key;
    if (seen.index && isInPlace && alreadyContains(seen.index, update))
      return (await ifAvailable(() => this.store.fill(lease, member))) === true;
    const index = indexFor(seen.index, update, { upstream, tags, now });
    const place = memberKey(key, index.generation, name);
    if (!seen.index) {
      const linked = { key: place, entry: { ...member, tags: [] } };
      const isFirst = await ifAvailable(() => this.store.fill(lease, index.entry, { linked }));
      const ofRequest = entry.tags.filter((tag) => !own.includes(tag));
      return isFirst === true || this.joinIndex(lease, { ...subject, tags: ofRequest }, member, update);
    }
    if (place === lease.key) {
      await ifAvailable(() => this.store.fill(lease, member));
      return this.indexes.add(subject, seen.index, update);
    }
    const isPut = await ifAvailable(() => this.putMember(lease, place, member));
    const isFound = isPut === true && (await this.indexes.add(subject, seen.index, update));
    await this.giveBack(lease); // once the index names it: requests that wait for the lease look there next
    return isFound;
  }

  /** Removes the entry under a variant's key: neither `max-stale` nor a later failure brings it back. */
  async removeVariant(key: string): Promise<void> {
    await ifAvailable(() => this.store.invalidate({ kind: 'key', key }, 'purge'));
  }

  /** For a response that replaces a stored one and cannot be stored itself. */
  async removeReplaced(lease: Lease, { entry }: Seen): Promise<false> {
    if (entry) await this.removeVariant(lease.key);
    return this.giveBack(lease);
  }

  /**
   * Removes all members of a resource that does not exist any more for this caller. If all of them say so already they stay, or the
   * variants of a missing resource would remove each other for ever. One variant says nothing about the others: the index knows whether
   * any of them says otherwise.
   *
   * @param mayStore whether the answer that says so is stored next
   * @returns the index to store it under; undefined where nothing is to be stored
   */
  async withdraw(
    request: HttpCacheRequest,
    { index }: Pick<Seen, 'index'>,
    mayStore: boolean,
  ): Promise<ResourceIndex | undefined> {
    if (!index || index.isWithdrawn) return index;
    if (mayStore) {
      const { upstream, tags } = request;
      const nothing = { isWithdrawn: true, endsAt: index.entry.freshUntil };
      const empty = indexFor(undefined, nothing, { upstream, tags, now: this.clock.now() });
      if (await this.indexes.replace(request, index, empty)) return empty;
    }
    await this.removeVariant(request.key);
    return undefined;
  }

  async giveBack(lease: Lease): Promise<false> {
    await ifAvailable(() => this.store.release(lease));
    return false;
  }

  /**
   * Joins the index that the load of another selection has stored first. That index may have been written after an invalidation that this
   * load has missed, and with other tags: so the lease is checked once a purge by any tag of this load finds the index.
   */
  private async joinIndex(
    lease: Lease,
    subject: IndexSubject & { readonly name: string },
    entry: CacheEntry,
    update: IndexUpdate,
  ): Promise<boolean> {
    const { key, tags, name } = subject;
    const joined = await ifAvailable(async () => {
      const found = await this.store.find(key);
      const there = found && readIndex(found.entry);
      const index = there && (await this.indexes.cover({ key, tags }, there));
      if (!index || !(await this.store.isStanding(lease))) return undefined;
      return (await this.putMember(lease, memberKey(key, index.generation, name), entry)) ? index : undefined;
    });
    const isFound = joined !== undefined && (await this.indexes.add(subject, joined, update));
    await this.giveBack(lease); // once the index names it: requests that wait for the lease look there next
    return isFound;
  }

  /**
   * Stores a member without the lease of its key.
   *
   * Tags that only the response has are on no index, so that a purge by one of them meets the member itself, or does not:
   *
   *   1. the load ends, with such a tag
   *   2. the tag is purged: nothing is stored under it yet
   *   3. the member is stored
   *   4. the lease is checked for the tag: it was purged since the load began, and the member is removed again
   */
  private async putMember(lease: Lease, key: string, member: CacheEntry): Promise<boolean> {
    await this.store.put(key, member);
    if (member.tags.length === 0) return true;
    if (await this.store.isStanding({ ...lease, tags: [...lease.tags, ...member.tags] })) return true;
    await this.store.invalidate({ kind: 'key', key }, 'purge');
    return false;
  }
}

function subjectOf({ upstream, tags, hitFlagName }: HttpCacheRequest, response: Arrived['response']) {
  return {
    upstream,
    hitFlagName,
    tags: [...new Set([tagOfUpstream(upstream), ...tags, ...(response.tags ?? [])])],
  };
}
