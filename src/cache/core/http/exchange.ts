import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheOutcome, CacheTier } from '../cache-outcome';
import type { OperatorPolicy } from './operator-policy';
import type { CacheKind } from './response-policy';
import type { BodySource } from './shared-body';

/** A GET or HEAD as it would go upstream, and for whom. */
export interface HttpCacheRequest {
  /** Of the URL and the partition of the caller: who shares it shares answers. */
  readonly key: string;
  readonly upstream: string;
  readonly method: 'GET' | 'HEAD';
  /** End-to-end fields, conditions and ranges among them. */
  readonly headers: HeaderList;
  readonly kind: CacheKind;
  readonly hasAuthorization: boolean;
  readonly tags: readonly string[];
  /** What the operator says of such responses; absent where their own word is all. */
  readonly operator?: OperatorPolicy | undefined;
  /** Ends when the client has gone. */
  readonly signal: AbortSignal;
}

export interface OriginRequest {
  readonly method: string;
  readonly headers: HeaderList;
  readonly signal: AbortSignal;
  /** Whether nobody waits for it: a refresh behind an answer. */
  readonly isBackground: boolean;
}

/** A response of the upstream as its head came; the body is still to be read. Instants in milliseconds since the epoch. */
export interface OriginResponse {
  readonly status: number;
  /** End-to-end fields, names in lower case. */
  readonly headers: HeaderList;
  readonly requestedAt: number;
  readonly receivedAt: number;
  readonly body: BodySource;
  /** Whether it says nothing of the resource, but only that the upstream will not answer now (a spent rate limit). */
  readonly isRefusal?: boolean;
}

/** Asks the upstream for the URL of one request. Rejects with an `AppError` where there is no response. */
export type Origin = (request: OriginRequest) => Promise<OriginResponse>;

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
  /** Every variant that such a request selects, one for each list of the index; the latest of those that exist is the hit. */
  readonly variantKeys: readonly string[];
  /** Until when the hit is fresh, in milliseconds since the epoch. */
  readonly freshUntil: number;
}

export interface StoredAnswer extends ExchangeFacts {
  readonly kind: 'stored';
  readonly entry: CacheEntry;
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
