import type { CacheEntry, EntryMetadata } from './cache-entry';
import type { CacheTier } from './cache-outcome';

/** A stored entry and the tier that had it. */
export interface Found {
  readonly entry: CacheEntry;
  readonly tier: CacheTier;
}

/**
 * The right to store under a key: given to one load at a time, revoked as soon as the key is invalidated. The "lease" of
 * "Scaling Memcache at Facebook" (NSDI 2013, §3.2.1).
 */
export interface Lease {
  readonly key: string;
  /** As of its request. */
  readonly selection?: string;
  readonly token: string;
  /** The id of the entry that the load may replace, empty if there was none. */
  readonly baseId: string;
  /** The count of invalidations when the lease was given. */
  readonly sequence: number;
  /** Names the ledger in which the shared store keeps the invalidations since then. */
  readonly ledger?: string;
  /** As of its request. */
  readonly indexMark?: number | undefined;
  /** How many loads of this key failed in a row before. */
  readonly failures: number;
  /** The tags known before the load. */
  readonly tags: readonly string[];
  /** `shared` holds for every replica; `local` for this process alone, while the shared store cannot be reached. */
  readonly scope: 'shared' | 'local';
}

/** A failed load, shared with the requests that waited for it and with those that arrive during its pause. */
export interface LoadFailure {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
  /** The status of the origin's own, where it gave one. */
  readonly status?: number;
  /** The response body of the failure, as JSON. */
  readonly body?: string;
}

export interface LeaseRequest {
  readonly key: string;
  /**
   * For a URL without a stored response: the request's selecting fields. Each selection has its own lease, so that a load that is slow or
   * fails does not affect other selections.
   */
  readonly selection?: string | undefined;
  /** Names the holder; random, never used twice. */
  readonly token: string;
  readonly tags: readonly string[];
  /** The id of the entry the caller saw, empty if none. */
  readonly seenId: string;
  readonly leaseMs: number;
  /**
   * For a variant or a projection: the soft-purge mark of the index that the caller saw. A load that began under a lower mark is not
   * waited for: the caller gets its lease.
   */
  readonly indexMark?: number;
  /** The holder whose load the caller has waited for: its failure is shared with the caller. */
  readonly waitedFor?: string;
}

export type LeaseAnswer =
  | { readonly kind: 'granted'; readonly lease: Lease }
  /** Another load holds the lease. */
  | { readonly kind: 'held'; readonly holder: string }
  /** The entry is another than the caller saw: look again. */
  | { readonly kind: 'changed' }
  /** A load failed: the one the caller waited for, or so many that the key pauses for `remainingMs`. */
  | { readonly kind: 'failed'; readonly failure: LoadFailure; readonly remainingMs: number };

export type InvalidationTarget =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'prefix'; readonly prefix: string };

/** What one event invalidates: as one step of the store's count. */
export type InvalidationTargets = InvalidationTarget | readonly InvalidationTarget[];

/** `purge`: gone. `stale`, a soft purge: kept for its stale-if-error window, to be validated before any other use. */
export type InvalidationMode = 'purge' | 'stale';

export type StoreChange =
  /** The entry of this key changed, went or was invalidated. */
  | { readonly kind: 'key'; readonly key: string }
  /** This tag was invalidated, whether or not the shared store knew which entries carry it. */
  | { readonly kind: 'tag'; readonly tag: string }
  /** Something was invalidated somewhere; what, is not said. */
  | { readonly kind: 'invalidation' }
  /** Anything may have changed: a flush, or changes missed while the connection to the store was down. */
  | { readonly kind: 'everything' };

/** A page of keys; `cursor` is opaque and absent on the last page. */
export interface KeyPage {
  readonly items: readonly ListedEntry[];
  readonly cursor?: string;
}

/** An entry without its body, as an operator looks at it. */
export interface ListedEntry {
  readonly key: string;
  readonly metadata: EntryMetadata;
  readonly bodyBytes: number;
  readonly softPurgeMark?: number;
  /** The remaining life that the store itself reports, in milliseconds. */
  readonly expiresInMs: number;
  /** For a resource: the keys of its stored responses; the other members describe the first of them. */
  readonly members?: readonly string[];
  /** For a variant or a projection: no index names it any more, so that no request finds it. Set by `asReachable`. */
  readonly isUnreachable?: true;
}

/** An entry that is found through another one, its index, only. */
export interface LinkedEntry {
  readonly key: string;
  readonly entry: CacheEntry;
}

export interface EntryCount {
  readonly count: number;
  /** False: there are at least so many. */
  readonly isExact: boolean;
}

/** How many lines of a log are kept. */
export const MAX_LOG_LINES = 500;

export type SharedValue = readonly [name: string, text: string];

/** What became of a note; `text` is what is there instead, absent for nothing. */
export type CompareAndSetResult =
  { readonly kind: 'stored' } | { readonly kind: 'conflict'; readonly text?: string | undefined };

