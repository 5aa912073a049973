import type { EntryDocument } from './entry.documents';

export const SORT_FIELDS = ['key', 'age', 'ttl', 'size', 'status'] as const;
export type SortField = (typeof SORT_FIELDS)[number];

/** The filter of a list; absent members match everything. */
export interface EntryFilter {
  readonly partition?: string | undefined;
  readonly status?: number | undefined;
  readonly freshness?: 'fresh' | 'stale' | undefined;
}

/** An index is not a response, and neither fresh nor stale; its members are. */
export function matchesFilter(entry: EntryDocument, { partition, status, freshness }: EntryFilter): boolean {
  return (
    (partition === undefined || entry.partition === partition) &&
    (status === undefined || entry.status === status) &&
    (freshness === undefined || (entry.kind !== 'index' && entry.isFresh === (freshness === 'fresh')))
  );
}

/**
 * Sorted by a field; equals by key, so that the order is stable. An index has neither a size nor a freshness that a request would see:
 * sorted by these, indexes come last.
 */
export function sorted(entries: readonly EntryDocument[], field: SortField, order: 'asc' | 'desc'): EntryDocument[] {
  const sign = order === 'asc' ? 1 : -1;
  const rank = ({ kind }: EntryDocument): number => ((field === 'ttl' || field === 'size') && kind === 'index' ? 1 : 0);
  const value = (entry: EntryDocument): string | number => (rank(entry) === 1 ? '' : entry[field]);
  return [...entries].sort(
    (one, other) =>
      rank(one) - rank(other) || sign * (compare(value(one), value(other)) || compare(one.key, other.key)),
  );
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
