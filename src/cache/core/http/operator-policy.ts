import type { ResponsePolicy } from './response-policy';

/** What the operator says of responses, over their own word. Durations in milliseconds; what is left out stays as it is. */
export interface OperatorPolicy {
  /** The freshness lifetime, of responses below 400. */
  readonly ttlMs?: number | undefined;
  /** The freshness lifetime of 404, 410 and 451 that say nothing of it. */
  readonly negativeTtlMs?: number | undefined;
  /** Stale-while-revalidate (RFC 5861 §3). */
  readonly swrMs?: number | undefined;
  /** Stale-if-error (RFC 5861 §4), where the response says nothing of it. */
  readonly defaultSieMs?: number | undefined;
  /** Stale-if-error, whatever the response says of it. */
  readonly sieMs?: number | undefined;
}

const NEGATIVE: ReadonlySet<number> = new Set([404, 410, 451]);

/**
 * The response's own policy with the operator's word over it. It lengthens or shortens; it never makes storable what is not, and
 * never reuses without validation what asks for it (`no-cache`, `must-revalidate`, `proxy-revalidate`).
 *
 * One law is bent, for an upstream that is down must not take its answers along: `s-maxage` alone, which forbids stale use without
 * saying so (RFC 9111 §5.2.2.10), does not forbid the operator's stale windows.
 */
export function underOperator(
  policy: ResponsePolicy,
  status: number,
  operator: OperatorPolicy | undefined,
): ResponsePolicy {
  if (!operator) return policy;
  const { ttlMs, negativeTtlMs, swrMs, sieMs, defaultSieMs } = operator;
  const negative = NEGATIVE.has(status) && policy.isHeuristic ? negativeTtlMs : undefined;
  const lifetimeMs = (status < 400 ? ttlMs : negative) ?? policy.lifetimeMs;
  return {
    ...policy,
    lifetimeMs: policy.mustValidate ? 0 : lifetimeMs,
    swrMs: swrMs ?? policy.swrMs,
    sieMs: sieMs ?? policy.sieMs ?? defaultSieMs,
    mustRevalidate: policy.saysMustRevalidate,
  };
}
