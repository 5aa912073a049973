import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { CacheEntry, Validators } from './cache-entry';
import type { CacheRequest } from './cache-request';
import { storedForm } from './content-coding';
import type { CacheStore, Lease, LoadFailure } from './cache-store';
import { filledEntry, freshenedEntry, type Filling } from './entry-filling';
import { fromFailure, isOwnFault, pauseAfterFailures, toFailure } from './failure-pause';
import { isFresh } from './freshness';
import { ifAvailable } from './if-available';
import { DeclinedLoad, type Landed, type Load, type Loaded, type LoadedResponse } from './load';
import { newToken } from './random-id';
import { looksLikeIndex } from './resource-index';
import { ruleWhileSettling, SETTLING_FRESH_MS, type SettlingTags } from './settling-tags';

export interface LoaderOptions {
  /** The life of a lease between two renewals, in milliseconds: after it a dead leader is replaced. */
  readonly leaseMs: number;
  /** The longest a load, or the wait for another's, may take, in milliseconds. */
  readonly loadTimeoutMs: number;
  /** How often a waiter looks again when no push tells it of a change, in milliseconds. */
  readonly pollMs: number;
  /** Larger bodies are answered and not stored, in bytes. */
  readonly maxEntryBytes: number;
  /** Whether a key pauses after repeated failures; without it every request tries anew. */
  readonly pausesAfterFailures?: boolean;
  /** Undefined where what is loaded after an invalidation is stored like anything else. */
  readonly settling?: SettlingTags | undefined;
  readonly random?: () => number;
}

/** Stores under the lease, and gives it back. False: nothing was stored. */
export type Fill = (lease: Lease, entry: CacheEntry) => Promise<boolean>;

export interface Landing {
  /** Whether nobody waits for it. */
  readonly isBackground?: boolean;
  /** The tags of the resource, where the entry is stored without them. */
  readonly resourceTags?: readonly string[];
  /** Another way to store than as the lease's own entry. */
  readonly fill?: Fill;
}

interface Loading {
  readonly load: Load;
  readonly fill: Fill;
}

interface LoadingUnderLease extends Loading {
  readonly settling: Promise<boolean> | undefined;
}

/**
 * One load per key across replicas: gets the lease and loads, or waits for the one who has it.
 *
 *   1. replica A is granted the lease; B and C are told who holds it and wait for a push of the entry or the lease
 *   2. A stores under its lease and gives it back: one push; B and C find the entry
 *   2'. A fails: the failure stays in the lease's place; B and C share it
 *   2". A dies: its lease ends unrenewed; B is granted the next one
 *   2‴. the key is invalidated meanwhile: A's lease is void, A answers its own waiters and stores nothing; B and C, who find
 *       neither entry nor lease, load anew
 */
