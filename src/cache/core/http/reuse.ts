import type { CacheEntry } from '../cache-entry';
import { ageMs, freshForMs, mayServeOnError, mayServeWhileRevalidating } from '../freshness';
import type { RequestPolicy } from './request-policy';

/** What may be done with a stored response for a request (RFC 9111 §4). */
export type Reuse =
  | 'fresh'
  /** Stale, and the client said that it takes that (`max-stale`). */
  | 'stale-allowed'
  /** Stale, served at once while one validation runs behind (RFC 5861 §3). */
  | 'stale-while-revalidate'
  /** Only after the upstream has said that it still holds. */
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
  // §5.2.1.2, and §4.2.4: not over must-revalidate and its kin
  const isAllowed = !entry.mustRevalidate && entry.softPurgeMark === undefined;
  if (isAllowed && request.maxStaleMs !== undefined && -freshMs <= request.maxStaleMs) return 'stale-allowed';
  if (mayServeWhileRevalidating(entry, now)) return 'stale-while-revalidate';
  return 'validate';
}

/** Whether it may stand in for an upstream that fails (RFC 5861 §4), by the response's word, the operator's or the request's. */
export function mayServeStaleIfError(entry: CacheEntry, request: RequestPolicy, now: number): boolean {
  if (entry.status >= 500) return false;
  if (mayServeOnError(entry, now)) return true;
  return (
    !entry.mustRevalidate && request.staleIfErrorMs !== undefined && -freshForMs(entry, now) <= request.staleIfErrorMs
  );
}
