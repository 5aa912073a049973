/** What this process holds after a collection, in bytes; it needs `--expose-gc`. */
export function heldBytes(): number {
  if (!globalThis.gc) throw new Error('Start this peer with --expose-gc.');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
