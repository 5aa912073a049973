/**
 * The remaining rate limits of one credential, as pure functions of the responses' fields. Instants are milliseconds since the epoch, by
 * this machine's clock.
 */

/** A limit as the upstream last announced it. */
export interface ResourceLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: number;
  /**
   * For a sliding window: when the request of the announcing response was sent. The remainder grows while it slides, so the newest counts.
   */
  readonly seenAt?: number | undefined;
}

/** The upstream has refused: nothing of this is to be sent until then. */
export interface Refusal {
  readonly waitMs: number;
  /** The one resource, where its limit is spent; else the whole credential (a secondary limit). */
  readonly resource: string | undefined;
  /** Whether the upstream said how long. If not, the wait doubles with each refusal in a row. */
  readonly hasDuration: boolean;
}

/** What one answer says of the limits. */
export interface LimitReading {
  readonly resource: string;
  readonly limit: ResourceLimit | undefined;
  readonly refusal: Refusal | undefined;
  /** Whether the limit's window slides, so that the newest answer counts rather than the lowest number. */
  readonly isSliding?: boolean;
}

export interface CredentialBudget {
  readonly resources: Readonly<Record<string, ResourceLimit>>;
  readonly pausedUntil: number;
  /** Refusals in a row without a duration. */
  readonly consecutiveRefusals: number;
}

export const NOTHING_KNOWN: CredentialBudget = { resources: {}, pausedUntil: 0, consecutiveRefusals: 0 };

const MAX_WAIT_MS = 3_600_000;
/** Two instants of one window may differ by the rounding of seconds and by the clocks' drift between two answers. */
const SAME_WINDOW_MS = 5_000;
const MAX_RESOURCES = 50;

/**
 * @param sentAt when the request that was answered was sent: of requests under way at once, refused all of them, the first alone
 * is a strike, for the others were sent before anybody knew
 */
export function after(
  budget: CredentialBudget,
  { resource, limit: announced, refusal, isSliding }: LimitReading,
  { sentAt, now }: { readonly sentAt: number; readonly now: number },
): CredentialBudget {
  const known = Object.hasOwn(budget.resources, resource) ? budget.resources[resource] : undefined;
  const limit = announced && isSliding === true ? { ...announced, seenAt: sentAt } : announced;
  const newest = limit && (known ? latest(known, limit) : limit);
  const resources = newest ? { ...current(budget.resources, now), [resource]: newest } : budget.resources;
  const isSentSince = sentAt >= heldUntil(budget, refusal?.resource);
  if (!refusal) return { ...budget, resources, consecutiveRefusals: isSentSince ? 0 : budget.consecutiveRefusals };
  // For a window that is over: the next one is known already.
  if (refusal.resource !== undefined && limit && newest && isLater(newest, limit)) return { ...budget, resources };
  const consecutiveRefusals = !isSentSince
    ? budget.consecutiveRefusals
    : refusal.hasDuration
      ? 0
      : budget.consecutiveRefusals + 1;
  const times = refusal.hasDuration ? 1 : 2 ** Math.max(0, consecutiveRefusals - 1);
  const until = now + Math.min(MAX_WAIT_MS, refusal.waitMs * times);
  if (refusal.resource === undefined)
    return { resources, pausedUntil: Math.max(budget.pausedUntil, until), consecutiveRefusals };
  const last = newest ?? known;
  const spent = { limit: last?.limit ?? 0, remaining: 0, resetAt: Math.max(until, last?.resetAt ?? 0) };
  return { ...budget, resources: { ...resources, [refusal.resource]: spent }, consecutiveRefusals };
}

/** Merges two views of the same credential: for one window the lower remainder, for two windows the later. */
export function merged(one: CredentialBudget, other: CredentialBudget): CredentialBudget {
  const resources: Record<string, ResourceLimit> = { ...one.resources };
  for (const [name, limit] of Object.entries(other.resources)) {
    const known = resources[name];
    resources[name] = known ? latest(known, limit) : limit;
  }
  return {
    resources,
    pausedUntil: Math.max(one.pausedUntil, other.pausedUntil),
    consecutiveRefusals: consecutiveRefusalsOf(one, other),
  };
}

/** For how long nothing of the resource may be sent, in milliseconds; 0 for not at all. */
export function waitOf(budget: CredentialBudget, resource: string, now: number): number {
  return Math.max(0, heldUntil(budget, resource) - now);
}

/** How many requests may still be sent in this window, as far as is known. */
export function leftOf(budget: CredentialBudget, resource: string, now: number): number {
  const limit = budget.resources[resource];
  return limit === undefined || limit.resetAt <= now ? Infinity : limit.remaining;
}

/** Whether the remainder is reserved for waiting requests. */
export function isReserved(budget: CredentialBudget, resource: string, reserve: number, now: number): boolean {
  const limit = budget.resources[resource];
  return limit !== undefined && limit.resetAt > now && limit.remaining <= limit.limit * reserve;
}

function heldUntil({ resources, pausedUntil }: CredentialBudget, resource: string | undefined): number {
  const limit = resource === undefined ? undefined : resources[resource];
  return Math.max(pausedUntil, limit && limit.remaining <= 0 ? limit.resetAt : 0);
}

/** The limits, without expired windows if there are many: an API may invent a name for each path. */
function current(resources: CredentialBudget['resources'], now: number): CredentialBudget['resources'] {
  const limits = Object.entries(resources);
  return limits.length < MAX_RESOURCES
    ? resources
    : Object.fromEntries(limits.filter(([, { resetAt }]) => resetAt > now).slice(-MAX_RESOURCES));
}

/** The limit as both say: of the later window, and within one window the lower remainder. */
export function newerLimit(one: ResourceLimit, other: ResourceLimit | undefined): ResourceLimit {
  if (other === undefined || isLater(one, other)) return one;
  if (isLater(other, one)) return other;
  return other.remaining < one.remaining ? { ...other, resetAt: one.resetAt } : one;
}

function latest(one: ResourceLimit, other: ResourceLimit): ResourceLimit {
  if (one.seenAt !== undefined && other.seenAt !== undefined) return other.seenAt >= one.seenAt ? other : one;
  if (isLater(other, one)) return other;
  if (isLater(one, other)) return one;
  const { limit, remaining } = other.remaining <= one.remaining ? other : one;
  return { limit, remaining, resetAt: Math.max(one.resetAt, other.resetAt) };
}

function isLater(one: ResourceLimit, other: ResourceLimit): boolean {
  return one.resetAt - other.resetAt > SAME_WINDOW_MS;
}

/** Take the count of the later pause; for equal pauses the lower one, because a success resets it. */
function consecutiveRefusalsOf(one: CredentialBudget, other: CredentialBudget): number {
  if (one.pausedUntil === other.pausedUntil) return Math.min(one.consecutiveRefusals, other.consecutiveRefusals);
  return one.pausedUntil > other.pausedUntil ? one.consecutiveRefusals : other.consecutiveRefusals;
}
