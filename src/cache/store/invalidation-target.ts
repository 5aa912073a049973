import { isHashed, prefixOfUpstream, READABLE_OF_HASHED, upstreamOfTag } from '../model/cache-key';
import type { InvalidationTarget, InvalidationTargets } from './cache-store';

/**
 * Which keys and tags an invalidation covers: one answer for entries in memory, loads under way, and keys in Redis.
 *
 * Its one invariant: a key that cannot be decided is covered. Removing too much costs a load; removing too little is a wrong answer.
 */

export function targetList(targets: InvalidationTargets): readonly InvalidationTarget[] {
  return 'kind' in targets ? [targets] : targets;
}

/** Whether the target covers an entry of this key and these tags. */
export function isCovered(target: InvalidationTarget, key: string, tags: readonly string[]): boolean {
  switch (target.kind) {
    case 'key':
      return target.key === key;
    case 'tag':
      return tags.includes(target.tag) || isOfUpstream(target.tag, key);
    case 'prefix':
      return hasPrefix(key, target.prefix);
  }
}

/** Whether the key belongs to the upstream that the tag names. Variants and projections carry no tags of their own. */
export function isOfUpstream(tag: string, key: string): boolean {
  const upstream = upstreamOfTag(tag);
  return upstream !== undefined && key.startsWith(prefixOfUpstream(upstream));
}

/**
 * Whether the key begins with the prefix, or may: a hashed key keeps only its beginning. A prefix of a variant's or projection's key
 * (`resource-index.ts`) covers the resource: loads with nothing stored yet are under the resource's key.
 */
export function hasPrefix(key: string, prefix: string): boolean {
  if (key.startsWith(prefix) || prefix.startsWith(`${key}|`)) return true;
  return prefix.length > READABLE_OF_HASHED && isHashed(key) && key.startsWith(prefix.slice(0, READABLE_OF_HASHED));
}