/** How a store is asked for an entry. */
export interface FindOptions {
  /** Given by callers that load on a miss: as in `LeaseRequest`. */
  readonly leaseMs?: number | undefined;
  readonly indexMark?: number;
  readonly selection?: string | undefined;
}

export const MAX_SHARED_VALUE_TTL_MS = 7_200_000;

/** The store did not answer or refused; `message` names the reason in the store's words. */
export class StoreUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailableError';
  }
}

/**
 * Stores responses, and grants the leases to load them.
 *
 * Its one invariant: a fill under a lease that an invalidation has revoked stores nothing, so that nothing invalidated comes back. Every
 * method except `peek`, `onChange` and `close` may reject with `StoreUnavailableError`.
 */
export abstract class CacheStore {
  /** What can be answered at once, without a promise, from this process. */
  abstract peek(key: string): Found | undefined;
  /**
   * With `leaseMs` the store may take the lease in the same step where there is nothing, for the `acquire` that follows at once; a lease
   * that is not asked for is given back.
   */
  abstract find(key: string, options?: FindOptions): Promise<Found | undefined>;

  /** Asks for the right to load and store. */
  abstract acquire(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Keeps the lease for another `leaseMs`. */
  abstract renew(lease: Lease, leaseMs: number): Promise<void>;
  /**
   * Stores and releases the lease. False: the lease was revoked, or the entry is not the one its holder saw; nothing was stored. The lease
   * of a selection is then still held: the load of another selection may have stored the entry, and this one may join it. A linked entry
   * is stored before the entry that names it, and may be stored even where the entry is then refused.
   */
  abstract fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean>;
  /** Whether the lease is still its holder's, and nothing that it covers was invalidated since. */
  abstract isStanding(lease: Lease): Promise<boolean>;
  /** Stores new metadata over the body that is there, and gives the lease back. False: nothing was stored. */
  abstract freshen(lease: Lease, entry: CacheEntry): Promise<boolean>;
  /** Gives the lease back with nothing stored. */
  abstract release(lease: Lease): Promise<void>;
  /** Releases the lease with the failure, kept for waiting requests and for a pause of `pauseMs`. */
  abstract fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void>;
  /** Settles when the key's entry or lease changed, or after `timeoutMs`. */
  abstract change(key: string, timeoutMs: number): Promise<void>;

  /** Stores without a lease, over any existing entry. For values that a caller sets, not for loads. */
  abstract put(key: string, entry: CacheEntry): Promise<void>;
  /** Once it resolves, no replica stores what was loaded before. Resolves to the number of entries it found. */
  abstract invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number>;
  /**
   * Claims a name for `ttlMs`, unless it is claimed already. False: it is. For work that must be done once across replicas. `renew` claims
   * the name from now on in any case.
   */
  abstract claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean>;
  /** Whether the name is claimed. */
  abstract isClaimed(name: string): Promise<boolean>;
  /**
   * Stores a short text for all replicas, under a name within a group, for `MAX_SHARED_VALUE_TTL_MS` at most. Replaces only the text that
   * the caller has seen (undefined: none), so that no replica erases the text of another: on a conflict the caller merges and tries again.
   */
  abstract compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult>;
  abstract readNote(group: string, name: string): Promise<string | undefined>;
  /** All notes of a group, in no order. */
  abstract sharedValues(group: string): Promise<readonly SharedValue[]>;
  abstract inspect(key: string): Promise<ListedEntry | undefined>;
  /** Entries whose key matches a glob (`*` and `?`), about `limit` a page; with a tag, only entries that carry it. */
  abstract list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage>;
  /** How many entries an invalidation would meet. Bounded work: of very many it says how many it has seen. */
  abstract count(target: InvalidationTarget): Promise<EntryCount>;

  /** Adds a line to a log that all replicas share. The last `MAX_LOG_LINES` are kept. */
  abstract appendToLog(log: string, line: string): Promise<void>;
  /** The last lines of a log, newest first. */
  abstract readLog(log: string, limit: number): Promise<readonly string[]>;

  abstract onChange(listener: (change: StoreChange) => void): void;
  abstract close(): Promise<void>;
}

/** The entry, or else the lease or the reason for refusing it; neither where the store needs a second request to decide. */
export type FoundOrLease =
  { readonly found: Found } | { readonly found?: undefined; readonly lease?: LeaseAnswer | undefined };

/** A store that several processes share. Each process may keep copies as long as it receives every change. */
export abstract class SharedStore extends CacheStore {
  /** Whether every change up to about now has been received: copies may be used without a request to the store. */
  abstract readonly isCoherent: boolean;
  /** `find`, and where there is nothing `acquire`, in as few steps as the store can. `seenId` is empty. */
  abstract findOrAcquire(request: LeaseRequest): Promise<FoundOrLease>;
}
