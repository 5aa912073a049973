import type { CacheEntry } from '../model/cache-entry';
import type { CacheTier } from '../model/cache-outcome';
import type { HttpCacheRequest, OriginResponse } from '../model/exchange';
import type { ResponsePolicy } from '../law/response-policy';
import { selectionKey } from '../law/selection';
import type { SharedBody } from './shared-body';

/** The head of a response, for all waiters. */
export type Head =
  | {
      readonly kind: 'response';
      readonly response: OriginResponse;
      readonly policy: ResponsePolicy;
      readonly body: SharedBody;
      /** The fields that the response varies by, and the request's values of them. */
      readonly names: readonly string[] | undefined;
      readonly selection: string;
      /** Settles when it has been stored, or not. */
      readonly stored: Promise<boolean>;
    }
  | {
      readonly kind: 'entry';
      readonly entry: CacheEntry;
      readonly source: 'load' | 'validation' | 'other-replica';
      /** The tier of the stored response that it was derived from. */
      readonly derivedFromTier?: CacheTier | undefined;
      readonly stored: boolean;
      /** Whether requests that joined may get it. */
      readonly isShareable: boolean;
      /** For a load: as in a response. */
      readonly names?: readonly string[] | undefined;
      readonly selection?: string;
    }
  /** Another replica stored an index: look again. */
  | { readonly kind: 'again' }
  /** Its own client's disconnection ended the load: look again, unless it was this request's. */
  | { readonly kind: 'abandoned'; readonly error: Error }
  /** Another replica loads it, and this request must not wait. */
  | { readonly kind: 'not-loaded' };

/** Whether the response of another request's load may answer this one. */
export function mayBeShared(request: HttpCacheRequest, head: Extract<Head, { kind: 'response' }>): boolean {
  const isReusable = head.policy.isStorable && head.policy.revalidation !== 'always';
  return isReusable && head.body.isJoinable && isSelectedBy(request, head);
}

/** Whether the request selects the response of a load. */
export function isSelectedBy(
  request: HttpCacheRequest,
  { names, selection }: { readonly names?: readonly string[] | undefined; readonly selection?: string },
): boolean {
  return names !== undefined && selectionKey(names, request.headers) === selection;
}
