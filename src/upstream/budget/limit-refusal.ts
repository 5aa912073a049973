import { retryAfterMs } from '../retry-after';
import type { Refusal } from './credential-budget';
import type { LimitedAnswer, RateLimitAdapter } from './rate-limit-adapter';

/** The members of an adapter that the definition sets. */
export type OwnMembers = Omit<RateLimitAdapter, 'read' | 'bodyBytesOf'>;

export const MIN_WAIT_MS = 1_000;
export const DAY_MS = 86_400_000;
/** Larger numbers of seconds are instants since the epoch. */
export const MAX_DELTA_SECONDS = 1_000_000_000;
/** Names of limits become labels of metrics. */
export const LIMIT_NAME = /^[\w.:/-]{1,64}$/;
/** The wait where the upstream says nothing; it doubles with each refusal in a row. */
const DEFAULT_WAIT_MS = 60_000;

/** What decides whether an answer is a refusal, and for how long. */
export interface RefusalFacts {
  readonly refusals: readonly number[];
  readonly isSpent: boolean;
  readonly resetAt?: number | undefined;
  readonly isRefusedByBody?: boolean;
  readonly resource: string;
  readonly maxWaitMs: number;
}

/**
 * How long to wait after a refusal: `Retry-After` or until the reset of a spent limit, the later of both, else a minute.
 *
 * @returns undefined where the answer is about something else; a 403 may also be a refusal of access
 */
export function refusalOf({ status, field }: LimitedAnswer, now: number, facts: RefusalFacts): Refusal | undefined {
  const { refusals, isSpent, resetAt, isRefusedByBody = false, resource, maxWaitMs } = facts;
  if (!refusals.includes(status)) return undefined;
  const retryAfter = field('retry-after');
  const askedMs = retryAfterMs(retryAfter, now, field('date'));
  const waits = [askedMs, resetAt === undefined ? undefined : resetAt - now].filter((ms) => ms !== undefined);
  const scope = isSpent ? resource : undefined;
  if (waits.length > 0) return { waitMs: clamped(Math.max(...waits), maxWaitMs), resource: scope, hasDuration: true };
  const isRefusal = isSpent || status === 429 || retryAfter !== undefined || isRefusedByBody;
  return isRefusal ? { waitMs: DEFAULT_WAIT_MS, resource: scope, hasDuration: false } : undefined;
}

/** Milliseconds of a wait, between a second and the maximum. */
export function clamped(ms: number, maxMs: number): number {
  return Math.min(maxMs, Math.max(MIN_WAIT_MS, ms));
}
