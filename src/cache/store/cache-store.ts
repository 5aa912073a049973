import type { CacheEntry, EntryMetadata } from '../model/cache-entry';
import type { CacheTier } from '../model/cache-outcome';

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
  /** As in its request. */
  readonly selection?: string | undefined;
  readonly token: string;
  /** The id of the entry that the load may replace, empty if there was none. */
  readonly baseId: string;
  /**
   * When that entry ends, where the store drops it then: it may be gone at the end of the load without having been deleted. 0 where memory
   * did not have it.
   */
  readonly baseEndsAt?: number;
  /** The count of invalidations when the lease was granted. */
  readonly sequence: number;
  /** The ledger with the shared store's invalidations since then. */
  readonly ledger?: string;
  /** As in its request. */
  readonly indexMark?: number | undefined;
  /** How many loads of this key failed in a row before this one. */
  readonly failures: number;
  /** The tags known before the load. */
  readonly tags: readonly string[];
  /** `shared` holds for every replica; `local` for this process alone, while the shared store cannot be reached. */
  readonly scope: 'shared' | 'local';
}

/** A failed load, shared with the requests that waited for it or arrive during its pause. */
export interface LoadFailure {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
  /** The origin's own status, if it sent one. */
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
  /** The id of the entry that the caller saw, empty if none. */
  readonly seenId: string;
  readonly leaseMs: number;
  /**
   * For a variant or a projection: the soft-purge mark of the index that the caller saw. A load that began under a lower mark is not
   * waited for: the caller gets its lease.
   */
  readonly indexMark?: number;
  /** The holder whose load the caller has waited for: its failure is shared with the caller. */
  readonly waitedFor?: string;
  /**
   * For a variant or a projection that is missing: the lease of a load of the same selection that began while nothing was stored for the
   * URL. While it stands it holds this lease as well.
   */
  readonly firstLoad?: Required<Pick<LeaseRequest, 'key' | 'selection'>> | undefined;
}

export type LeaseAnswer =
  | { readonly kind: 'granted'; readonly lease: Lease }
  /** Another load holds the lease. */
  | { readonly kind: 'held'; readonly holder: string }
  /** The entry differs from the one that the caller saw: look again. */
  | { readonly kind: 'changed' }
  /** A load failed: the one the caller waited for, or so many that the key pauses for `remainingMs`. */
  | { readonly kind: 'failed'; readonly failure: LoadFailure; readonly remainingMs: number };

export type InvalidationTarget =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'prefix'; readonly prefix: string };

/** The targets that one event invalidates, as one step of the store's count. */
export type InvalidationTargets = InvalidationTarget | readonly InvalidationTarget[];

/** `purge`: removed. `stale`, a soft purge: kept for its stale-if-error window, and validated before any other use. */
export type InvalidationMode = 'purge' | 'stale';

export type StoreChange =
  /** The entry of this key changed, was removed or was invalidated. */
  | { readonly kind: 'key'; readonly key: string }
  /** The lease of this key ended, or another load has it: its waiters look again. No entry changed. */
  | { readonly kind: 'lease'; readonly key: string }
  /** This tag was invalidated, whether or not the shared store knew which entries carry it. */
  | { readonly kind: 'tag'; readonly tag: string }
  /** An unknown key or tag was invalidated. */
  | { readonly kind: 'invalidation' }
  /** Anything may have changed: a flush, or changes missed while the connection to the store was down. */
  | { readonly kind: 'everything' };

/** A page of keys; `cursor` is opaque and absent on the last page. */
export interface KeyPage {
  readonly items: readonly ListedEntry[];
  readonly cursor?: string;
}

/** An entry without its body, for operators. */
export interface ListedEntry {
  readonly key: string;
  readonly metadata: EntryMetadata;
  readonly bodyBytes: number;
  readonly softPurgeMark?: number | undefined;
  /** The remaining life that the store itself reports, in milliseconds. */
  readonly expiresInMs: number;
  /** For a resource: the keys of its stored responses; the other members describe the first of them. */
  readonly members?: readonly string[];
  /** For a variant or a projection: no index names it any more, so that no request finds it. Set by `StoredEntries`. */
  readonly isUnreachable?: true;
}

/** An entry that is found only through its index. */
export interface LinkedEntry {
  readonly key: string;
  readonly entry: CacheEntry;
}

export interface EntryCount {
  readonly count: number;
  /** False: the number is a lower bound. */
  readonly isExact: boolean;
}

/** The number of lines that a log keeps. */
export const MAX_LOG_LINES = 500;

export type SharedValue = readonly [name: string, text: string];

/** The result of `compareAndSet`; on a conflict `text` is the stored text, absent for none. */
export type CompareAndSetResult =
  { readonly kind: 'stored' } | { readonly kind: 'conflict'; readonly text?: string | undefined };

