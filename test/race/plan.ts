import type { InvalidationMode, InvalidationTarget } from '../../src/cache/store/cache-store';
import { RACE_KEYS, readingsOf, targetsOf, type RaceKey, type Reading } from './catalog';
import { Random } from './random';

export type FaultKind =
  | 'restart-empty'
  | 'restart-with-old-data'
  | 'kill-connections'
  | 'kill-one-connection'
  | 'deafen-one'
  | 'freeze'
  | 'flush'
  | 'read-only'
  | 'full';

export type Action =
  | {
      readonly kind: 'read';
      readonly key: RaceKey;
      readonly reading: Reading;
      readonly replica: number;
      readonly count: number;
      readonly ttlMs: number;
      readonly staleWhileRevalidateMs: number;
    }
  | { readonly kind: 'bump'; readonly key: RaceKey }
  | {
      readonly kind: 'invalidate';
      readonly target: InvalidationTarget;
      readonly mode: InvalidationMode;
      readonly replica: number;
    }
  | { readonly kind: 'delete-entry'; readonly key: RaceKey }
  | { readonly kind: 'lose-lease'; readonly key: RaceKey }
  /** Bookkeeping that Redis might evict. */
  | { readonly kind: 'lose-bookkeeping'; readonly what: 'ledger' | 'tag index'; readonly key: RaceKey }
  /** Values of others, for which a small Redis evicts ours. */
  | { readonly kind: 'crowd'; readonly replica: number; readonly draw: number }
  | { readonly kind: 'save' }
  | { readonly kind: 'fault'; readonly fault: FaultKind; readonly freezeMs: number; readonly draw: number };

/** What there is most of: everything; soft purges of resources; those without faults, and mostly projections; values of others on a small Redis, and no faults. */
export type Course = 'mixed' | 'soft-purges' | 'projections' | 'crowded';

/** What is done, and how long the driver pauses after it. */
export type Step = Action & { readonly pauseMs: number };

const FAULTS: readonly FaultKind[] = [
  'restart-empty',
  'restart-with-old-data',
  'kill-connections',
  'kill-one-connection',
  'deafen-one',
  'freeze',
  'flush',
  'read-only',
  'full',
];
/** Room after a fault to heal and to be checked again. */
const STEPS_BETWEEN_FAULTS = 200;
/** Invalidations right behind a fault: what a replica misses while it is cut off must not come back later. */
const STEPS_IN_THE_WAKE = 6;

/** The steps of a seed: its only source of chance, so that the same seed is the same race as far as timing lets it. */
export function planSteps(seed: number, steps: number, replicas: number, course: Course = 'mixed'): Step[] {
  const isCrowded = course === 'crowded';
  const random = new Random(seed);
  const offset = random.between(100, STEPS_BETWEEN_FAULTS - 1);
  const firstFault = random.between(0, FAULTS.length - 1);
  return Array.from({ length: steps }, (_, i): Step => {
    const sinceFault = isCrowded || course === 'projections' ? NaN : (i - offset) % STEPS_BETWEEN_FAULTS;
    if (sinceFault === 0) {
      const fault = FAULTS[(firstFault + (i - offset) / STEPS_BETWEEN_FAULTS) % FAULTS.length] ?? 'freeze';
      return { kind: 'fault', fault, freezeMs: random.pick([150, 400]), draw: random.next(), pauseMs: 5 };
    }
    if (sinceFault > 0 && sinceFault <= STEPS_IN_THE_WAKE) {
      const target = { kind: 'prefix', prefix: random.pick(RACE_KEYS).prefix } as const;
      return { kind: 'invalidate', target, mode: 'purge', replica: random.between(0, replicas - 1), pauseMs: 5 };
    }
    const pauseMs = random.chance(0.3) ? 0 : random.chance(0.05) ? 60 : random.between(1, 12);
    if (isCrowded && random.chance(0.3))
      return { kind: 'crowd', replica: random.between(0, replicas - 1), draw: random.next(), pauseMs: 0 };
    return { ...planAction(random, replicas, course), pauseMs };
  });
}

function planAction(random: Random, replicas: number, course: Course): Action {
  const isSoft = course === 'soft-purges' || course === 'projections';
  const key = random.pick(isSoft ? RACE_KEYS.filter(({ kind }) => kind === 'resource') : RACE_KEYS);
  const replica = random.between(0, replicas - 1);
  const roll = random.next();
  if (roll < (isSoft ? 0.66 : 0.76)) {
    return {
      kind: 'read',
      key,
      reading: course === 'projections' && random.chance(0.7) ? 'projection' : random.pick(readingsOf(key)),
      replica,
      count: random.between(1, 4),
      // The long ones outlive a fault and the check's pause after it.
      ttlMs: random.chance(0.2) ? random.between(2_000, 5_000) : random.between(20, 500),
      staleWhileRevalidateMs: random.chance(0.3) ? random.between(50, 300) : 0,
    };
  }
  if (roll < (isSoft ? 0.67 : 0.8)) return { kind: 'bump', key };
  if (roll < 0.95) {
    return {
      kind: 'invalidate',
      target: random.pick(targetsOf(key)),
      mode: random.chance(isSoft ? 0.95 : 0.35) ? 'stale' : 'purge',
      replica,
    };
  }
  if (roll < 0.97) return { kind: 'delete-entry', key };
  if (roll < 0.985) return { kind: 'lose-bookkeeping', what: random.chance(0.3) ? 'ledger' : 'tag index', key };
  return random.chance(0.7) ? { kind: 'lose-lease', key } : { kind: 'save' };
}
