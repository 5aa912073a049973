import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { isNotModified, rangeMayApply } from './conditions';
import { valueOf } from './fields';
import { rangeOf, type RangeAnswer } from './range';

/** The part of a stored response that a request gets. */
export type ResponseForm = RangeAnswer | { readonly kind: 'not-modified' };

const WHOLE: ResponseForm = { kind: 'whole' };
const NOT_MODIFIED: ResponseForm = { kind: 'not-modified' };

/** A stored response, ready to be sent. */
export interface Representation extends Pick<CacheEntry, 'status' | 'headers' | 'storedAt'> {
  readonly bodyBytes: number;
}

/** RFC 9110 §13.2.2: conditions come first, then `Range`. Conditions apply to a 2xx response (§13.2.1), ranges to a 200 (§14.2). */
export function responseForm(
  method: string | undefined,
  asked: HeaderList,
  representation: Representation,
): ResponseForm {
  // First, because `headers` may be made when they are read.
  if (asked.length === 0 || representation.status >= 300) return WHOLE;
  const { status, headers, storedAt, bodyBytes } = representation;
  if (isNotModified(asked, headers, storedAt)) return NOT_MODIFIED;
  const range = method === 'GET' && status === 200 ? valueOf(asked, 'range') : undefined;
  if (range === undefined || !rangeMayApply(asked, headers)) return WHOLE;
  return rangeOf(range, bodyBytes);
}
