import type { CacheEntry } from '../cache-entry';
import type { HttpCacheRequest, OriginResponse } from './exchange';
import { underOperator } from './operator-policy';
import { responsePolicy, type ResponsePolicy } from './response-policy';
import { updatedHeaders } from './update';

/** Statuses that are never stored, whatever the response says; undefined for none. */
export type NeverStored = ReadonlySet<number> | undefined;

/** RFC 5861 §4 */
const FAILED_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** What the response allows and the operator says. */
export function policyOf(
  { hasAuthorization, kind, operator }: HttpCacheRequest,
  response: OriginResponse,
  neverStored: NeverStored,
): ResponsePolicy {
  const own = responsePolicy(response, kind, { hasAuthorization, isNoStore: false });
  const policy = underOperator(own, response.status, operator);
  const isStorable = policy.isStorable && !neverStored?.has(response.status);
  return { ...policy, isStorable: isStorable && response.isRefusal !== true };
}

/** As of the stored response, with what a 304 or a HEAD says over it (RFC 9111 §3.2): what they leave out still holds. */
export function policyOfUpdated(
  request: HttpCacheRequest,
  response: OriginResponse,
  base: CacheEntry,
  neverStored: NeverStored,
): ResponsePolicy {
  const stored = base.headers.filter(([name]) => name !== 'date');
  const headers = updatedHeaders(stored, response.headers);
  return policyOf(request, { ...response, status: base.status, headers }, neverStored);
}

/** Whether a stale response may stand in for this one, if it may for any. */
export function hasFailed({ status, isRefusal }: Pick<OriginResponse, 'status' | 'isRefusal'>): boolean {
  return FAILED_STATUSES.has(status) || isRefusal === true;
}
