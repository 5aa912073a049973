import type { CacheEntry } from './cache-entry';
import { newEntryId } from './random-id';

/*
 * A soft purge by numbers of the store, never by a clock: the clocks of two replicas differ by seconds.
 *
 *   1. a load begins and sees the entry or the index as it is: its id, its mark
 *   2. the soft purge gives it a greater mark and a new id, and revokes the lease
 *   3. the load ends: the id is not the one of 1, so nothing is stored in its place; what it stores of a variant or a part carries the
 *      mark of 1, which is not the index's any more, and counts as soft-purged from the first moment
 */

/**
 * The entry after a soft purge, under the number that the store gave to it. Of two soft purges at once the one with the higher number may come
 * first: the mark grows all the same, for a lease is taken from a load with a lower one.
 */
export function softPurged(entry: CacheEntry, sequence: number): CacheEntry {
  return { ...entry, id: newEntryId(), softPurgeMark: Math.max(sequence, (entry.softPurgeMark ?? 0) + 1) };
}

/** A variant or a part as its index has it: a soft purge of the index is one of all that was loaded before it. */
export function applySoftPurge(entry: CacheEntry, index: CacheEntry | undefined): CacheEntry {
  if (index === undefined || (entry.indexMark ?? 0) === markOf(index)) return entry;
  return { ...entry, softPurgeMark: markOf(index) };
}

/** The mark of an entry's last soft purge, 0 for none. */
export function markOf(entry: CacheEntry | undefined): number {
  return entry?.softPurgeMark ?? 0;
}
