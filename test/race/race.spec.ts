import { RedisProcess } from '../support/redis-process';
import { runRace } from './race';
import { printed } from './report';

describe('three replicas, reads, invalidations and faults at random', () => {
  let redis: RedisProcess;
  beforeEach(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(() => redis.stop());

  it('never answer what was invalidated', async () => {
    const report = await runRace({ seed: 1, steps: 1_500, redis });
    expect(report.violations.length === 0 ? '' : printed(report)).toBe('');
    expect(report.answersBound).toBeGreaterThan(500);
    expect(report.faults).toBeGreaterThanOrEqual(5);
  }, 60_000);

  it('would be caught if a fill asked no lease', async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 4 && found.length === 0; seed++) {
      const report = await runRace({ seed, steps: 400, redis, brokenLease: true });
      found.push(...report.violations.map(({ what }) => what));
    }
    expect(found[0]).toMatch(/got v\d+, after v\d+ was promised/);
  }, 60_000);
});