/** The details of a fill. */
export interface FillOptions {
  /** Stored before the entry that names it, and perhaps also where that entry is then refused. */
  readonly linked?: LinkedEntry;
  /** The entry has the stored body: a validation has confirmed it. */
  readonly keepsBody?: boolean;
}

/** The entry, or else the answer about its lease; neither where the store needs a second request to decide. */
export type FoundOrLease =
  { readonly found: Found } | { readonly found?: undefined; readonly lease?: LeaseAnswer | undefined };

export const MAX_SHARED_VALUE_TTL_MS = 7_200_000;

/** The store did not answer or refused; `message` names the reason in the store's words. */
export class StoreUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailableError';
  }
}

/** Small things that replicas share beside the entries. Every method may reject with `StoreUnavailableError`. */
export interface SharedState {
  /**
   * Claims a name for `ttlMs`, unless it is claimed already. False: it is. For work that must be done once across replicas. `renew` claims
   * the name from now on in any case.
   */
  claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean>;
  /** Whether the name is claimed. */
  isClaimed(name: string): Promise<boolean>;
  /**
   * Stores a short text under a name within a group, for `MAX_SHARED_VALUE_TTL_MS` at most. Replaces only the text that the caller has
   * seen (undefined: none), so that no replica erases the text of another: on a conflict the caller merges and tries again.
   */
  compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult>;
  read(group: string, name: string): Promise<string | undefined>;
  /** All values of a group, in no order. */
  readAll(group: string): Promise<readonly SharedValue[]>;
  /** Adds a line to a log. The latest `MAX_LOG_LINES` are kept. */
  appendToLog(log: string, line: string): Promise<void>;
  /** The last lines of a log, newest first. */
  readLog(log: string, limit: number): Promise<readonly string[]>;
}

/** The stored entries for operators, without their bodies. Every method may reject with `StoreUnavailableError`. */
export interface EntryListing {
  inspect(key: string): Promise<ListedEntry | undefined>;
  /** Entries whose key matches a glob (`*` and `?`), about `limit` a page; with a tag, only entries that carry it. */
  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage>;
  /** How many entries an invalidation would cover. Bounded work: for very many it returns how many it has seen. */
  count(target: InvalidationTarget): Promise<EntryCount>;
}

/**
 * Stores responses, and grants the leases to load them.
 *
 * Its one invariant: a fill under a lease that an invalidation has revoked stores nothing, so that nothing invalidated comes back. Every
 * method except `peek`, `onChange` and `close` may reject with `StoreUnavailableError`.
 */
export abstract class CacheStore {
  abstract readonly shared: SharedState;
  abstract readonly listing: EntryListing;

  /**
   * The entry in this process's memory, without a promise.
   *
   * @param now read by the caller already; reading the clock costs as much as the look-up
   */
  abstract peek(key: string, now?: number): Found | undefined;
  abstract find(key: string): Promise<Found | undefined>;

  /** Requests the right to load and store. */
  abstract acquire(request: LeaseRequest): Promise<LeaseAnswer>;
  /** `find`, and for a miss `acquire` (`seenId` is empty): in one step where the store can. */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    const found = await this.find(request.key);
    return found ? { found } : { lease: await this.acquire(request) };
  }
  /** Keeps the lease for another `leaseMs`. */
  abstract renew(lease: Lease, leaseMs: number): Promise<void>;
  /**
   * Stores and releases the lease. False: the lease was revoked, or the entry is not the one its holder saw; nothing was stored. The lease
   * of a selection is then still held: the load of another selection may have stored the entry, and this one may join it.
   */
  abstract fill(lease: Lease, entry: CacheEntry, options?: FillOptions): Promise<boolean>;
  /** Whether the lease is still its holder's, and nothing that it covers was invalidated since. */
  abstract isStanding(lease: Lease): Promise<boolean>;
  /** Releases the lease without storing. */
  abstract release(lease: Lease): Promise<void>;
  /** Releases the lease with the failure, kept for waiting requests and for a pause of `pauseMs`. */
  abstract fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void>;
  /** Settles when the key's entry or lease changed, or after `timeoutMs`. */
  abstract change(key: string, timeoutMs: number): Promise<void>;

  /** Stores without a lease, over any existing entry. For values that a caller sets, not for loads. */
  abstract put(key: string, entry: CacheEntry): Promise<void>;
  /** Once it resolves, no replica stores an earlier load. Resolves to the number of entries found. */
  abstract invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number>;

  abstract onChange(listener: (change: StoreChange) => void): void;
  abstract close(): Promise<void>;
}

/** A store that several processes share, behind the memory of each. Each may keep copies as long as it receives every change. */
export interface SharedStore extends Omit<CacheStore, 'peek' | 'change'> {
  /** Whether every change up to about now has been received: copies may be used without a request to the store. */
  readonly isCoherent: boolean;
}
