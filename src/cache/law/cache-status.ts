import type { HttpAnswer, StoredAnswer } from '../model/exchange';
import { isFromStore } from '../model/cache-outcome';
import { ageMs, freshForMs } from './freshness';

/** The header fields that describe the cache's work; all of them derive from the outcome, only here. */
export interface CacheFields {
  readonly 'cache-status': string;
  readonly age: string;
  readonly 'x-cache': 'HIT' | 'MISS';
}

/**
 * `Cache-Status` (RFC 9211), `Age` in whole seconds (RFC 9111 §5.1) and `X-Cache` as Nest's own interceptor writes it.
 *
 * `hit` and `fwd` exclude each other (RFC 9211 §2.2). An entry served because the upstream is down counts as a hit, as in §2.1, with a
 * negative `ttl` and the reason in `detail`.
 */
export function cacheFields(answer: StoredAnswer, key: string, now: number): CacheFields {
  const { entry, outcome } = answer;
  return {
    // A route's key mostly has a single response: `miss` says it all.
    'cache-status': cacheStatusOf(
      answer.forwarded === 'uri-miss' ? { ...answer, forwarded: 'miss' } : answer,
      key,
      now,
    ),
    age: String(Math.floor(ageMs(entry, now) / 1000)),
    'x-cache': isFromStore(outcome) ? 'HIT' : 'MISS',
  };
}

/** `Cache-Status` of an answer (RFC 9211). */
export function cacheStatusOf(answer: HttpAnswer, key: string, now: number): string {
  const parts = ['larder'];
  if (isFromStore(answer.outcome)) parts.push('hit');
  else {
    parts.push(`fwd=${answer.forwarded ?? 'miss'}`);
    if (answer.forwardedStatus !== undefined) parts.push(`fwd-status=${answer.forwardedStatus}`);
    if (answer.collapsed) parts.push('collapsed');
    if (answer.stored) parts.push('stored');
  }
  // RFC 9211 §2.4: "the response's remaining freshness lifetime" in the cache, so none of a response that is not in it; negative for a stale
  // one. A hit that was fresh when it was found is not stale when it is sent a millisecond later.
  if (answer.kind === 'stored' && (isFromStore(answer.outcome) || answer.stored === true)) {
    const ttl = Math.floor(freshForMs(answer.entry, now) / 1000);
    parts.push(`ttl=${answer.outcome === 'HIT' ? Math.max(0, ttl) : ttl}`);
  }
  const reason = answer.failure === undefined ? '' : `:${answer.failure}`;
  return [...parts, `key="${key}"`, `detail=${answer.outcome}/${answer.tier}${reason}`].join('; ');
}

/** `Cache-Status` of a failed request: the key, and the error's code. */
export function cacheStatusOfError(
  key: string,
  code: string,
  forwarded: 'miss' | 'bypass' | 'method' = 'miss',
): string {
  // A request for a stored response only was not forwarded (RFC 9211 §2.2).
  const forward = code === 'not-cached' ? '' : ` fwd=${forwarded};`;
  return `larder;${forward} key="${key}"; detail=ERROR:${code}`;
}
