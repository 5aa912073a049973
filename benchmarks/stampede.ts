import { setTimeout as pause } from 'node:timers/promises';
import { figure } from './harness/bar-plot';
import { Crowd, type Wave } from './harness/crowd';
import type { BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import type { Answer, Section } from './harness/report';
import { startSurroundings, type Started } from './harness/surroundings';
import { quantile, spreadOf } from './harness/statistics';
import { fromTo } from './harness/tables';
import { nginx } from './sides/nginx';
import { larder, stock, tutorial } from './sides/node-sides';
import { takingPart, type Side } from './sides/side';
import { varnish } from './sides/varnish';

const CLIENTS = 1_000;
const UPSTREAM_MS = 100;
const TTL_SECONDS = 2;
const FAILING_WAVES = 3;
const REPLICAS = [1, 2, 3] as const;

const sides = [larder('Larder'), stock('fastify', 'memory'), stock('fastify', 'redis'), tutorial, nginx, varnish];

type Case = 'cold' | 'expired' | 'failing';
const cases: readonly Case[] = ['cold', 'expired', 'failing'];

interface Outcome {
  readonly side: string;
  readonly replicas: number;
  readonly case: Case;
  readonly calls: number;
  /** Those that had come by the end of each wave. */
  readonly callsByWave: readonly number[];
  readonly tookMs: number;
  readonly waves: readonly Wave[];
}

/** How often the upstream is asked when many want the same at once, and how long they wait. */
export async function stampede(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings(UPSTREAM_MS);
  const outcomes: Outcome[] = [];
  try {
    for (const side of chosen.sides) {
      for (const replicas of REPLICAS) outcomes.push(...(await withReplicas(side, replicas, around, options.rounds)));
    }
  } finally {
    await around.stop();
  }
  return {
    question: 'stampede',
    asks: `${CLIENTS} clients ask for one key at once; the upstream takes ${UPSTREAM_MS} ms. How often is it asked?`,
    sections: cases.map((name) => section(name, outcomes)),
    notes: [
      ...chosen.notes,
      `Failing: the upstream answers 500; ${FAILING_WAVES} waves of ${CLIENTS}, one behind the other. Calls are those of all the waves; "by wave": how many there had been at the end of each, in the first round.`,
      'Varnish serves an expired answer for its default grace of 10 s and refreshes behind.',
      'Replicas share one core: the latencies tell the order, not what more machines would do.',
    ],
    commands: [],
    data: outcomes.map(({ waves, ...rest }) => ({ ...rest, ...summary(waves) })),
  };
}

async function withReplicas(side: Side, replicas: number, around: Started, rounds: number): Promise<Outcome[]> {
  await around.redis.command('FLUSHALL');
  const servers = await Promise.all(
    Array.from({ length: replicas }, () => side.start({ ...around.fresh(TTL_SECONDS) })),
  );
  const crowd = new Crowd(
    servers.map(({ url }) => url),
    CLIENTS,
  );
  const outcomes: Outcome[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const name of cases) {
        const outcome = { side: side.name, replicas, case: name, ...(await play(name, side, crowd, around, round)) };
        tell(`  ${side.name}, ${replicas} replicas, ${name}: ${outcome.calls} upstream calls`);
        outcomes.push(outcome);
      }
    }
    return outcomes;
  } finally {
    crowd.leave();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function play(
  name: Case,
  { accountPath = '/' }: Side,
  crowd: Crowd,
  { simulator }: Started,
  round: number,
): Promise<Pick<Outcome, 'calls' | 'callsByWave' | 'tookMs' | 'waves'>> {
  const account = `${name}-${round}`;
  const path = `${accountPath}${account}`;
  if (name === 'expired') {
    await crowd.ask(path);
    await pause(TTL_SECONDS * 1_000 + 300);
  }
  await crowd.connect();
  if (name === 'failing') simulator.faults.always({ kind: 'status', status: 500 }, new RegExp(`/${account}$`));
  simulator.requests.reset();
  const startedAt = performance.now();
  const waves: Wave[] = [];
  const callsByWave: number[] = [];
  const calls = (): number => simulator.requests.count(new RegExp(`/${account}$`));
  for (let wave = 0; wave < (name === 'failing' ? FAILING_WAVES : 1); wave += 1) {
    waves.push(await crowd.ask(path));
    callsByWave.push(calls());
  }
  const tookMs = performance.now() - startedAt;
  await pause(UPSTREAM_MS * 2); // what goes on behind the answers counts too
  simulator.faults.clear();
  return { calls: calls(), callsByWave, tookMs, waves };
}

interface Summary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly statuses: Readonly<Record<string, number>>;
}

function summary(waves: readonly Wave[]): Summary {
  const latencies = waves.flatMap(({ latenciesMs }) => latenciesMs);
  const statuses: Record<string, number> = {};
  for (const [status, count] of waves.flatMap((wave) => Object.entries(wave.statuses)))
    statuses[status] = (statuses[status] ?? 0) + count;
  return { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99), statuses };
}

function section(name: Case, all: readonly Outcome[]): Section {
  const ofCase = all.filter((outcome) => outcome.case === name);
  const labelOf = ({ side, replicas }: Outcome): string => `${side} × ${replicas}`;
  const labels = [...new Set(ofCase.map(labelOf))];
  const groups = labels.map((label) => [label, ofCase.filter((outcome) => labelOf(outcome) === label)] as const);
  const rows = groups.map(([label, outcomes]) => ({
    label,
    calls: spreadOf(outcomes.map(({ calls }) => calls)),
    byWave: outcomes[0]?.callsByWave.join(' → ') ?? '',
    tookMs: spreadOf(outcomes.map(({ tookMs }) => tookMs)).median,
    ...summary(outcomes.flatMap(({ waves }) => waves)),
  }));
  return {
    title: `Stampede on ${name === 'cold' ? 'a cold' : name === 'expired' ? 'an expired' : 'a failing'} key`,
    columns: ['side × replicas', 'upstream calls', 'from–to', 'by wave', 'p50 ms', 'p99 ms', 'took ms', 'statuses'],
    rows: rows.map(({ label, calls, byWave, tookMs, p50Ms, p99Ms, statuses }) => [
      ...[label, figure(calls.median), fromTo(calls), byWave, figure(p50Ms), figure(p99Ms), figure(tookMs)],
      Object.entries(statuses)
        .map(([status, count]) => `${status}: ${count}`)
        .join(', '),
    ]),
    plot: {
      unit: 'upstream calls',
      bars: rows.map(({ label, calls: { median, min, max } }) => ({
        ...{ label, value: median, min, max },
        isOurs: label.startsWith('Larder'),
      })),
    },
  };
}