export class Loader {
  private readonly random: () => number;

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly options: LoaderOptions,
  ) {
    this.random = options.random ?? Math.random;
  }

  /** For who looks for an entry that it would load. */
  get leaseMs(): number {
    return this.options.leaseMs;
  }

  /** @throws AppError the failure of the load, this one's or the one waited for */
  async land(
    request: CacheRequest,
    stale: CacheEntry | undefined,
    load: Load,
    {
      isBackground = false,
      resourceTags = request.tags,
      fill = (lease, entry) => this.store.fill(lease, entry),
    }: Landing = {},
  ): Promise<Landed> {
    const loading: Loading = { load: (context) => load({ ...context, isBackground }), fill };
    const held = await this.underLease(request, stale, (lease, base) =>
      this.loadUnder(lease, request, base, {
        ...loading,
        settling: this.isSettling(request.upstream, resourceTags, lease),
      }),
    );
    if (held.by === 'self') return held.result;
    return { entry: held.entry, via: 'other-replica', stored: true };
  }

  /**
   * Runs `use` with the key's lease, which it gives back by storing or releasing; or, where another replica has the lease,
   * waits for what that one stores.
   *
   * @throws whatever `use` throws, after the failure is left for those who wait; AppError their failure, or a time-out
   */
  async underLease<T>(
    { key, selection, tags, indexMark = 0 }: Pick<CacheRequest, 'key' | 'selection' | 'tags' | 'indexMark'>,
    stale: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined) => Promise<T>,
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
      if (answer.kind === 'granted') return { by: 'self', result: await this.holding(answer.lease, base, use) };
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

  /** As `SettlingTags.isSettling`. To be asked before the load begins. */
  isSettling(upstream: string, tags: readonly string[], lease: Lease): Promise<boolean> | undefined {
    return this.options.settling?.isSettling(upstream, tags, lease);
  }

  /**
   * Whether another's load has brought what the caller waits for: an index, by which the caller looks again; or a fresh entry that was
   * loaded under the index as the caller saw it, or later.
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
    { key, selection, tags, indexMark = 0 }: Pick<CacheRequest, 'key' | 'selection' | 'tags' | 'indexMark'>,
    base: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined) => Promise<void>,
  ): Promise<boolean> {
    const { leaseMs } = this.options;
    const asking = { key, token: newToken(), tags, seenId: base?.id ?? '', leaseMs, indexMark, selection };
    const answer = await this.store.acquire(asking);
    if (answer.kind === 'failed') throw fromFailure(answer.failure, answer.remainingMs);
    if (answer.kind !== 'granted') return false;
    await this.holding(answer.lease, base, use);
    return true;
  }

  private async holding<T>(
    lease: Lease,
    base: CacheEntry | undefined,
    use: (lease: Lease, base: CacheEntry | undefined) => Promise<T>,
  ): Promise<T> {
    const renewal = setInterval(() => {
      // A lease that cannot be renewed ends by itself, and another may load.
      ifAvailable(() => this.store.renew(lease, this.options.leaseMs)).catch(() => clearInterval(renewal));
    }, this.options.leaseMs / 3);
    try {
      return await use(lease, base);
    } catch (error) {
      if (error instanceof DeclinedLoad) await this.giveBackUnfilled(lease, error.removesEntry);
      else if (isOwnFault(error)) await ifAvailable(() => this.store.release(lease));
      else await this.giveBackFailed(lease, toFailure(error));
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  private async loadUnder(
    lease: Lease,
    request: CacheRequest,
    base: CacheEntry | undefined,
    { load, fill, settling }: LoadingUnderLease,
  ): Promise<Landed> {
    const startedAt = this.clock.now();
    const loaded = await this.inTime(load, base);
    const isSettling = settling !== undefined && (await settling);
    const now = this.clock.now();
    const asked = isSettling ? { ...request, policy: ruleWhileSettling(request.policy) } : request;
    const filling: Filling = { request: asked, now, loadMs: now - startedAt, random: this.random() };
    if (loaded.kind === 'response') return this.keep(lease, isSettling ? briefly(loaded) : loaded, filling, fill);
    if (!base) throw new AppError('upstream-invalid', 'The upstream answered 304 to a request without validators.');
    const entry = freshenedEntry(base, loaded.headers, filling);
    const stored = await ifAvailable(() => this.store.freshen(lease, entry));
    return { entry, via: 'validation', stored: stored === true };
  }

  private async keep(lease: Lease, loaded: LoadedResponse, filling: Filling, fill: Fill): Promise<Landed> {
    const entry = filledEntry(loaded, filling);
    if (loaded.ttlMs === 0 || loaded.body.length > this.options.maxEntryBytes) {
      await this.giveBackUnfilled(lease, loaded.removesEntry === true);
      return { entry, via: 'load', stored: false, isForOne: loaded.isForOne === true };
    }
    // A marker is spliced into the body as it is.
    const kept = entry.marker === undefined ? { ...entry, ...(await storedForm(entry.body, entry.headers)) } : entry;
    const stored = await ifAvailable(() => fill(lease, kept));
    const landed = { entry: kept, stored: stored === true } as const;
    return loaded.madeIn === undefined
      ? { ...landed, via: 'load' }
      : { ...landed, via: 'store', madeIn: loaded.madeIn };
  }

  /** No failure: those who wait load for themselves. What is stored goes if the origin said so, and the lease with it. */
  private async giveBackUnfilled(lease: Lease, removesEntry: boolean): Promise<void> {
    await ifAvailable<unknown>(() =>
      removesEntry && lease.baseId !== ''
        ? this.store.invalidate({ kind: 'key', key: lease.key }, 'purge')
        : this.store.release(lease),
    );
  }

  private async giveBackFailed(lease: Lease, failure: LoadFailure): Promise<void> {
    const pauseMs = this.options.pausesAfterFailures === false ? 0 : pauseAfterFailures(lease.failures + 1, failure);
    await ifAvailable(() => this.store.fail(lease, failure, pauseMs));
  }

  /** The load, or its time-out: one that ignores its signal keeps nobody waiting. */
  private inTime(load: Load, base: CacheEntry | undefined): Promise<Loaded> {
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        abort.abort();
        const seconds = this.options.loadTimeoutMs / 1000;
        reject(
          new AppError('upstream-timeout', `The upstream did not answer within ${seconds} s.`, { retryAfterMs: 1_000 }),
        );
      }, this.options.loadTimeoutMs);
      load({ validators: validatorsOf(base), signal: abort.signal, isBackground: false, isFirst: base === undefined })
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}

function validatorsOf(entry: CacheEntry | undefined): Validators | undefined {
  return entry && (entry.validators.etag ?? entry.validators.lastModified) !== undefined ? entry.validators : undefined;
}

/** A response with a lifetime of its own, while what it is about settles. */
function briefly(loaded: LoadedResponse): LoadedResponse {
  return loaded.ttlMs === undefined ? loaded : { ...loaded, ttlMs: Math.min(loaded.ttlMs, SETTLING_FRESH_MS) };
}
