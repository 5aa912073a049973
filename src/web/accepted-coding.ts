/** Codings that the build makes of each file, the smaller first. */
export const CODINGS = ['br', 'gzip'] as const;

export type FileCoding = (typeof CODINGS)[number] | 'identity';

/**
 * The coding to send: the client's preferred one among those available; for equal weights the smaller.
 *
 * RFC 9110 §12.5.3: a weight of 0 means "not acceptable"; `*` matches every coding that is not named; without the field any coding is
 * allowed, and every client can read plain bytes. `identity`, plain bytes, has its weight if it is named; otherwise it is used if no other
 * is acceptable. A client that refuses every coding gets plain bytes: a page is better than a 406.
 */
export function acceptedCoding(field: string | undefined, available: readonly FileCoding[]): FileCoding {
  const weights = new Map(
    (field ?? '').split(',').map((part) => {
      const [name = '', ...parameters] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
  const plainWeight = weights.get('identity') ?? 0;
  let best: FileCoding = 'identity';
  let bestWeight = 0;
  for (const coding of CODINGS) {
    const weight = weights.get(coding) ?? weights.get('*') ?? 0;
    if (!available.includes(coding) || weight <= bestWeight || weight < plainWeight) continue;
    best = coding;
    bestWeight = weight;
  }
  return best;
}
