/** The result of a `Range` field for a body of known length (RFC 9110 §14). */
export type RangeAnswer =
  /** Invalid, or with several parts: the field is ignored, as §14.2 allows. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

/**
 * A position may have any length (§14.1.2): a number too large for a double is beyond every body, and only that matters.
 *
 * @param field the value of `Range`, such as `bytes=0-99`, `bytes=100-` or `bytes=-50`
 */
export function rangeOf(field: string, length: number): RangeAnswer {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(field.trim());
  if (!match) return { kind: 'whole' };
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return { kind: 'whole' };
    const suffix = Number(to);
    if (suffix === 0) return { kind: 'unsatisfiable' };
    // §14.1.2: a suffix "with a non-zero suffix-length" is satisfiable, but a 206 cannot describe a part of nothing.
    if (length === 0) return { kind: 'whole' };
    return { kind: 'part', first: Math.max(0, length - suffix), last: length - 1 };
  }
  const first = Number(from);
  if (to !== '' && BigInt(to) < BigInt(from)) return { kind: 'whole' };
  if (first >= length) return { kind: 'unsatisfiable' };
  return { kind: 'part', first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}
