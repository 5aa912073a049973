import type { CacheEntry, HeaderList, Validators } from './cache-entry';
import type { CacheOutcome, CacheTier } from './cache-outcome';
import type { Found } from '../store/cache-store';
import type { CachePolicy } from '../law/cache-policy';
import type { CacheKind } from '../law/response-policy';
import type { BodySource } from '../engine/shared-body';

/** A GET or HEAD as it would go upstream, and its partition. */
export interface HttpCacheRequest {
  /** The key of the URL and the caller's partition: callers with the same key share responses. */
  readonly key: string;
  readonly upstream: string;
  readonly method: 'GET' | 'HEAD';
  /** End-to-end fields, including conditions and ranges. May be a getter: it is read only when needed. */
  readonly headers: HeaderList;
  /** False if the fields are known to contain no cache directive. */
  readonly hasDirectives?: boolean;
  readonly kind: CacheKind;
  readonly hasAuthorization: boolean;
  readonly tags: readonly string[];
  /** The rule for such responses; absent if only their own fields count. */
  readonly policy?: CachePolicy | undefined;
  /** The name of a projection: the response is derived from the resource that `key` names, and stored as a member of it. */
  readonly projection?: string | undefined;
  /** As in the entry. */
  readonly hitFlagName?: string | undefined;
  /** Aborts when the client has disconnected; absent for a load without its own client. */
  readonly signal?: AbortSignal | undefined;
}

export interface OriginRequest {
  readonly method: string;
  readonly headers: HeaderList;
  readonly signal: AbortSignal;
  /** Whether no request waits for it: a background refresh. */
  readonly isBackground: boolean;
  /** Whether nothing is stored for the resource that a projection is derived from. */
  readonly isNothingStored?: boolean;
}

/** A response of the origin with its head complete. Instants in milliseconds since the epoch. */
export interface OriginResponse {
  readonly status: number;
  /** End-to-end fields, names in lower case. */
  readonly headers: HeaderList;
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** The whole body, or a source to read. */
  readonly body: Buffer | BodySource;
  /** Whether it says nothing about the resource, only that the upstream refuses to answer now (an exhausted rate limit). */
  readonly isRefusal?: boolean;
  /** Whether it must not be stored, regardless of its fields. */
  readonly isUncacheable?: boolean;
  /** Whether waiting requests may get it although it is not stored: "not found" is the same for all of them. */
  readonly isForWaiting?: boolean;
  /** The validators for the next request to the origin; absent where the response's header fields contain them. */
  readonly validators?: Validators;
  /** The entity tag for clients, if the header fields have none. */
  readonly etag?: string;
  /** Tags that only the response determines, in addition to the request's. */
  readonly tags?: readonly string[];
  /** The stored response that it was derived from, without a request upstream. */
  readonly derivedFrom?: Found;
}

/** Sends one request upstream. Rejects with an `AppError` if there is no response. */
export type Origin = (request: OriginRequest) => Promise<OriginResponse>;

/** A response with an unread body. */
export type StreamingResponse = OriginResponse & { readonly body: BodySource };

/** An origin whose bodies are streams: an upstream. */
export type StreamingOrigin = (request: OriginRequest) => Promise<StreamingResponse>;

/** The outcome of the request, for `Cache-Status`. */
export interface ExchangeFacts {
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier;
  /** Why a request went upstream (RFC 9211 §2.2). */
  readonly forwarded?: 'miss' | 'stale' | 'request' | 'uri-miss' | 'vary-miss' | 'bypass' | 'method';
  /** The upstream's status, if it differs from the client's. */
  readonly forwardedStatus?: number;
  readonly collapsed?: boolean;
  readonly stored?: boolean;
  /** The error code behind a `STALE_ON_ERROR`. */
  readonly failure?: string;
}

/** Where a fresh hit was found: requests with the same selecting fields find it there again, as long as the index is unchanged. */
export interface HitPointer {
  /** The key of the URL. */
  readonly key: string;
  /** The id of the index; undefined where the response itself is under `key`. */
  readonly indexId: string | undefined;
  /** The keys of all variants that such a request selects, one for each list of the index; the latest existing one is the hit. */
  readonly variantKeys: readonly string[];
  /** The request fields that the lists name, in lower case. */
  readonly selectedBy: readonly string[];
  /** Until when the hit is fresh, in milliseconds since the epoch. */
  readonly freshUntil: number;
}

export interface StoredAnswer extends ExchangeFacts {
  readonly kind: 'stored';
  /** The response in its stored form, whether it was stored or not. */
  readonly entry: CacheEntry;
  /** Whether this request has begun a background load. */
  readonly isRefreshing?: boolean;
  /** For a fresh hit; absent if more than the forwarded fields selects the response. */
  readonly pointer?: HitPointer;
}

export interface StreamedAnswer extends ExchangeFacts {
  readonly kind: 'streamed';
  readonly status: number;
  readonly headers: HeaderList;
  /** The whole body, or a stream. */
  readonly body: Buffer | AsyncIterable<Buffer>;
  readonly isRefusal?: boolean;
}

export type HttpAnswer = StoredAnswer | StreamedAnswer;
