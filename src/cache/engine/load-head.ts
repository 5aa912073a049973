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
      /** Whether another request selects the response, too. */
      readonly isSelectedBy: (request: HttpCacheRequest) => boolean;
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
      /** As in a response; absent where the entry is not of a load of its own. */
      readonly isSelectedBy?: (request: HttpCacheRequest) => boolean;
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
  return isReusable && head.body.isJoinable && head.isSelectedBy(request);
}

/** @param names the fields that select the response of the load's request; undefined if no request selects it again */
export function selectorOf(
  names: readonly string[] | undefined,
  { headers }: HttpCacheRequest,
): (request: HttpCacheRequest) => boolean {
  if (names === undefined) return () => false;
  const selection = selectionKey(names, headers);
  return (request) => selectionKey(names, request.headers) === selection;
}
