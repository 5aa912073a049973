/** Codings that the build makes of each file, the smaller first. */
export const CODINGS = ['br', 'gzip'] as const;

export type FileCoding = (typeof CODINGS)[number] | 'identity';

/**
 * The coding to send: of those there are, the one that the client likes best; of equals the smaller.
 *
 * RFC 9110 §12.5.3: a weight of 0 means "not acceptable"; `*` stands for every coding that is not named; without the field any
 * coding is allowed, and plain bytes are what every client can read. `identity`, plain bytes, is weighed where it is named; where it is not, it
 * is what is left if no other is acceptable. A client that refuses all there is gets plain bytes: a page is better than a 406.
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
