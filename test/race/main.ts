import { parseArgs } from 'node:util';
import { Logger } from '@nestjs/common';
import { RedisProcess } from '../support/redis-process';
import { PLANTS } from './plants';
import { CROWDED, runRace } from './race';
import { printed } from './report';

const USAGE =
  'Usage: race [--seed N] [--steps N] [--replicas N] [--crowded] [--broken lease|soft-purge|projection|bookkeeping]';

/** `npm run test:race -- --seed 7 --steps 1500`; `--broken` plants a bug that the race must find,
 * `--crowded` runs it on a small Redis that evicts. Exits 1 on a violation. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      steps: { type: 'string', default: '1500' },
      replicas: { type: 'string', default: '3' },
      broken: { type: 'string' },
      crowded: { type: 'boolean', default: false },
    },
  });
  const [seed, steps, replicas] = [values.seed, values.steps, values.replicas].map(Number);
  if (![seed, steps, replicas].every(Number.isSafeInteger)) throw new Error(`Not a whole number. ${USAGE}`);
  Logger.overrideLogger(false);
  const plant = PLANTS.find((name) => name === values.broken);
  if (values.broken !== undefined && !plant) throw new Error(`There is no bug ${values.broken}. ${USAGE}`);
  const course = values.crowded
    ? 'crowded'
    : plant === 'soft-purge' || plant === 'projection'
      ? 'projections'
      : 'mixed';
  const redis = await RedisProcess.start(course === 'crowded' ? { config: CROWDED } : {});
  try {
    const log = (line: string): unknown => process.stderr.write(`${line}\n`);
    const report = await runRace({ seed: seed!, steps: steps!, replicas, redis, course, plant, log });
    process.stdout.write(`${printed(report)}\n`);
    return report.violations.length > 0 ? 1 : 0;
  } finally {
    await redis.stop();
  }
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 2;
  },
);
