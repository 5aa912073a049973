import { isHashed, prefixOfUpstream, READABLE_OF_HASHED, upstreamOfTag } from './cache-key';
import type { InvalidationTarget, InvalidationTargets } from './cache-store';

/*
 * What an invalidation covers: one answer for entries in memory, loads under way, and keys in Redis.
 *
 * Its one invariant: where it cannot be told, it is covered. Too much removed costs a load; too little is a wrong answer.
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

/** Whether the key is one of the upstream that the tag names. What is found through an index carries no tags of its own. */
export function isOfUpstream(tag: string, key: string): boolean {
  const upstream = upstreamOfTag(tag);
  return upstream !== undefined && key.startsWith(prefixOfUpstream(upstream));
}

/**
 * Whether the key begins so, or may: of a hashed key only the beginning is known. A prefix of what is found through a resource
 * (`resource-index.ts`) covers the resource: loads of which nothing is stored yet are under its key.
 */
export function hasPrefix(key: string, prefix: string): boolean {
  if (key.startsWith(prefix) || prefix.startsWith(`${key}|`)) return true;
  return prefix.length > READABLE_OF_HASHED && isHashed(key) && key.startsWith(prefix.slice(0, READABLE_OF_HASHED));
}
