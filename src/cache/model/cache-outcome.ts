/**
 * The result of a request, in one word. Header, metric, log line and live event are derived from it alone (`cache-status.ts`,
 * `metrics/`).
 *
 * - `HIT` fresh from the store · `HIT_STALE` stale, with a refresh in the background · `REVALIDATED` the upstream said 304
 * - `MISS` loaded · `COALESCED` answered by a load that another request started, here or on another replica
 * - `BYPASS` without the cache · `STALE_ON_ERROR` stale because the upstream failed, is slow or is paused
 * - `ERROR` a problem
 */
export const CACHE_OUTCOMES = [
  'HIT',
  'HIT_STALE',
  'REVALIDATED',
  'MISS',
  'COALESCED',
  'BYPASS',
  'STALE_ON_ERROR',
  'ERROR',
] as const;

export type CacheOutcome = (typeof CACHE_OUTCOMES)[number];

/** The source of the bytes: `l1` this process, `l2` Redis, `upstream` the API. */
export type CacheTier = 'l1' | 'l2' | 'upstream';

/** Whether the answer came from the store without a request to the upstream. */
export function isFromStore(outcome: CacheOutcome): boolean {
  return outcome === 'HIT' || outcome === 'HIT_STALE' || outcome === 'STALE_ON_ERROR';
}
