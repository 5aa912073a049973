import type { CacheEntry, EntryMetadata } from '../model/cache-entry';

/** Pure questions about an entry and an instant. Their one invariant: the answer depends on the arguments alone. */

// RFC 9111 §4.2: "A fresh response is one whose age has not yet exceeded its freshness lifetime."
export function isFresh(entry: CacheEntry, now: number): boolean {
  return freshForMs(entry, now) > 0;
}

/** How far the clocks of replicas may be apart. */
const CLOCK_TOLERANCE_MS = 5_000;

/**
 * Written by a clock that was ahead: another replica's, or this one's before it was set back. By this clock it would be fresh for longer than its
 * lifetime, so it counts as stale.
 */
function isOfTheFuture(entry: EntryMetadata, now: number): boolean {
  return now < entry.storedAt - CLOCK_TOLERANCE_MS;
}

// RFC 9111 §5.1: the time since the response was generated or validated; never negative, even if this clock is behind the writer's.
export function ageMs(entry: EntryMetadata, now: number): number {
  return Math.max(0, now - entry.storedAt);
}

/** The remaining freshness, negative once stale, at most 0 after a soft purge; the `ttl` of RFC 9211 §2.4. */
export function freshForMs(entry: CacheEntry, now: number): number {
  const leftMs = entry.freshUntil - now;
  return entry.softPurgeMark === undefined && !isOfTheFuture(entry, now) ? leftMs : Math.min(0, leftMs);
}

/** When a fresh entry's `Age` or `ttl`, in whole seconds, becomes another. */
export function nextSecondOf(entry: CacheEntry, now: number): number {
  const nextAge = Math.floor(ageMs(entry, now) / 1_000) + 1;
  const ttl = Math.floor(freshForMs(entry, now) / 1_000);
  return Math.min(entry.storedAt + nextAge * 1_000, entry.freshUntil - ttl * 1_000);
}

// RFC 5861 §3. A soft-purged entry is known to be wrong: it waits for its refresh.
export function mayServeWhileRevalidating(entry: CacheEntry, now: number): boolean {
  if (entry.mustRevalidate || entry.softPurgeMark !== undefined || isOfTheFuture(entry, now)) return false;
  return now < entry.freshUntil + entry.staleWhileRevalidateMs;
}

// RFC 5861 §4; RFC 9111 §4.2.4 forbids it under must-revalidate.
export function mayServeOnError(entry: CacheEntry, now: number): boolean {
  return !entry.mustRevalidate && now < entry.freshUntil + entry.staleIfErrorMs;
}

/**
 * Whether this reader refreshes the fresh entry early (XFetch, Vattani et al., VLDB 2015): the nearer the end and the slower the load, the
 * likelier, so that about one of many readers does it before the entry ends.
 *
 * @param beta 0 never; 1 the paper's optimum; larger values refresh earlier
 * @param random uniform in (0, 1]
 */
export function shouldRefreshEarly(entry: EntryMetadata, now: number, beta: number, random: number): boolean {
  return beta > 0 && now - entry.loadDurationMs * beta * Math.log(random) >= entry.freshUntil;
}

/** A lifetime shortened by a random share up to `jitter`, so that entries stored together do not end together. */
export function jittered(ttlMs: number, jitter: number, random: number): number {
  return Math.round(ttlMs * (1 - jitter * random));
}
