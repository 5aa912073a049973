import { BUCKETS, bucketOf, durationOf, percentile } from './latency-histogram';

it.each([0.02, 0.11, 1, 7.3, 99, 800, 4_321, 60_000])('estimates %p ms within 10 %%', (ms) => {
  expect(Math.abs(durationOf(bucketOf(ms)) / ms - 1)).toBeLessThan(0.1);
});

it.each([0, -1, NaN, 0.001, Infinity, 1e9])('has a bucket for %p', (ms) => {
  const bucket = bucketOf(ms);
  expect([bucket >= 0, bucket < BUCKETS]).toEqual([true, true]);
});

it('finds the median and the slowest of a hundred', () => {
  const counts = new Uint32Array(BUCKETS);
  for (let at = 0; at < 99; at++) counts[bucketOf(1)]! += 1;
  counts[bucketOf(1_000)]! += 1;
  expect(percentile(counts, 0.5)).toBe(durationOf(bucketOf(1)));
  expect(percentile(counts, 0.99)).toBe(durationOf(bucketOf(1)));
  expect(percentile(counts, 1)).toBe(durationOf(bucketOf(1_000)));
});

it('has no percentile of nothing', () => {
  expect(percentile(new Uint32Array(BUCKETS), 0.5)).toBeUndefined();
});
