import { setTimeout as pause } from 'node:timers/promises';
import type { RedisProcess } from '../support/redis-process';
import { History } from './history';
import { finalCheck } from './final-check';
import { planSteps, type Course, type Step } from './plan';
import { withoutBookkeeping, type Plant } from './plants';
import { PromiseBook } from './promise-book';
import { Random } from './random';
import { Readers } from './readers';
import { RedisFaults } from './redis-faults';
import { Referee, type Violation } from './referee';
import { Replica } from './replica';
import { Invalidations } from './invalidations';
import { VersionedUpstream } from './versioned-upstream';

/** A Redis that is too small for the race and evicts anything. */
export const CROWDED = { maxmemory: '3mb', 'maxmemory-policy': 'allkeys-random' } as const;

export interface RaceOptions {
  readonly seed: number;
  readonly steps: number;
  readonly replicas?: number;
  /** A Redis of the race's own: it is killed, frozen and restarted. */
  readonly redis: RedisProcess;
  readonly course?: Course;
  /** The bug that the race must find. */
  readonly plant?: Plant | undefined;
  readonly log?: (line: string) => void;
}

export interface RaceReport {
  readonly seed: number;
  readonly steps: number;
  readonly durationMs: number;
  readonly loads: number;
  readonly invalidations: number;
  readonly refusedInvalidations: number;
  readonly faults: number;
  readonly answersChecked: number;
  /** Of those, the answers to requests that an invalidation had gone before. */
  readonly answersBound: number;
  readonly answersExempt: number;
  readonly answersFailed: number;
  readonly violations: readonly Violation[];
}

/**
 * Replicas of the cache on one Redis, reads, invalidations and faults in an order drawn from a seed, and a judge who knows
 * the truth. What is promised: an invalidation that was answered is never followed by the old value, on the replica that
 * was asked at once, on the others after 50 ms, also when a load that began before it ends after it.
 *
 * Its one invariant: every step is drawn from the seed; only the timing is real. It stops at the first violation.
 */
export async function runRace(options: RaceOptions): Promise<RaceReport> {
  const { seed, steps, replicas: size = 3, redis, course = 'mixed', plant, log } = options;
  const mend = plant === 'bookkeeping' ? withoutBookkeeping() : undefined;
  const history = new History();
  const book = new PromiseBook();
  const upstream = new VersionedUpstream(new Random(seed ^ 0x5eed), history);
  const replicas = Array.from({ length: size }, (_, i) => new Replica(i, redis.uri, plant));
  const referee = new Referee(book, history);
  const faults = new RedisFaults(redis, replicas, book, history);
  const readers = new Readers(replicas, upstream, faults, referee, history);
  const invalidations = new Invalidations(replicas, redis, upstream, book, history);

  const take = async (step: Step): Promise<void> => {
    if (step.kind === 'read') await readers.read(step);
    else if (step.kind === 'fault') await faults.begin(step, () => readers.readAll());
    else invalidations.take(step);
  };

  try {
    await Promise.all(replicas.map((replica) => replica.untilHealed()));
    const plan = planSteps(seed, steps, size, course);
    for (const [i, step] of plan.entries()) {
      if (referee.violations.length > 0) break;
      if (i % 250 === 0) log?.(`step ${i} of ${steps}, ${referee.checked} answers checked`);
      await take(step);
      if (step.pauseMs > 0) await pause(step.pauseMs);
    }
    await faults.settled();
    await Promise.all([readers.settled(), invalidations.settled()]);
    if (referee.violations.length === 0 && course !== 'crowded' && !plant)
      await finalCheck({ replicas, readers, referee, upstream, book, history });
  } finally {
    mend?.();
    book.close();
    await Promise.all(replicas.map((replica) => replica.close()));
  }
  return {
    seed,
    steps,
    durationMs: Math.round(history.now()),
    loads: upstream.totalLoads,
    invalidations: invalidations.answered,
    refusedInvalidations: invalidations.refused,
    faults: faults.count,
    answersChecked: referee.checked,
    answersBound: referee.bound,
    answersExempt: referee.exempt,
    answersFailed: readers.failed,
    violations: referee.violations,
  };
}
