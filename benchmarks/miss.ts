import { Agent } from 'node:http';
import { request } from '../test/support/raw-http';
import { figure } from './harness/bar-plot';
import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { startSurroundings } from './harness/surroundings';
import { quantile, spreadOf } from './harness/statistics';
import { fromTo } from './harness/tables';
import type { RunningServer } from './harness/server-process';
import { larder, stock, tutorial } from './sides/node-sides';
import { takingPart, type Side } from './sides/side';

const PER_ROUND = 200;
const WARM_UP = 300;
const headers = { 'user-agent': 'larder-benchmarks' };

const sides = [
  larder('Larder, with Redis'),
  larder('Larder, in memory', { withRedis: false }),
  stock('fastify', 'memory'),
  stock('fastify', 'redis'),
  tutorial,
];

/** What a miss costs over asking the upstream oneself. */
export async function miss(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings();
  const servers = new Map<Side, RunningServer>();
  const agent = new Agent({ keepAlive: true });
  const added = new Map<string, number[]>(chosen.sides.map(({ name }) => [name, []]));
  const direct: number[] = [];
  let asked = 0;
  const timed = async (base: string): Promise<number> => {
    const startedAt = performance.now();
    const { status } = await request(`${base}account-${(asked += 1)}`, { agent, headers });
    if (status !== 200) throw new Error(`${base} answered ${status}`);
    return performance.now() - startedAt;
  };
  const round = async (count: number): Promise<Map<string, number>> => {
    const took = new Map<string, number[]>(['direct', ...added.keys()].map((name) => [name, []]));
    for (let at = 0; at < count; at += 1) {
      took.get('direct')?.push(await timed(`${around.upstreamUrl}/users/`));
      for (const [{ name, accountPath = '/' }, { url }] of servers)
        took.get(name)?.push(await timed(`${url}${accountPath}`));
    }
    return new Map([...took].map(([name, each]) => [name, quantile(each, 0.5)]));
  };
  try {
    for (const side of chosen.sides) servers.set(side, await side.start(around));
    await round(WARM_UP);
    for (let number = 1; number <= options.rounds; number += 1) {
      const medians = await round(PER_ROUND);
      const alone = medians.get('direct') ?? NaN;
      direct.push(alone);
      for (const { name } of chosen.sides) added.get(name)?.push((medians.get(name) ?? NaN) - alone);
    }
  } finally {
    agent.destroy();
    await Promise.all([...servers.values()].map((server) => server.stop()));
    await around.stop();
  }
  const rows = [...added].map(([name, each]) => ({ name, addedMs: spreadOf(each) }));
  return {
    question: 'miss',
    asks: 'How much longer does a miss take than asking the upstream directly?',
    sections: [
      {
        title: 'Added by a miss at p50',
        columns: ['side', 'added ms', 'from–to'],
        rows: rows.map(({ name, addedMs }) => [name, figure(addedMs.median), fromTo(addedMs)]),
        plot: {
          unit: 'ms',
          bars: rows.map(({ name, addedMs: { median, min, max } }) => ({
            ...{ label: name, value: median, min, max },
            isOurs: name.startsWith('Larder'),
          })),
        },
      },
    ],
    notes: [
      ...chosen.notes,
      `Asking the simulator (it answers at once) directly took ${figure(spreadOf(direct).median)} ms at p50; ${PER_ROUND} accounts a round, one request at a time, sides in turn.`,
      'Bodies of 10 MB are not measured: this version has no route that streams one.',
    ],
    commands: [],
    data: { direct: spreadOf(direct), rows },
  };
}
