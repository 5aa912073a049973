import { runRace } from './race';

describe('a race of fills, invalidations and failures of Redis', () => {
  it('lets nothing invalidated come back', async () => {
    const report = await runRace({ seed: 20_261_123, steps: 4_000 });
    expect(report.violations).toEqual([]);
    expect(report.checked).toBeGreaterThan(1_000);
    expect(report.invalidations).toBeGreaterThan(100);
    expect(report.faults).toBeGreaterThan(0);
  }, 120_000);

  it('finds the bug of a fill that does not look at its lease', async () => {
    const found: number[] = [];
    for (let seed = 1; seed <= 5 && found.length === 0; seed++) {
      const report = await runRace({ seed, steps: 1_500, brokenLease: true });
      found.push(...report.violations.map(() => seed));
    }
    expect(found.length).toBeGreaterThan(0);
  }, 120_000);
});
