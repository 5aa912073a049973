import type { CacheEntry, HeaderList } from '../cache-entry';
import { identityLength } from '../content-coding';
import { isNotModified, rangeMayApply } from './conditions';
import { valueOf } from './fields';
import { rangeOf, type RangeAnswer } from './range';

/** What of a stored response a request gets. */
export type ResponseForm = RangeAnswer | { readonly kind: 'not-modified' };

export const WHOLE: ResponseForm = { kind: 'whole' };
export const NOT_MODIFIED: ResponseForm = { kind: 'not-modified' };

/** RFC 9110 §13.2.2: conditions come first, then `Range`; both count only where the answer would be 200 (§13.2.1, §14.2). */
export function responseForm(method: string | undefined, asked: HeaderList, entry: CacheEntry): ResponseForm {
  if (asked.length === 0 || entry.status !== 200) return WHOLE;
  if (isNotModified(asked, entry.headers, entry.storedAt)) return NOT_MODIFIED;
  const range = method === 'GET' ? valueOf(asked, 'range') : undefined;
  if (range === undefined || !rangeMayApply(asked, entry.headers)) return WHOLE;
  return rangeOf(range, identityLength(entry));
}
