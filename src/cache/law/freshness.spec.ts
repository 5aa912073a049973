import fc from 'fast-check';
import { endOfLife, type CacheEntry } from '../model/cache-entry';
import {
  ageMs,
  freshForMs,
  isFresh,
  jittered,
  mayServeOnError,
  mayServeWhileRevalidating,
  shouldRefreshEarly,
} from './freshness';

const STORED_AT = 1_000_000;

function entry(times: Partial<CacheEntry> = {}): CacheEntry {
  return {
    id: 'a',
    status: 200,
    headers: [],
    validators: {},
    upstream: 'github',
    tags: [],
    storedAt: STORED_AT,
    freshUntil: STORED_AT + 1_000,
    staleWhileRevalidateMs: 500,
    staleIfErrorMs: 2_000,
    mustRevalidate: false,
    loadDurationMs: 100,
    etag: '"x"',
    coding: 'identity',
    body: Buffer.alloc(0),
    ...times,
  };
}

describe('freshness (RFC 9111 §4.2, RFC 5861)', () => {
  // age, entry, fresh, may serve while revalidating, may serve on error, over
  const table: [string, number, Partial<CacheEntry>, boolean, boolean, boolean, boolean][] = [
    ['just stored', 0, {}, true, true, true, false],
    ['in the last millisecond of freshness', 999, {}, true, true, true, false],
    ['at the end of freshness', 1_000, {}, false, true, true, false],
    ['in the last millisecond of stale-while-revalidate', 1_499, {}, false, true, true, false],
    ['at the end of stale-while-revalidate', 1_500, {}, false, false, true, false],
    ['at the end of stale-if-error', 3_000, {}, false, false, false, true],
    ['stale, with no windows', 1_000, { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }, false, false, false, true],
    ['stale, under must-revalidate', 1_200, { mustRevalidate: true }, false, false, false, false],
    ['soft-purged while fresh', 10, { softPurgeMark: 7 }, false, false, true, false],
    ['from a clock that is a little ahead of ours', -1_000, {}, true, true, true, false],
    ['from a clock ahead of ours by more than the lifetime', -60_000, {}, false, false, true, false],
  ];

  it.each(table)('%s', (_name, age, times, fresh, whileRevalidating, onError, over) => {
    const now = STORED_AT + age;
    const it = entry(times);
    expect([
      isFresh(it, now),
      mayServeWhileRevalidating(it, now),
      mayServeOnError(it, now),
      now >= endOfLife(it),
    ]).toEqual([fresh, whileRevalidating, onError, over]);
  });

  it('never returns a negative age', () => {
    fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), (skew) => ageMs(entry(), STORED_AT + skew) >= 0));
  });

  it('returns the remaining freshness, negative once stale', () => {
    expect(freshForMs(entry(), STORED_AT + 400)).toBe(600);
    expect(freshForMs(entry(), STORED_AT + 1_400)).toBe(-400);
    expect(freshForMs(entry({ softPurgeMark: 7 }), STORED_AT + 300)).toBe(0);
  });

  it('shortens a lifetime by at most the jitter, and never lengthens it', () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), unit, unit, (ttl, jitter, random) => {
        const shortened = jittered(ttl, jitter, random);
        return shortened <= ttl && shortened >= Math.floor(ttl * (1 - jitter));
      }),
    );
  });
});

describe('early refresh (XFetch)', () => {
  it('does not happen with a beta of 0', () => {
    expect(shouldRefreshEarly(entry(), STORED_AT + 999, 0, Number.MIN_VALUE)).toBe(false);
  });

  it('happens sooner the slower the load is', () => {
    const at = STORED_AT + 800;
    expect(shouldRefreshEarly(entry({ loadDurationMs: 100 }), at, 1, 0.2)).toBe(false);
    expect(shouldRefreshEarly(entry({ loadDurationMs: 200 }), at, 1, 0.2)).toBe(true);
  });

  it('always happens once freshness has ended', () => {
    expect(shouldRefreshEarly(entry(), STORED_AT + 1_000, 1, 1)).toBe(true);
  });
});
