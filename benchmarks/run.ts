import { execFileSync } from 'node:child_process';
import { readOptions, GENERATOR_CORE, type BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import { tellAnswer, writeAnswer, type Answer } from './harness/report';
import { cores } from './cores';
import { endurance } from './endurance';
import { hit } from './hit';
import { latency } from './latency';
import { memory } from './memory';
import { miss } from './miss';
import { absence } from './sides/programs';
import { stampede } from './stampede';
import { start } from './start';

/*
 * `npm run bench [-- question…] [--rounds 5] [--seconds 3]`: asks the questions one after the other and writes the answers
 * into benchmarks/results/.
 */

const questions: Readonly<Record<string, (options: BenchOptions) => Promise<Answer>>> = {
  hit,
  latency,
  miss,
  stampede,
  cores,
  memory,
  endurance,
  start,
};

async function run(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const asked = options.questions.length > 0 ? options.questions : Object.keys(questions);
  const missing = absence('wrk') ?? absence('taskset');
  if (missing !== undefined) throw new Error(`The benchmarks cannot run: ${missing}.`);
  // this process is a client and the simulator; what it starts inherits its core, servers are given another
  execFileSync('taskset', ['-acp', String(GENERATOR_CORE), String(process.pid)]);
  for (const name of asked) {
    const ask = questions[name];
    if (ask === undefined) throw new Error(`No question "${name}"; there are ${Object.keys(questions).join(', ')}.`);
    tell(`\n# ${name}`);
    const answer = await ask(options);
    if (options.only === undefined) writeAnswer(answer, options);
    else tellAnswer(answer);
  }
}

run().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
