import { isSuccess, type ResponsePolicy } from './response-policy';

/**
 * The freshness rules of a route or of the operator, applied over the response's own. Durations in milliseconds; for an absent member the
 * response's own value holds.
 */
export interface CachePolicy {
  /** The freshness lifetime, of responses below 400. */
  readonly ttlMs?: number | undefined;
  /** The freshness lifetime of 2xx responses that do not state one. */
  readonly defaultTtlMs?: number | undefined;
  /** The freshness lifetime of 404, 410 and 451 responses that do not state one. */
  readonly negativeTtlMs?: number | undefined;
  /** Stale-while-revalidate (RFC 5861 §3). */
  readonly staleWhileRevalidateMs?: number | undefined;
  /** Stale-while-revalidate of responses that do not state it. */
  readonly defaultStaleWhileRevalidateMs?: number | undefined;
  /** Stale-if-error (RFC 5861 §4). */
  readonly staleIfErrorMs?: number | undefined;
  /** Stale-if-error of responses that do not state it. */
  readonly defaultStaleIfErrorMs?: number | undefined;
  /** The share of the lifetime, 0 to 1, by which it may be shortened at random. */
  readonly jitter?: number | undefined;
  /** The beta of the probabilistic early refresh (`freshness.ts`); absent or 0 for none. */
  readonly earlyRefreshBeta?: number | undefined;
  /** How long a request waits for a load that continues and is stored; absent for the general deadline. */
  readonly deadlineMs?: number | undefined;
  /** Whether the rule itself states the lifetime of a 2xx, as RFC 9111 §3 asks for with statuses that are not heuristically cacheable. */
  readonly isExplicit?: boolean | undefined;
  /** Whether the stale windows count for a `must-revalidate` response, too: of an upstream whose framework marks every response so. */
  readonly staleDespiteMustRevalidate?: boolean | undefined;
}

export const NEGATIVE: ReadonlySet<number> = new Set([404, 410, 451]);

/**
 * The response's own policy, overridden by the rule. A rule lengthens or shortens; it never allows reuse without validation against
 * `no-cache`, `must-revalidate` or `proxy-revalidate`.
 *
 * Two exceptions to the RFC, so that an upstream that is down does not take its responses with it: `s-maxage` alone, which implies
 * proxy-revalidate (RFC 9111 §5.2.2.10), does not forbid the stale windows of a rule, and neither does `must-revalidate` where the
 * definition of the upstream says so.
 */
export function applyPolicy(own: ResponsePolicy, status: number, policy: CachePolicy | undefined): ResponsePolicy {
  if (!policy) return own;
  const {
    ttlMs,
    staleWhileRevalidateMs,
    staleIfErrorMs,
    defaultStaleWhileRevalidateMs,
    defaultStaleIfErrorMs,
    jitter = 0,
  } = policy;
  const isNegative = NEGATIVE.has(status) && own.isHeuristic;
  const isWaived = policy.staleDespiteMustRevalidate === true && own.revalidation === 'when-stale';
  const lifetimeMs = isNegative
    ? policy.negativeTtlMs
    : ((status < 400 ? ttlMs : undefined) ?? (own.isHeuristic && isSuccess(status) ? policy.defaultTtlMs : undefined));
  return {
    ...own,
    lifetimeMs: own.revalidation === 'always' ? 0 : (lifetimeMs ?? own.lifetimeMs),
    // A missing resource may exist again: no request gets a stored "not found" beyond its lifetime without a new load.
    staleWhileRevalidateMs: isNegative
      ? own.staleWhileRevalidateMs
      : (staleWhileRevalidateMs ?? own.staleWhileRevalidateMs ?? defaultStaleWhileRevalidateMs),
    staleIfErrorMs: staleIfErrorMs ?? own.staleIfErrorMs ?? defaultStaleIfErrorMs,
    revalidation: own.revalidation === 'when-stale-implied' || isWaived ? 'none' : own.revalidation,
    jitter,
  };
}
