/*
 * Durations in buckets that grow by a constant factor: four for each doubling, so that an estimate is within 10 % of the truth. A
 * bucket is found by one logarithm, and counting allocates nothing.
 */

const MIN_LATENCY_MS = 0.01;
const PER_DOUBLING = 4;
/** 0.01 ms to 2 minutes. */
export const BUCKETS = 96;

export function bucketOf(ms: number): number {
  if (!(ms > MIN_LATENCY_MS)) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(ms / MIN_LATENCY_MS) * PER_DOUBLING));
}

/** The geometric middle of a bucket, to three digits. */
export function durationOf(bucket: number): number {
  return Number((MIN_LATENCY_MS * 2 ** ((Math.max(bucket, 0.5) - 0.5) / PER_DOUBLING)).toPrecision(3));
}

/** The duration that a share (0 to 1) of the counted ones does not exceed; undefined if none was counted. */
export function percentile(counts: ArrayLike<number>, share: number): number | undefined {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return undefined;
  let left = Math.max(1, Math.ceil(total * share));
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket] ?? 0;
    if (left <= 0) return durationOf(bucket);
  }
  return undefined;
}
