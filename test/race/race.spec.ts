import { RedisProcess } from '../support/redis-process';
import { CROWDED, runRace } from './race';
import { printed } from './report';

describe('replicas, reads, invalidations and faults at random', () => {
  let redis: RedisProcess;
  beforeEach(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(() => redis.stop());

  it('never answer what was invalidated', async () => {
    const report = await runRace({ seed: 1, steps: 1_000, redis });
    expect(report.violations.length === 0 ? '' : printed(report)).toBe('');
    expect(report.answersBound).toBeGreaterThan(400);
    expect(report.faults).toBeGreaterThanOrEqual(5);
  }, 180_000);

  it('never answer what was invalidated, where there is one replica', async () => {
    const report = await runRace({ seed: 1, steps: 300, replicas: 1, redis });
    expect(report.violations.length === 0 ? '' : printed(report)).toBe('');
    expect(report.answersBound).toBeGreaterThan(100);
  }, 180_000);

  it('never answer what was soft-purged', async () => {
    const report = await runRace({ seed: 1, steps: 300, redis, course: 'soft-purges' });
    expect(report.violations.length === 0 ? '' : printed(report)).toBe('');
    expect(report.answersBound).toBeGreaterThan(0);
  }, 180_000);

  it.each([
    ['a fill asked no lease', 'lease', 'mixed'],
    ['a load that a soft purge overtakes stored fresh', 'soft-purge', 'projections'],
    ['a projection stored fresh after a soft purge of its resource', 'projection', 'projections'],
    ['entries counted whose tags have lost them', 'bookkeeping', 'mixed'],
  ] as const)(
    'would be caught if %s',
    async (_what, plant, course) => {
      // It ends with the first violation. Only the timing differs between two runs of a seed.
      const { violations } = await runRace({ seed: 2, steps: 20_000, redis, plant, course });
      expect(violations[0]?.what).toMatch(/got v\d+, after v\d+ was promised/);
    },
    300_000,
  );
});

describe('three replicas on a Redis that is too small and evicts', () => {
  it('never answer what was invalidated', async () => {
    const redis = await RedisProcess.start({ config: CROWDED });
    try {
      const report = await runRace({ seed: 1, steps: 500, redis, course: 'crowded' });
      expect(report.violations.length === 0 ? '' : printed(report)).toBe('');
      expect(report.answersBound).toBeGreaterThan(100);
      expect(await redis.command('INFO', 'stats')).toMatch(/^evicted_keys:[1-9]/m);
    } finally {
      await redis.stop();
    }
  }, 180_000);
});
