/**
 * What became of a request, in one word. Header, metric, log line and live event are derived from it (`cache-headers.ts`,
 * `metrics/`), and nothing else.
 *
 * - `HIT` fresh from the store · `HIT_STALE` stale, one refresh running behind · `REVALIDATED` the upstream said 304
 * - `MISS` loaded · `COALESCED` answered by a load that another request started, here or on another replica
 * - `BYPASS` the cache was not asked · `STALE_ON_ERROR` stale because the upstream failed, is slow or is paused
 * - `ERROR` no answer but a problem
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

/** Where the bytes came from: `l1` this process, `l2` Redis, `upstream` the API. */
export type CacheTier = 'l1' | 'l2' | 'upstream';

/** Whether the answer came out of the store without the upstream having its say. */
export function isFromStore(outcome: CacheOutcome): boolean {
  return outcome === 'HIT' || outcome === 'HIT_STALE' || outcome === 'STALE_ON_ERROR';
}
