import type { CacheEntry, HeaderList, Validators } from '../cache-entry';
import type { CacheOutcome, CacheTier } from '../cache-outcome';
import type { Found } from '../cache-store';
import type { CachePolicy } from './cache-policy';
import type { CacheKind } from './response-policy';
import type { BodySource } from './shared-body';

/** A GET or HEAD as it would go upstream, and its partition. */
export interface HttpCacheRequest {
  /** Of the URL and the caller's partition: callers with the same key share responses. */
  readonly key: string;
  readonly upstream: string;
  readonly method: 'GET' | 'HEAD';
  /** End-to-end fields, conditions and ranges among them. May be a getter: it is read only where fields are of any concern. */
  readonly headers: HeaderList;
  /** False where the fields are known to hold no directive for a cache. */
  readonly hasDirectives?: boolean;
  readonly kind: CacheKind;
  readonly hasAuthorization: boolean;
  readonly tags: readonly string[];
  /** The rule for such responses; absent where they are stored as they say themselves. */
  readonly policy?: CachePolicy | undefined;
  /** The name of a projection: the response is derived from the resource that `key` names, and stored as a member of it. */
  readonly projection?: string | undefined;
  /** As of the entry. */
  readonly hitFlagName?: string | undefined;
  /** Aborts when the client has disconnected; absent where a load goes on without its client. */
  readonly signal?: AbortSignal | undefined;
}

export interface OriginRequest {
  readonly method: string;
  readonly headers: HeaderList;
  readonly signal: AbortSignal;
  /** Whether no request waits for it: a refresh behind an answer. */
  readonly isBackground: boolean;
  /** Whether nothing is stored of the resource that a projection is derived from. */
  readonly isNothingStored?: boolean;
}

/** A response of the origin as its head came. Instants in milliseconds since the epoch. */
export interface OriginResponse {
  readonly status: number;
  /** End-to-end fields, names in lower case. */
  readonly headers: HeaderList;
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** All of it, or a source that is still to be read. */
  readonly body: Buffer | BodySource;
  /** Whether it says nothing of the resource, but only that the upstream will not answer now (a spent rate limit). */
  readonly isRefusal?: boolean;
  /** Whether it must not be stored, whatever its fields say. */
  readonly isUncacheable?: boolean;
  /** Whether the requests that waited for it may have it although it is not stored: "not found" is the same for all of them. */
  readonly isForWaiting?: boolean;
  /** The validators for the next request to the origin; absent where the response's header fields contain them. */
  readonly validators?: Validators;
  /** The entity tag that clients see, where the header fields have none. */
  readonly etag?: string;
  /** Tags that only the response determines, in addition to the request's. */
  readonly tags?: readonly string[];
  /** The stored response that it was derived from: the upstream was not asked. */
  readonly derivedFrom?: Found;
}

/** Asks the upstream for the URL of one request. Rejects with an `AppError` where there is no response. */
export type Origin = (request: OriginRequest) => Promise<OriginResponse>;

/** A response whose body is still to be read. */
export type StreamingResponse = OriginResponse & { readonly body: BodySource };

/** An origin whose bodies are read as they come: an upstream. */
export type StreamingOrigin = (request: OriginRequest) => Promise<StreamingResponse>;

/** What became of the request, for `Cache-Status`. */
export interface ExchangeFacts {
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier;
  /** Why the upstream was asked (RFC 9211 §2.2). */
  readonly forwarded?: 'miss' | 'stale' | 'request' | 'uri-miss' | 'vary-miss' | 'bypass' | 'method';
  /** The status of its answer, where it is another than the client's. */
  readonly forwardedStatus?: number;
  readonly collapsed?: boolean;
  readonly stored?: boolean;
  /** The error code behind a `STALE_ON_ERROR`. */
  readonly failure?: string;
}

/**
 * Where a fresh hit was found: requests that differ in nothing that selects a response find it there again, as long as the index is the
 * same.
 */
export interface HitPointer {
  /** Of the URL. */
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
  /** The response in the form in which it is stored, whether it was stored or not. */
  readonly entry: CacheEntry;
  /** Whether this request has begun a load that runs on behind the answer. */
  readonly isRefreshing?: boolean;
  /** Of a fresh hit; absent where more decides which response is selected than the fields that go to the origin. */
  readonly pointer?: HitPointer;
}

export interface StreamedAnswer extends ExchangeFacts {
  readonly kind: 'streamed';
  readonly status: number;
  readonly headers: HeaderList;
  /** All of it, or as it comes. */
  readonly body: Buffer | AsyncIterable<Buffer>;
  readonly isRefusal?: boolean;
}

export type HttpAnswer = StoredAnswer | StreamedAnswer;
