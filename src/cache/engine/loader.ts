import { STANDSTILL_MS } from '../../kernel/deadline';
import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type { CacheStore, Lease, LeaseAnswer, LeaseRequest } from '../store/cache-store';
import { fromFailure, isOwnFault, pauseAfterFailures, toFailure } from './load-failure';
import { isFresh } from '../law/freshness';
import { ifAvailable } from '../store/if-available';
import { newToken } from '../model/random-id';
import { looksLikeIndex } from '../model/resource-index';

/** The key of a load's lease, as in `LeaseRequest`. */
export type LoadSubject = Pick<LeaseRequest, 'key' | 'selection' | 'tags' | 'indexMark' | 'firstLoad'>;

/** The work under a lease, which stores or releases. `base` is the entry that it may replace. */
export type UseOfLease = (lease: Lease, base: CacheEntry | undefined, hasWaited: boolean) => Promise<void>;

export interface LeaseOptions {
  /** Whether to wait while another has the lease; true by default. */
  readonly waits?: boolean;
  /** Whether the key pauses after repeated failures; true by default. */
  readonly pausesAfterFailures?: boolean | undefined;
  /** The store's answer about this lease, where a look-up has requested it. */
  readonly firstAnswer?: LeaseAnswer | undefined;
}

export interface LoaderOptions {
  /** The life of a lease between two renewals, in milliseconds: then a dead leader is replaced. */
  readonly leaseMs: number;
  /** The maximum duration of a load, or of the wait for another's, in milliseconds. */
  readonly loadTimeoutMs: number;
  /** How often a waiter checks again without a push about a change, in milliseconds. */
  readonly pollMs: number;
}

/** Thrown by a load when its own client's disconnection has ended it: waiting requests load for themselves. */
export class AbandonedLoad extends Error {
  constructor(options?: ErrorOptions) {
    super('The client whose request was loading has disconnected.', options);
    this.name = 'AbandonedLoad';
  }
}

/**
 * One load per key across replicas: acquires the lease and loads, or waits for the replica that holds it.
 *
 *   1. replica A is granted the lease; B and C learn its holder and wait for a push about the entry or the lease
 *   2. A stores under its lease and releases it: one push; B and C find the entry
 *   2'. A fails: the failure takes the lease's place; B and C share it
 *   2". A dies: its lease ends unrenewed; B is granted the next one
 *   2‴. the key is invalidated during the load: A's lease is revoked, A answers its own waiters and stores nothing; B and C, which find
 *       neither entry nor lease, start a new load
 */
export class Loader {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly options: LoaderOptions,
  ) {}

  /** For callers that look up an entry and would load it. */
  get leaseMs(): number {
    return this.options.leaseMs;
  }

  /**
   * Runs `use` with the key's lease; `use` releases it by storing or releasing. While another replica has the lease, waits for the entry
   * that it stores. `use` gets whether it has waited for another load that stored nothing under the key.
   *
   * @returns `loaded`: `use` has run; `held`, without waiting: another has the lease; or the entry that another load has stored
   * @throws any error of `use`, after leaving the failure for the waiters; AppError their failure, or a time-out
   */
  async underLease(
    { key, selection, tags, indexMark = 0, firstLoad }: LoadSubject,
    stale: CacheEntry | undefined,
    use: UseOfLease,
    { waits = true, pausesAfterFailures = true, firstAnswer }: LeaseOptions = {},
  ): Promise<'loaded' | 'held' | { readonly entry: CacheEntry }> {
    const { leaseMs, loadTimeoutMs, pollMs } = this.options;
    let until = this.clock.now() + loadTimeoutMs;
    let mayPutOff = true;
    const asking = { key, token: newToken(), tags, leaseMs, indexMark, selection, firstLoad };
    let base = stale;
    let waited: Pick<LeaseRequest, 'waitedFor'> | undefined;
    let answer = firstAnswer;
    while (this.clock.now() < until) {
      answer ??= await this.store.acquire({ ...asking, seenId: base?.id ?? '', ...waited });
      if (answer.kind === 'failed') throw fromFailure(answer.failure, answer.remainingMs);
      if (answer.kind === 'granted') {
        const { lease } = answer;
        await this.holding(lease, () => use(lease, base, waited !== undefined), pausesAfterFailures);
        return 'loaded';
      }
      if (!waits) return 'held';
      if (answer.kind === 'held') {
        waited = { waitedFor: answer.holder };
        const from = this.clock.now();
        await this.store.change(key, Math.min(pollMs, Math.max(1, until - from)));
        // The process stood still, and perhaps the holder with it.
        const lateMs = this.clock.now() - from - pollMs;
        if (mayPutOff && lateMs > STANDSTILL_MS) {
          until += lateMs;
          mayPutOff = false;
        }
      }
      answer = undefined;
      const found = await this.store.find(key);
      if (found && found.entry.id !== base?.id && this.isLoaded(found.entry, indexMark)) return found;
      base = found?.entry;
    }
    throw new AppError('deadline-exceeded', 'Another replica still loads this resource. Try again shortly.', {
      retryAfterMs: 1_000,
    });
  }

  /** Releases a lease that a look-up was granted and no load needs. */
  async releaseUnused(answer: LeaseAnswer | undefined): Promise<void> {
    if (answer?.kind === 'granted') await ifAvailable(() => this.store.release(answer.lease));
  }

  /**
   * Whether another load has stored something for the caller: an index, with which the caller looks again; or a fresh entry loaded under
   * the index that the caller saw, or a later one.
   */
  private isLoaded(entry: CacheEntry, indexMark: number): boolean {
    const now = this.clock.now();
    if (looksLikeIndex(entry)) return now < entry.freshUntil;
    return isFresh(entry, now) && (entry.indexMark ?? 0) >= indexMark;
  }

  private async holding(lease: Lease, use: () => Promise<void>, pausesAfterFailures: boolean): Promise<void> {
    const renewal = setInterval(() => {
      // A lease that cannot be renewed expires, and another caller may load.
      ifAvailable(() => this.store.renew(lease, this.options.leaseMs)).catch(() => clearInterval(renewal));
    }, this.options.leaseMs / 3);
    try {
      await use();
    } catch (error) {
      if (error instanceof AbandonedLoad || isOwnFault(error)) await ifAvailable(() => this.store.release(lease));
      else {
        const failure = toFailure(error);
        const pauseMs = pausesAfterFailures ? pauseAfterFailures(lease.failures + 1, failure) : 0;
        await ifAvailable(() => this.store.fail(lease, failure, pauseMs));
      }
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }
}
