import type { FiguresDocument, ReplicaFigures } from './events.documents';
import { BUCKETS, percentile } from './latency-histogram';
import type { BreakerFigure, BudgetFigure, ProcessSample } from './process-sample';

/** A process that sends samples, by its last one. */
export interface KnownProcess {
  readonly last: ProcessSample;
  /** ms since the epoch, by the clock of this process. */
  readonly seenAt: number;
}

/** So long after its last word a process counts as up, in milliseconds. */
export const UP_MS = 5_000;
const MAX_REPLICAS = 100;
const MAX_BUDGETS = 100;
const WORST = ['closed', 'half-open', 'open'] as const;

/**
 * The figures of a second: counts from the samples of that second; states from the last sample of each process. They depend on the
 * arguments alone, so that all replicas with the same samples show the same.
 */
export function figuresOf(
  at: number,
  samples: readonly ProcessSample[],
  known: readonly KnownProcess[],
): FiguresDocument {
  const up = known.filter(({ seenAt }) => seenAt >= at - UP_MS).map(({ last }) => last);
  return {
    at,
    requests: sumByName(samples.map(({ requests }) => requests)),
    latencyMs: latencyOf(samples),
    upstream: {
      calls: sum(samples, ({ upstream }) => upstream.calls),
      notModified: sum(samples, ({ upstream }) => upstream.notModified),
      saved: sum(samples, ({ upstream }) => upstream.saved),
    },
    l1: {
      entries: sum(up, ({ l1 }) => l1.entries),
      bytes: sum(up, ({ l1 }) => l1.bytes),
      maxBytes: sum(up, ({ l1 }) => l1.maxBytes),
    },
    store: storeOf(up),
    budgets: budgetsOf(up),
    breakers: breakersOf(up),
    runwayMs: runwayOf(up),
    replicas: replicasOf(at, samples, known),
  };
}

function latencyOf(samples: readonly ProcessSample[]): FiguresDocument['latencyMs'] {
  const byOutcome = new Map<string, Uint32Array>();
  for (const { latency } of samples) {
    for (const [outcome, pairs] of Object.entries(latency)) {
      const counts = byOutcome.get(outcome) ?? new Uint32Array(BUCKETS);
      byOutcome.set(outcome, counts);
      for (let at = 0; at + 1 < pairs.length; at += 2) {
        const bucket = Math.min(pairs[at] ?? 0, BUCKETS - 1);
        counts[bucket] = (counts[bucket] ?? 0) + (pairs[at + 1] ?? 0);
      }
    }
  }
  return Object.fromEntries(
    [...byOutcome].map(([outcome, counts]) => [
      outcome,
      { p50: percentile(counts, 0.5) ?? 0, p99: percentile(counts, 0.99) ?? 0 },
    ]),
  );
}

/** Down for one is down; of sizes the highest, for all see the same Redis. */
function storeOf(samples: readonly ProcessSample[]): FiguresDocument['store'] {
  const stores = samples.map(({ store }) => store);
  return {
    kind: stores.some(({ kind }) => kind === 'redis') ? 'redis' : 'memory',
    isUp: stores.every(({ isUp }) => isUp),
    problem: stores.find(({ problem }) => problem !== null)?.problem ?? null,
    usedBytes: highest(stores.map(({ usedBytes }) => usedBytes)),
    entries: highest(stores.map(({ entries }) => entries)),
  };
}

/** Of the later window; within one the least that is left, for no process knows of all requests. */
function budgetsOf(samples: readonly ProcessSample[]): FiguresDocument['budgets'] {
  const merged = new Map<string, BudgetFigure>();
  for (const budget of samples.flatMap(({ budgets }) => budgets)) {
    const name = JSON.stringify([budget.upstream, budget.credential, budget.resource]);
    const there = merged.get(name);
    const isNewer =
      !there ||
      budget.resetAt > there.resetAt ||
      (budget.resetAt === there.resetAt && budget.remaining < there.remaining);
    if (isNewer) merged.set(name, budget);
  }
  return [...merged]
    .sort(byName)
    .map(([, budget]) => budget)
    .slice(0, MAX_BUDGETS);
}

function breakersOf(samples: readonly ProcessSample[]): FiguresDocument['breakers'] {
  const worst = new Map<string, BreakerFigure>();
  for (const breaker of samples.flatMap(({ breakers }) => breakers)) {
    const there = worst.get(breaker.upstream);
    if (!there || WORST.indexOf(breaker.state) > WORST.indexOf(there.state)) worst.set(breaker.upstream, breaker);
  }
  return [...worst].sort(byName).map(([, breaker]) => breaker);
}

/** The least of all, and the median of the processes' medians. */
function runwayOf(samples: readonly ProcessSample[]): FiguresDocument['runwayMs'] {
  const all = samples.flatMap(({ runwayMs }) => runwayMs ?? []).sort((one, other) => one.p50 - other.p50);
  const middle = all[Math.floor(all.length / 2)];
  return middle ? { p50: middle.p50, least: Math.min(...all.map(({ least }) => least)) } : null;
}

function replicasOf(
  at: number,
  samples: readonly ProcessSample[],
  known: readonly KnownProcess[],
): readonly ReplicaFigures[] {
  const byReplica = new Map<string, KnownProcess[]>();
  for (const one of known) byReplica.set(one.last.replica, [...(byReplica.get(one.last.replica) ?? []), one]);
  return [...byReplica]
    .sort(byName)
    .slice(0, MAX_REPLICAS)
    .map(([id, processes]) => {
      const up = processes.filter(({ seenAt }) => seenAt >= at - UP_MS).map(({ last }) => last);
      const own = samples.filter(({ replica }) => replica === id);
      const latest = processes.reduce((one, other) => (other.seenAt > one.seenAt ? other : one));
      return {
        ...{ id, pid: latest.last.pid, workers: up.length, version: latest.last.version },
        startedAt: Math.min(...processes.map(({ last }) => last.startedAt)),
        requests: sum(own, ({ requests }) => sum(Object.values(requests), (number) => number)),
        hits: sum(own, ({ requests }) => requests['HIT'] ?? 0),
        l1Bytes: sum(up, ({ l1 }) => l1.bytes),
        l1Entries: sum(up, ({ l1 }) => l1.entries),
        ...{ isUp: up.length > 0, seenAt: latest.seenAt },
      };
    });
}

function sumByName(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, value] of all.flatMap(Object.entries)) sums[name] = (sums[name] ?? 0) + Number(value);
  return sums;
}

function sum<T>(all: readonly T[], read: (one: T) => number): number {
  return all.reduce((total, one) => total + read(one), 0);
}

function highest(all: readonly (number | null)[]): number | null {
  return all.reduce<number | null>((best, one) => (one !== null && (best === null || one > best) ? one : best), null);
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
