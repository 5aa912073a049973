import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { request } from '../test/support/raw-http';
import { figure } from './harness/bar-plot';
import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { startSurroundings, startUpstream } from './harness/surroundings';
import { quantile, spreadOf } from './harness/statistics';
import { fromTo } from './harness/tables';
import type { RunningServer } from './harness/server-process';
import { nginx } from './sides/nginx';
import { larder, stock, tutorial } from './sides/node-sides';
import { takingPart, type Side } from './sides/side';

const PER_ROUND = 200;
/** So long the compiler still gets better at it. */
const WARM_UP = 4_000;
const headers = { 'user-agent': 'larder-benchmarks' };

const GATEWAY = { accountPath: '/github/users/' };
const LARGE_BYTES = 10_000_000;
const LARGE_AT_ONCE = 10;
const LARGE_PATH = `/repos/redis/redis/git/blobs/large?bytes=${LARGE_BYTES}`;

/** Each its own keys: as replicas on one core each would have to hear what the other stores. */
const sides = [
  larder('Larder gateway, with Redis', { ...GATEWAY, env: { REDIS_KEY_PREFIX: 'gateway' } }),
  larder('Larder gateway, in memory', { ...GATEWAY, withRedis: false }),
  larder('Larder route, with Redis', { env: { REDIS_KEY_PREFIX: 'route' } }),
  larder('Larder route, in memory', { withRedis: false }),
  stock('fastify', 'memory'),
  stock('fastify', 'redis'),
  tutorial,
];
/** Through these pass large bodies. */
const streaming = [...sides.filter(({ accountPath }) => accountPath === GATEWAY.accountPath), nginx];

/** What a miss costs over asking the upstream oneself. */
export async function miss(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings();
  const upstream = await startUpstream();
  const servers = new Map<Side, RunningServer>();
  const agent = new Agent({ keepAlive: true });
  const added = new Map<string, number[]>(chosen.sides.map(({ name }) => [name, []]));
  const direct: number[] = [];
  const large = new Map<string, Large[]>();
  let asked = 0;
  const timed = async (base: string): Promise<number> => {
    const startedAt = performance.now();
    const { status } = await request(`${base}account-${(asked += 1)}`, { agent, headers });
    if (status !== 200) throw new Error(`${base} answered ${status}`);
    return performance.now() - startedAt;
  };
  const medianOf = async (base: string, count: number): Promise<number> => {
    const took: number[] = [];
    for (let at = 0; at < count; at += 1) took.push(await timed(base));
    return quantile(took, 0.5);
  };
  /** Side by side, each for its whole share: one that is asked now and then only is measured asleep. */
  const round = async (count: number): Promise<Map<string, number>> => {
    const medians = new Map([['direct', await medianOf(`${upstream.url}/users/`, count)]]);
    for (const [{ name, accountPath = '/' }, { url }] of servers)
      medians.set(name, await medianOf(`${url}${accountPath}`, count));
    return medians;
  };
  try {
    for (const side of chosen.sides) servers.set(side, await side.start({ ...around, upstreamUrl: upstream.url }));
    await round(WARM_UP);
    for (let number = 1; number <= options.rounds; number += 1) {
      const medians = await round(PER_ROUND);
      const alone = medians.get('direct') ?? NaN;
      direct.push(alone);
      for (const { name } of chosen.sides) added.get(name)?.push((medians.get(name) ?? NaN) - alone);
    }
    for (const side of takingPart(streaming, options.only).sides)
      if (!servers.has(side)) servers.set(side, await side.start({ ...around, upstreamUrl: upstream.url }));
    for (let number = 0; number <= options.rounds; number += 1) {
      const turn = [await largeBodies('direct', upstream.url, undefined, agent)];
      for (const [side, { url, pid }] of servers)
        if (streaming.includes(side))
          turn.push(await largeBodies(side.name, side === nginx ? url : `${url}/github`, pid, agent));
      if (number > 0) for (const one of turn) large.set(one.name, [...(large.get(one.name) ?? []), one]); // the first warms up
    }
  } finally {
    agent.destroy();
    await Promise.all([...servers.values()].map((server) => server.stop()));
    await upstream.stop();
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
      {
        title: `${LARGE_AT_ONCE} clients, each another body of 10 MB`,
        columns: ['side', 'MB/s', '× nginx proxy_pass', 'p50 ms', 'memory grew by MB'],
        rows: [...large].map(([name, each]) => [
          ...[name, figure(medianBy(each, ({ mbPerSecond }) => mbPerSecond)), ratioTo(large.get(nginx.name), each)],
          figure(medianBy(each, ({ p50Ms }) => p50Ms)),
          name === 'direct' ? '' : figure(Math.max(...each.map(({ grewMb = 0 }) => grewMb))),
        ]),
      },
    ],
    notes: [
      ...chosen.notes,
      `Asking the simulator (a process of its own, which answers at once) directly took ${figure(spreadOf(direct).median)} ms at p50; ${PER_ROUND} accounts a round for each side, one request at a time.`,
      `Bodies of 10 MB are over CACHE_MAX_ENTRY_BYTES and pass through; all at once they are ${(LARGE_AT_ONCE * LARGE_BYTES) / 1e6} MB, of which memory holds what it grew by at its peak (VmHWM).`,
    ],
    commands: [],
    data: { direct: spreadOf(direct), rows, large: Object.fromEntries(large) },
  };
}

interface Large {
  readonly name: string;
  readonly mbPerSecond: number;
  readonly p50Ms: number;
  /** Of the server's peak of resident memory; undefined for the simulator, which is not measured. */
  readonly grewMb: number | undefined;
}

async function largeBodies(name: string, base: string, pid: number | undefined, agent: Agent): Promise<Large> {
  const before = pid === undefined ? undefined : peakMb(pid);
  const took: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: LARGE_AT_ONCE }, async (_, at) => {
      const askedAt = performance.now();
      const { status, body } = await request(`${base}${LARGE_PATH}&number=${at}`, {
        agent,
        headers,
        timeoutMs: 60_000,
      });
      if (status !== 200 || body.length < LARGE_BYTES)
        throw new Error(`${base} answered ${status}, ${body.length} bytes`);
      took.push(performance.now() - askedAt);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    name,
    mbPerSecond: (LARGE_AT_ONCE * LARGE_BYTES) / 1e6 / seconds,
    p50Ms: quantile(took, 0.5),
    grewMb: pid === undefined || before === undefined ? undefined : peakMb(pid) - before,
  };
}

function medianBy(each: readonly Large[], figureOf: (one: Large) => number): number {
  return spreadOf(each.map(figureOf)).median;
}

/** The median of the ratios within each round. */
function ratioTo(base: readonly Large[] | undefined, each: readonly Large[]): string {
  if (!base) return '';
  return figure(spreadOf(each.map(({ mbPerSecond }, at) => mbPerSecond / (base[at]?.mbPerSecond ?? NaN))).median);
}

/** The most resident memory that the process ever had, in MB. */
function peakMb(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_000;
}
