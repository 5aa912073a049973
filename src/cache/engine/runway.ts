import type { EntryMetadata } from '../model/cache-entry';
import { looksLikeIndex } from '../model/resource-index';

/** How long stored responses would still be served if the upstream stopped now, in milliseconds. */
export interface Runway {
  readonly p50: number;
  readonly least: number;
}

/** RFC 5861 §4: a stale response may be served instead of an error, unless it requires validation first (RFC 9111 §5.2.2.2). */
export function servedUntil(entry: EntryMetadata): number {
  return entry.freshUntil + (entry.mustRevalidate ? 0 : Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs));
}

/** For the responses among the entries; undefined if none of them may still be served. */
export function runwayOf(entries: readonly EntryMetadata[], now: number): Runway | undefined {
  const left = entries
    .filter((entry) => !looksLikeIndex(entry))
    .map((entry) => Math.round(servedUntil(entry) - now))
    .filter((ms) => ms > 0)
    .sort((one, other) => one - other);
  const [least] = left;
  return least === undefined ? undefined : { least, p50: left[Math.floor(left.length / 2)] ?? least };
}
