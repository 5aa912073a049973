import type { CacheEntry, HeaderList, Validators } from './cache-entry';
import type { CacheTier } from './cache-outcome';

/** What a load may use: the stored validators, if there is something to validate, and a signal that ends it. */
export interface LoadContext {
  readonly validators: Validators | undefined;
  readonly signal: AbortSignal;
  /** Whether nobody waits for it: a refresh behind an answer. */
  readonly isBackground: boolean;
  /** Whether nothing at all is stored under the key of its lease: there is nothing that it could be made of. */
  readonly isFirst: boolean;
}

/** A response as the load brought it. */
export interface LoadedResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly validators: Validators;
  /** Tags that only the response tells, beside those of the rule. */
  readonly tags: readonly string[];
  /** The client-visible entity tag. */
  readonly etag: string;
  /** When the upstream gave it, if that is not now: it was made of a stored response. */
  readonly bornAt?: number;
  /** The tier that had what it was made of; absent where the upstream was asked. */
  readonly madeIn?: CacheTier;
  /** Its own freshness lifetime; 0 answers those who wait and stores nothing. Without it the policy's. */
  readonly ttlMs?: number;
  /** Counts as a failure where a stale entry may answer instead (RFC 5861 §4: 500, 502, 503, 504). */
  readonly isError?: boolean;
}

/** The upstream says that what is stored still holds (RFC 9110 §15.4.5). */
export interface LoadedNotModified {
  readonly kind: 'not-modified';
  readonly headers: HeaderList;
}

export type Loaded = LoadedResponse | LoadedNotModified;

/** Calls the upstream for the cache. Rejects with an `AppError` when there is no response. */
export type Load = (context: LoadContext) => Promise<Loaded>;

/** How a flight ended: an entry, which may or may not have been stored. */
export interface Landed {
  readonly entry: CacheEntry;
  readonly via: 'load' | 'validation' | 'other-replica' | 'store';
  /** The tier that had what it was made of, `via` the store. */
  readonly madeIn?: CacheTier;
  readonly stored: boolean;
  /** The response is an error that a stale entry may stand in for. */
  readonly isError: boolean;
}
