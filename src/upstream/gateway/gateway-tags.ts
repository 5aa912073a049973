import { tagOfUpstream } from '../../cache';
import { CACHEABLE } from './header-rules';
import { ANONYMOUS, type Partition } from './partition';
import { withoutEmptySegments } from './request-target';

/** The tag of everything stored for one caller; none for the anonymous callers, who have no writes. */
export function callerTags({ id }: Pick<Partition, 'id'>): readonly string[] {
  return id === ANONYMOUS ? [] : [callerTag(id)];
}

export function callerTag(id: string): string {
  return `caller:${id}`;
}

/** A tag of a definition as it is stored; `*` is everything of the upstream. */
export function storedTag(
  { name, tagPrefix = `${name}:` }: { readonly name: string; readonly tagPrefix?: string },
  tag: string,
): string {
  return tag === '*' ? tagOfUpstream(name) : tagPrefix + tag;
}

/** The tag of every response of a path, for any query and every caller. */
export function pathTag(upstream: string, path: string): string {
  return `path:${upstream}:${withoutEmptySegments(path)}`;
}

/** Why the cache has no part in a request, where it has none (RFC 9211 §2.2). */
export function notCached(method: string): 'bypass' | 'method' {
  return CACHEABLE.has(method) ? 'bypass' : 'method';
}
