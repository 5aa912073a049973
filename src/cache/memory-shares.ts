/*
 * How `L1_MAX_BYTES` is divided: three quarters for entries, one for what is ready to be sent of them.
 */

export function forEntries(maxBytes: number): number {
  return Math.floor(maxBytes * 0.75);
}

export function forDeliveries(maxBytes: number): number {
  return Math.floor(maxBytes * 0.25);
}
