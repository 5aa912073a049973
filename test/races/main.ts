import { parseArgs } from 'node:util';
import { runRace } from './race';

/* `npm run test:race -- --seed N --steps N`; `--broken` plants the bug that the race must find. */

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seed: { type: 'string' }, steps: { type: 'string' }, broken: { type: 'boolean' } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const report = await runRace({ seed, steps: Number(values.steps ?? 5_000), brokenLease: values.broken === true });
  const { violations, ...figures } = report;
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  for (const { message, timeline } of violations) process.stdout.write(`${message}\n  ${timeline.join('\n  ')}\n`);
  process.stdout.write(
    violations.length === 0 ? 'Nothing invalidated came back.\n' : `${violations.length} violations.\n`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
}

void main();
