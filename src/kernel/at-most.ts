/**
 * Limits the entries of an `LRUCache`, which then grows with them: `new LRUCache<string, string>(atMost(10_000))`. Its own `max` takes the
 * memory of all of them at once, about 28 bytes each.
 */
export function atMost(max: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: max, sizeCalculation: () => 1 };
}
