import { CACHEABLE } from './header-rules';
import { ANONYMOUS, type Partition } from './partition';

/** The tag of everything that is stored for one caller; none for the anonymous callers, who have no writes. */
export function callerTags({ id }: Pick<Partition, 'id'>): readonly string[] {
  return id === ANONYMOUS ? [] : [callerTag(id)];
}

export function callerTag(id: string): string {
  return `caller:${id}`;
}

/** All that is stored of a path, whatever its query and for every caller. */
export function pathTag(upstream: string, path: string): string {
  return `path:${upstream}:${path}`;
}

/** Why the cache has no part in a request, where it has none (RFC 9211 §2.2). */
export function notCached(method: string): 'bypass' | 'method' {
  return CACHEABLE.has(method) ? 'bypass' : 'method';
}
