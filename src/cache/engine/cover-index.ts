import type { CacheStore } from '../store/cache-store';
import { newToken } from '../model/random-id';
import { indexUnderTags, isUnderTags, readIndex, type ResourceIndex } from '../model/resource-index';

const LEASE_MS = 1_000;
const WAIT_MS = 100;
/** Longer than the lease of a lost holder lives. */
const TRIES = 15;

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
export async function coverIndex(
  store: CacheStore,
  key: string,
  seen: ResourceIndex,
  tags: readonly string[],
): Promise<ResourceIndex | undefined> {
  let index = seen;
  for (let tries = 0; tries < TRIES; tries++) {
    if (isUnderTags(index, tags)) return index;
    const next = indexUnderTags(index, tags);
    const asking = { key, token: newToken(), tags, seenId: index.entry.id, leaseMs: LEASE_MS };
    const answer = await store.acquire(asking);
    if (answer.kind === 'granted' && (await store.fill(answer.lease, next.entry))) return next;
    if (answer.kind === 'held') await store.change(key, WAIT_MS);
    const found = await store.find(key);
    const there = found && readIndex(found.entry);
    if (there?.generation !== seen.generation) return seen;
    index = there;
  }
  return undefined;
}
