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
  /** Whether it is for the caller alone whose load it was (`private`, a cookie): others who wait load for themselves. */
  readonly isForOne?: boolean;
  /** With a `ttlMs` of 0: whether it says that what is stored must not be used any more. */
  readonly removesEntry?: boolean;
}

/** The upstream says that what is stored still holds (RFC 9110 §15.4.5). */
export interface LoadedNotModified {
  readonly kind: 'not-modified';
  readonly headers: HeaderList;
}

export type Loaded = LoadedResponse | LoadedNotModified;

/** Calls the upstream for the cache. Rejects with an `AppError` when there is no response. */
export type Load = (context: LoadContext) => Promise<Loaded>;

/**
 * The load brought something that is not for the cache: an error that is an answer of the origin's, or a body that can be read
 * only once. It is no failure. The caller whose load it was gets it.
 */
export class DeclinedLoad extends Error {
  constructor(
    readonly result: unknown,
    /** Whether others who wait for the same load may get it, too; if not, each of them loads. */
    readonly mayShare: boolean,
    /** Whether it says that what is stored must not be used any more. */
    readonly removesEntry: boolean,
  ) {
    super('The result of this load is not for the cache.');
    this.name = 'DeclinedLoad';
  }
}

/** The origin failed with a status of its own, which everyone who waited for it gets. */
export class StatusFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What the origin said with it, as JSON. */
    readonly body: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StatusFailure';
  }
}

/** The load failed by an error that only its own class tells: those who did not wait for this load call the origin for themselves. */
export class UnkeptFailure extends Error {
  constructor(
    cause: unknown,
    /** The status that it has of its own, if it has one. */
    readonly status: number | undefined,
  ) {
    super('The load failed.', { cause });
    this.name = 'UnkeptFailure';
  }
}

// RFC 5861 §4: an error is "any situation that would result in a 500, 502, 503, or 504 HTTP response status code being returned".
const STALE_IF_ERROR_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Whether a stale entry may be served instead. */
export function mayHide(error: unknown): boolean {
  if (error instanceof DeclinedLoad) return false;
  const status = error instanceof StatusFailure || error instanceof UnkeptFailure ? error.status : undefined;
  return status === undefined || STALE_IF_ERROR_STATUSES.has(status);
}

/** How a flight ended: an entry, which may or may not have been stored. */
export interface Landed {
  readonly entry: CacheEntry;
  readonly via: 'load' | 'validation' | 'other-replica' | 'store';
  /** The tier that had what it was made of, `via` the store. */
  readonly madeIn?: CacheTier;
  readonly stored: boolean;
  /** Others who wait for the same load load for themselves. */
  readonly isForOne?: boolean;
}
