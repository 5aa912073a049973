import fc from 'fast-check';
import { SlidingWindow } from './sliding-window';

const NOW = 1_800_000_000_000;
/** The points spent in the minute that ends then. */
const spentIn = (passed: readonly { at: number; points: number }[], end: number): number =>
  passed.filter(({ at }) => at > end - 60_000).reduce((sum, { points }) => sum + points, 0);

describe('a pace', () => {
  it('lets a minute of points through at once, and the next as soon as the first are a minute old', () => {
    const pace = new SlidingWindow(10);
    for (let at = 0; at < 9; at++) pace.pass('a', 1, NOW + at);
    expect(pace.waitMs('a', 1, NOW + 9)).toBe(0);
    pace.pass('a', 1, NOW + 9);
    expect([pace.waitMs('a', 1, NOW + 9), pace.waitMs('a', 5, NOW + 9)]).toEqual([59_991, 59_995]);
    expect([pace.waitMs('a', 1, NOW + 60_000), pace.waitMs('a', 2, NOW + 60_000)]).toEqual([0, 1]);
  });

  it('keeps credentials apart', () => {
    const pace = new SlidingWindow(1);
    pace.pass('a', 1, NOW);
    expect([pace.waitMs('a', 1, NOW), pace.waitMs('b', 1, NOW)]).toEqual([60_000, 0]);
    expect([pace.shareLeft('a', NOW), pace.shareLeft('b', NOW)]).toEqual([0, 1]);
  });

  it('lets through what costs more than a minute has, alone', () => {
    const pace = new SlidingWindow(3);
    expect(pace.waitMs('a', 5, NOW)).toBe(0);
    pace.pass('a', 1, NOW);
    expect(pace.waitMs('a', 5, NOW)).toBe(60_000);
  });

  it('lets no more through in any minute, and makes no call wait longer than necessary', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ after: fc.nat(20_000), points: fc.constantFrom(1, 5) })), (asked) => {
        const pace = new SlidingWindow(12);
        const passed: { at: number; points: number }[] = [];
        let now = NOW;
        for (const { after, points } of asked) {
          now += after;
          const waitMs = pace.waitMs('a', points, now);
          now += waitMs;
          if (waitMs > 0) expect(spentIn(passed, now - 1) + points).toBeGreaterThan(12); // no sooner than now
          pace.pass('a', points, now);
          passed.push({ at: now, points });
          expect(spentIn(passed, now)).toBeLessThanOrEqual(12);
        }
      }),
    );
  });
});
