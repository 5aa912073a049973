import type { CacheEntry } from '../model/cache-entry';
import type { HttpCacheRequest, OriginResponse } from '../model/exchange';
import { applyPolicy } from './cache-policy';
import { responsePolicy, type ResponsePolicy } from './response-policy';
import { updatedHeaders } from './update';

/** Statuses that are never stored; undefined for none. */
export type NeverStored = ReadonlySet<number> | undefined;

/** RFC 9110 §15 */
const LAST_STATUS = 599;
/** RFC 5861 §4 */
const FAILED_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** The policy of a response, with the rule applied. */
export function policyOf(
  { hasAuthorization, kind, policy: rule }: HttpCacheRequest,
  response: OriginResponse,
  neverStored: NeverStored,
): ResponsePolicy {
  const own = responsePolicy(response, kind, { hasAuthorization, isNoStore: false, isExplicit: rule?.isExplicit });
  const policy = applyPolicy(own, response.status, rule);
  const isStorable = policy.isStorable && !neverStored?.has(response.status) && response.isUncacheable !== true;
  const { derivedFrom } = response;
  return {
    ...policy,
    isStorable: isStorable && response.isRefusal !== true,
    ...(derivedFrom && { generatedAt: derivedFrom.entry.storedAt }),
  };
}

/** The policy of a stored response after a 304 or a HEAD (RFC 9111 §3.2): their fields replace the stored ones, the others still hold. */
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

/** Whether a stale response may replace this one, by status. An invalid status counts as a 5xx (RFC 9110 §15). */
export function hasFailed({ status, isRefusal }: Pick<OriginResponse, 'status' | 'isRefusal'>): boolean {
  return FAILED_STATUSES.has(status) || status > LAST_STATUS || isRefusal === true;
}

/** The effect of a response on stored responses of the same resource. */
export type Verdict =
  /** None: the origin is in trouble, or refuses to answer now. */
  | 'none'
  /** The requested variant has been replaced. */
  | 'variant-replaced'
  /** The resource does not exist for this caller: its variants may not be used any more, stale or fresh. */
  | 'resource-withdrawn';

const WITHDRAWN: ReadonlySet<number> = new Set([401, 403, 404, 410, 451]);
/** Where a key is shared by callers of different rights. */
const OF_ONE_CALLER: ReadonlySet<number> = new Set([401, 403]);
/**
 * Statuses that concern only this request: it timed out, went astray or came too early or too often, its condition, range or expectation
 * was not met; or it is accepted, with the result to come.
 */
const UNDECIDED: ReadonlySet<number> = new Set([202, 304, 408, 412, 416, 417, 421, 425, 429]);
/** Methods that are not known or not allowed: refusing a HEAD says nothing about a GET. */
const ABOUT_METHOD: ReadonlySet<number> = new Set([405, 501]);

/**
 * RFC 9111 §4.3.3: a full response to a validation replaces the stored one; a 5xx, or a response that does not concern the resource, does
 * not.
 */
export function verdictOf(
  { status, isRefusal }: Pick<OriginResponse, 'status' | 'isRefusal'>,
  { isOriginNeutral = false }: { readonly isOriginNeutral?: boolean | undefined },
): Verdict {
  if (status >= 500 || isRefusal === true || UNDECIDED.has(status)) return 'none';
  const isForAll = !isOriginNeutral || !OF_ONE_CALLER.has(status);
  return isForAll && WITHDRAWN.has(status) ? 'resource-withdrawn' : 'variant-replaced';
}

/**
 * The same for a response that is not stored, to a HEAD, a range or a bypassing request: it replaces the stored one if its status differs
 * (206 counts as 200), or if it would not be stored in response to a plain GET.
 *
 * @param entry the stored response that the request selects
 */
export function verdictOnEntry(
  request: HttpCacheRequest,
  response: OriginResponse,
  entry: CacheEntry,
  options: { readonly neverStored?: NeverStored; readonly isOriginNeutral?: boolean | undefined },
): Verdict {
  const { neverStored } = options;
  const verdict = verdictOf(response, options);
  if (verdict !== 'variant-replaced') return verdict;
  const isHead = request.method === 'HEAD';
  if (isHead && ABOUT_METHOD.has(response.status)) return 'none';
  if ((response.status === 206 ? 200 : response.status) !== entry.status) return verdict;
  const policy = isHead
    ? policyOfUpdated(request, response, entry, neverStored)
    : policyOf(request, { ...response, status: entry.status }, neverStored);
  return policy.isStorable ? 'none' : verdict;
}
