import type { CacheEntry } from './cache-entry';
import { newEntryId } from './random-id';

/**
 * A soft purge uses numbers of the store, never a clock: the clocks of two replicas differ by seconds.
 *
 *   1. a load begins and sees the current entry or index: its id, its mark
 *   2. the soft purge gives it a greater mark and a new id, and revokes the lease
 *   3. the load ends: the id has changed since 1, so nothing replaces the entry; a variant or projection that the load stores carries
 *      the mark of 1, which is not the index's any more, and counts as soft-purged from the first moment
 */

/**
 * The entry after a soft purge, under the number that the store assigned. For two concurrent soft purges the higher number may arrive
 * first: the mark grows in both cases, because a load with a lower mark loses its lease.
 */
export function softPurged(entry: CacheEntry, sequence: number): CacheEntry {
  return { ...entry, id: newEntryId(), softPurgeMark: Math.max(sequence, (entry.softPurgeMark ?? 0) + 1) };
}

/** Applies the index's soft purge to a variant or a projection: a soft purge of the index covers every member loaded before it. */
export function applySoftPurge(entry: CacheEntry, index: CacheEntry | undefined): CacheEntry {
  if (index === undefined || (entry.indexMark ?? 0) === markOf(index)) return entry;
  return { ...entry, softPurgeMark: markOf(index) };
}

/** The mark of an entry's last soft purge, 0 for none. */
export function markOf(entry: CacheEntry | undefined): number {
  return entry?.softPurgeMark ?? 0;
}
