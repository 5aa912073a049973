import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type { HttpCacheRequest } from '../model/exchange';
import { newToken } from '../model/random-id';
import {
  alreadyContains,
  indexFor,
  indexUnderTags,
  isUnderTags,
  readIndex,
  type IndexUpdate,
  type ResourceIndex,
} from '../model/resource-index';
import type { CacheStore } from '../store/cache-store';
import { ifAvailable } from '../store/if-available';

const LEASE_MS = 1_000;
const WAIT_MS = 100;
/** Longer than the lease of a lost holder lives. */
const TRIES_BEFORE_LOAD = 15;
const TRIES_AFTER_LOAD = 5;

/** The resource of an index. */
export type IndexSubject = Pick<HttpCacheRequest, 'key' | 'upstream' | 'tags'>;

/**
 * Rewrites the index of a resource, under a lease of its own.
 *
 * Its one invariant: an index is written over the one that was read, never over another: an index of another generation has other members,
 * because the old one was purged.
 */
export class IndexWriter {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes an index findable by all tags of a load, before the load sends its request upstream.
   *
   * Variants and projections have no tags of their own; a purge by tag reaches them through the index alone. A route, a HEAD and a GET of
   * one URL may have different tags, and rules change:
   *
   *   1. a load of tags A and B begins; the index is stored under A
   *   2. its request reaches the upstream, which responds with the old state
   *   3. B is purged: no entry carries it
   *   4. the load stores its variant under the index, which still exists
   *
   * With the index under B before 2, the purge in 3 removes the index, and the variant of 4 is unreachable. A purge before the index was
   * written under B was before 2.
   *
   * @returns the index as it is now; the one that was seen, if the index is of another generation or gone (a variant stored under it is
   * unreachable); undefined if it could not be written: nothing may be stored under it
   */
  async cover(subject: Pick<IndexSubject, 'key' | 'tags'>, seen: ResourceIndex): Promise<ResourceIndex | undefined> {
    const underTags = (index: ResourceIndex): ResourceIndex =>
      isUnderTags(index, subject.tags) ? index : indexUnderTags(index, subject.tags);
    const covered = await ifAvailable(() => this.rewrite(subject, seen, underTags, TRIES_BEFORE_LOAD));
    return covered === 'replaced' ? seen : covered;
  }

  /**
   * Adds a variant of its generation to the index. The current index is read again: it may have been rewritten since the load began, for
   * another variant or by a soft purge, whose mark stays.
   */
  async add(subject: IndexSubject, seen: ResourceIndex, update: IndexUpdate): Promise<boolean> {
    const { upstream, tags } = subject;
    const withUpdate = (index: ResourceIndex): ResourceIndex =>
      alreadyContains(index, update) ? index : indexFor(index, update, { upstream, tags, now: this.clock.now() });
    const added = await ifAvailable(() => this.rewrite(subject, seen, withUpdate, TRIES_AFTER_LOAD));
    return typeof added === 'object';
  }

  /** Replaces the index that was seen before the load, if it is still there; otherwise an invalidation came between. */
  async replace({ key, tags }: IndexSubject, seen: ResourceIndex, by: ResourceIndex): Promise<boolean> {
    return (await ifAvailable(() => this.write(key, tags, seen.entry.id, by.entry))) === 'stored';
  }

  /** @returns the index as it is now; `replaced`: it is gone, or of another generation; undefined: it could not be written in time */
  private async rewrite(
    { key, tags }: Pick<IndexSubject, 'key' | 'tags'>,
    seen: ResourceIndex,
    change: (index: ResourceIndex) => ResourceIndex,
    tries: number,
  ): Promise<ResourceIndex | 'replaced' | undefined> {
    let index = seen;
    for (let left = tries; left > 0; left--) {
      const next = change(index);
      if (next === index) return index;
      const result = await this.write(key, tags, index.entry.id, next.entry);
      if (result === 'stored') return next;
      if (result === 'held') await this.store.change(key, WAIT_MS);
      const found = await this.store.find(key);
      const there = found && readIndex(found.entry);
      if (there?.generation !== seen.generation) return 'replaced';
      index = there;
    }
    return undefined;
  }

  private async write(
    key: string,
    tags: readonly string[],
    seenId: string,
    entry: CacheEntry,
  ): Promise<'stored' | 'held' | 'refused'> {
    const answer = await this.store.acquire({ key, token: newToken(), tags, seenId, leaseMs: LEASE_MS });
    if (answer.kind === 'held') return 'held';
    return answer.kind === 'granted' && (await this.store.fill(answer.lease, entry)) ? 'stored' : 'refused';
  }
}
