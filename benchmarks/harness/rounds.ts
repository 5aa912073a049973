import { request } from '../../test/support/raw-http';
import { payloadOf } from '../peers/payload';
import type { Side, Surroundings } from '../sides/side';
import { cpuShares, type CpuShares } from './cpu-shares';
import type { BenchOptions } from './options';
import { tell } from './progress';
import { quantile, spreadOf, type Spread } from './statistics';
import { waitingShare } from './watch';
import { generateLoad, type LoadResult } from './wrk';

const WARM_UP_SECONDS = 2;

/** All that the rounds told of one side. */
export interface Measured {
  readonly name: string;
  readonly requestsPerSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  readonly errors: number;
  readonly generatorCpu: number;
  readonly serverCpu: number;
  /** The share of the time in which the load generator was at work or ready for it. */
  readonly generatorReady: number;
  readonly cpu: CpuShares;
  /** The rate over that of another side in the same round, by its name. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

export interface Contest {
  readonly title: string;
  readonly sides: readonly Side[];
  readonly path: string;
  /** The sides that the others are compared with. */
  readonly yardsticks: readonly string[];
  readonly around: Surroundings;
}

/**
 * Lets the sides take turns, each time as a process of its own that is warmed first: what disturbs a round disturbs all of them,
 * and nobody is measured as it comes back from standing idle, or by the luck of one process.
 */
export async function contest(what: Contest, options: BenchOptions): Promise<Measured[]> {
  const { title, sides, yardsticks } = what;
  const results = new Map<string, LoadResult[]>(sides.map(({ name }) => [name, []]));
  for (let round = 1; round <= options.rounds; round += 1) {
    // every other round in the opposite order, so that nobody always follows the same side
    for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
      const result = await turn(side, what, options);
      results.get(side.name)?.push(result);
      tell(
        `  ${title}, round ${round}: ${side.name} ${Math.round(result.requestsPerSecond)}/s, p50 ${result.p50Ms} ms`,
      );
    }
  }
  return sides.map(({ name }) => measured(name, results, yardsticks));
}

async function turn(side: Side, { path, around }: Contest, options: BenchOptions): Promise<LoadResult> {
  const server = await side.start(around);
  try {
    const url = `${server.url}${side.prefix ?? ''}${path}`;
    await check(side.name, url);
    const load = { ...options, ...side.requests, url, serverPid: server.pid };
    await generateLoad({ ...load, seconds: WARM_UP_SECONDS });
    return await generateLoad(load);
  } finally {
    await server.stop();
  }
}

/** Twice, so that the second one is a hit where there is a cache: all must answer the same bytes. */
async function check(name: string, url: string): Promise<void> {
  const expected = Buffer.from(JSON.stringify(payloadOf(Number(url.split('/').at(-1)))));
  for (const time of ['first', 'second']) {
    const { status, body } = await request(url);
    if (status !== 200 || !body.equals(expected))
      throw new Error(`${name} answered ${status} and ${body.length} bytes to the ${time} request, not the payload.`);
  }
}

function measured(
  name: string,
  all: ReadonlyMap<string, readonly LoadResult[]>,
  yardsticks: readonly string[],
): Measured {
  const own = all.get(name) ?? [];
  const spread = (read: (result: LoadResult) => number): Spread => spreadOf(own.map(read));
  const median = (read: (result: LoadResult) => number): number => quantile(own.map(read), 0.5);
  const ratios = yardsticks.flatMap((yardstick) => {
    const theirs = all.get(yardstick);
    if (theirs === undefined) return [];
    const each = own.map(({ requestsPerSecond }, at) => requestsPerSecond / (theirs[at]?.requestsPerSecond ?? NaN));
    return [[yardstick, spreadOf(each)] as const];
  });
  return {
    name,
    requestsPerSecond: spread(({ requestsPerSecond }) => requestsPerSecond),
    p50Ms: spread(({ p50Ms }) => p50Ms),
    p99Ms: spread(({ p99Ms }) => p99Ms),
    errors: own.reduce((sum, { errors }) => sum + errors, 0),
    generatorCpu: median(({ generatorCpu }) => generatorCpu),
    serverCpu: median(({ serverCpu }) => serverCpu),
    generatorReady: median(({ generatorCpu, watched }) => generatorCpu + waitingShare(watched, watched.generator)),
    cpu: cpuShares(own),
    ratios: Object.fromEntries(ratios),
  };
}
