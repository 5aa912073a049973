import { Agent } from 'node:http';
import { request } from '../test/support/raw-http';
import { figure } from './harness/bar-plot';
import type { BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import type { Answer } from './harness/report';
import { quantile, spreadOf } from './harness/statistics';
import { startSurroundings } from './harness/surroundings';
import { fromTo } from './harness/tables';
import { generateLoad } from './harness/wrk';
import { bareHttp, larder, stock, tutorial } from './sides/node-sides';
import { takingPart, type Side, type Surroundings } from './sides/side';

const PER_SECOND = 1_000;
const PATH = '/payload/1300';

const sides = [
  larder('Larder L1'),
  larder('Larder L2 (L1 off)', { env: { L1_MAX_BYTES: '0' } }),
  stock('fastify', 'memory'),
  stock('fastify', 'redis'),
  tutorial,
  bareHttp,
];

/** How long a hit takes at an even rate that leaves the machine air. */
export async function latency(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings();
  const p50s = new Map<string, number[]>();
  const p99s = new Map<string, number[]>();
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const side of chosen.sides) {
        const took = await ofOne(side, around, options);
        p50s.set(side.name, [...(p50s.get(side.name) ?? []), quantile(took, 0.5)]);
        p99s.set(side.name, [...(p99s.get(side.name) ?? []), quantile(took, 0.99)]);
        tell(`  round ${round}: ${side.name} p50 ${figure(quantile(took, 0.5))} ms of ${took.length} requests`);
      }
    }
  } finally {
    await around.stop();
  }
  const rows = [...p50s].map(([name, p50]) => ({ name, p50: spreadOf(p50), p99: spreadOf(p99s.get(name) ?? []) }));
  return {
    question: 'latency',
    asks: `How long does a hit of 1300 bytes take at ${PER_SECOND} requests a second?`,
    sections: [
      {
        title: `Latency at ${PER_SECOND} requests/s, 1300 bytes`,
        columns: ['side', 'p50 ms', 'from–to', 'p99 ms', 'from–to'],
        rows: rows.map(({ name, p50, p99 }) => [
          ...[name, figure(p50.median), fromTo(p50)],
          ...[figure(p99.median), fromTo(p99)],
        ]),
        plot: {
          unit: 'p50 in ms',
          bars: rows.map(({ name, p50: { median, min, max } }) => ({
            ...{ label: name, value: median, min, max },
            isOurs: name.startsWith('Larder'),
          })),
        },
      },
    ],
    notes: [...chosen.notes, 'Measured by a Node client: what bare node:http shows is mostly the client.'],
    commands: [],
    data: rows,
  };
}

/** Of a side that has the core for itself: what others collect when they are idle would be seen in its p99. */
async function ofOne(side: Side, around: Surroundings, options: BenchOptions): Promise<number[]> {
  const server = await side.start(around);
  try {
    // As fast as it goes, until the compiler is done: a first thousand of requests is slow on every side.
    await generateLoad({ ...options, url: `${server.url}${PATH}`, serverPid: server.pid });
    return await atEvenRate(`${server.url}${PATH}`, options.seconds);
  } finally {
    await server.stop();
  }
}

/** Sends at a fixed rate whatever comes back, and returns how long each answer took, in milliseconds. */
async function atEvenRate(url: string, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const tookMs: number[] = [];
  const underWay: Promise<void>[] = [];
  const one = async (): Promise<void> => {
    const startedAt = performance.now();
    const { status } = await request(url, { agent });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    tookMs.push(performance.now() - startedAt);
  };
  const startedAt = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = Math.min(performance.now() - startedAt, seconds * 1_000);
      const due = Math.floor((elapsedMs / 1_000) * PER_SECOND);
      while (underWay.length < due) underWay.push(one());
      if (elapsedMs < seconds * 1_000) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await Promise.all(underWay);
  agent.destroy();
  return tookMs;
}
