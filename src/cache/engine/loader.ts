import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type { CacheStore, Lease, LeaseRequest, LoadFailure } from '../store/cache-store';
import { fromFailure, isOwnFault, pauseAfterFailures, toFailure } from './failure-pause';
import { isFresh } from '../law/freshness';
import { ifAvailable } from './if-available';
import { newToken } from '../model/random-id';
import { looksLikeIndex } from '../model/resource-index';
import type { SettlingTags } from './settling-tags';

/** The key of a load's lease, as in `LeaseRequest`. */
export type LoadSubject = Pick<LeaseRequest, 'key' | 'selection' | 'tags' | 'indexMark'>;

export interface LoaderOptions {
  /** The life of a lease between two renewals, in milliseconds: then a dead leader is replaced. */
  readonly leaseMs: number;
  /** The maximum duration of a load, or of the wait for another's, in milliseconds. */
  readonly loadTimeoutMs: number;
  /** How often a waiter checks again without a push about a change, in milliseconds. */
  readonly pollMs: number;
  /** Undefined if loads after an invalidation are stored like any other. */
  readonly settling?: SettlingTags | undefined;
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
   * @throws any error of `use`, after leaving the failure for the waiters; AppError their failure, or a time-out
   */
  async underLease<T>(
    { key, selection, tags, indexMark = 0 }: LoadSubject,
    stale: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined, hasWaited: boolean) => Promise<T>,
    pausesAfterFailures = true,
  ): Promise<{ readonly by: 'self'; readonly result: T } | { readonly by: 'other'; readonly entry: CacheEntry }> {
    const until = this.clock.now() + this.options.loadTimeoutMs;
    const token = newToken();
    let base = stale;
    let waitedFor: string | undefined;
    while (this.clock.now() < until) {
      const answer = await this.store.acquire({
        key,
        token,
        tags,
        seenId: base?.id ?? '',
        leaseMs: this.options.leaseMs,
        indexMark,
        selection,
        ...(waitedFor === undefined ? {} : { waitedFor }),
      });
      if (answer.kind === 'granted') {
        const hasWaited = waitedFor !== undefined;
        const useIt = (lease: Lease, there: CacheEntry | undefined): Promise<T> => use(lease, there, hasWaited);
        return { by: 'self', result: await this.holding(answer.lease, base, useIt, pausesAfterFailures) };
      }
      if (answer.kind === 'failed') throw fromFailure(answer.failure, answer.remainingMs);
      if (answer.kind === 'held') {
        waitedFor = answer.holder;
        await this.store.change(key, Math.min(this.options.pollMs, Math.max(1, until - this.clock.now())));
      }
      const found = await this.store.find(key);
      if (found && found.entry.id !== base?.id && this.isLoaded(found.entry, indexMark))
        return { by: 'other', entry: found.entry };
      base = found?.entry;
    }
    throw new AppError('deadline-exceeded', 'Another replica still loads this resource. Try again shortly.', {
      retryAfterMs: 1_000,
    });
  }

  /** As `SettlingTags.isSettling`. Must be called before the load begins. */
  isSettling(upstream: string, tags: readonly string[], lease: Lease): Promise<boolean> | undefined {
    return this.options.settling?.isSettling(upstream, tags, lease);
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

  /**
   * As `underLease`, but without waiting for another replica.
   *
   * @returns whether `use` has run; false: another has the lease
   */
  async underFreeLease(
    { key, selection, tags, indexMark = 0 }: LoadSubject,
    base: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined) => Promise<void>,
    pausesAfterFailures = true,
  ): Promise<boolean> {
    const { leaseMs } = this.options;
    const asking = { key, token: newToken(), tags, seenId: base?.id ?? '', leaseMs, indexMark, selection };
    const answer = await this.store.acquire(asking);
    if (answer.kind === 'failed') throw fromFailure(answer.failure, answer.remainingMs);
    if (answer.kind !== 'granted') return false;
    await this.holding(answer.lease, base, use, pausesAfterFailures);
    return true;
  }

  private async holding<T>(
    lease: Lease,
    base: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined) => Promise<T>,
    pausesAfterFailures: boolean,
  ): Promise<T> {
    const renewal = setInterval(() => {
      // A lease that cannot be renewed expires, and another caller may load.
      ifAvailable(() => this.store.renew(lease, this.options.leaseMs)).catch(() => clearInterval(renewal));
    }, this.options.leaseMs / 3);
    try {
      return await use(lease, base);
    } catch (error) {
      if (error instanceof AbandonedLoad || isOwnFault(error)) await ifAvailable(() => this.store.release(lease));
      else await this.giveBackFailed(lease, toFailure(error), pausesAfterFailures);
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  private async giveBackFailed(lease: Lease, failure: LoadFailure, pauses: boolean): Promise<void> {
    const pauseMs = pauses ? pauseAfterFailures(lease.failures + 1, failure) : 0;
    await ifAvailable(() => this.store.fail(lease, failure, pauseMs));
  }
}
