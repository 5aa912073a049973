import type { CacheEntry } from '../model/cache-entry';
import { ageMs, freshForMs, mayServeOnError, mayServeWhileRevalidating } from './freshness';
import type { RequestPolicy } from './request-policy';

/** How a stored response may be used for a request (RFC 9111 §4). */
export type Reuse =
  | 'fresh'
  /** Stale, and the client accepts that (`max-stale`). */
  | 'stale-allowed'
  /** Stale, served at once with a validation in the background (RFC 5861 §3). */
  | 'stale-while-revalidate'
  /** Only after the upstream has validated it. */
  | 'validate';

export function reuseOf(entry: CacheEntry, request: RequestPolicy, now: number): Reuse {
  if (request.isNoCache) return 'validate';
  // §5.2.1.1
  if (request.maxAgeMs !== undefined && ageMs(entry, now) > request.maxAgeMs && request.maxStaleMs === undefined)
    return 'validate';
  const freshMs = freshForMs(entry, now);
  // §5.2.1.3
  if (freshMs > 0 && freshMs >= (request.minFreshMs ?? 0)) return 'fresh';
  if (request.minFreshMs !== undefined) return 'validate';
  // §5.2.1.2, and §4.2.4: not against must-revalidate and similar directives
  const isAllowed = !entry.mustRevalidate && entry.softPurgeMark === undefined;
  if (isAllowed && request.maxStaleMs !== undefined && -freshMs <= request.maxStaleMs) return 'stale-allowed';
  // §5.2.1.1: "unless the max-stale request directive is also present, the client does not wish to receive a stale response".
  const takesStale = request.maxAgeMs === undefined || request.maxStaleMs !== undefined;
  if (takesStale && mayServeWhileRevalidating(entry, now)) return 'stale-while-revalidate';
  return 'validate';
}

/**
 * Whether it may stand in for an upstream that fails (RFC 5861 §4), by the response's word, the operator's or the request's.
 *
 * @param heedsDirectives whether a request that asks for a validated response gets a stale one only if it says `stale-if-error`, too
 */
export function mayServeStaleIfError(
  entry: CacheEntry,
  request: RequestPolicy,
  now: number,
  heedsDirectives: boolean,
): boolean {
  if (entry.status >= 500) return false;
  if (mayServeOnError(entry, now) && !(heedsDirectives && demandsValidation(entry, request, now))) return true;
  return (
    !entry.mustRevalidate && request.staleIfErrorMs !== undefined && -freshForMs(entry, now) <= request.staleIfErrorMs
  );
}

/** §4.2.4: a stale response may be sent while the cache "is disconnected", unless a directive of the response or the request forbids it. */
export function mayServeStaleIfDisconnected(entry: CacheEntry, request: RequestPolicy, now: number): boolean {
  return !entry.mustRevalidate && entry.softPurgeMark === undefined && !demandsValidation(entry, request, now);
}

/** §5.2.1.1, §5.2.1.4: the client is "unwilling to accept a response" that is older, or that is used "without successful validation". */
function demandsValidation(entry: CacheEntry, request: RequestPolicy, now: number): boolean {
  if (request.isNoCache || request.isMustRevalidate) return true;
  return request.maxAgeMs !== undefined && request.maxStaleMs === undefined && ageMs(entry, now) > request.maxAgeMs;
}
