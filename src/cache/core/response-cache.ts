import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from './cache-entry';
import type { CacheTier } from './cache-outcome';
import type { CacheAnswer, CacheRequest } from './cache-request';
import {
  CacheStore,
  StoreUnavailableError,
  type InvalidationMode,
  type InvalidationTarget,
  type KeyPage,
  type ListedEntry,
} from './cache-store';
import { isFresh, mayServeOnError, mayServeWhileRevalidating, shouldRefreshEarly } from './freshness';
import type { Landed, Load } from './load';
import { Loader } from './loader';
import { SingleFlight } from './single-flight';
import { within } from './within';

export interface ResponseCacheOptions {
  /** How long a request may wait for a load in all, in milliseconds. */
  readonly deadlineMs: number;
  /** How long a request that could be answered with a stale entry waits for the upstream, in milliseconds. */
  readonly staleAfterMs: number;
  readonly random?: () => number;
}

/** Is told of refreshes that no request waits for. */
export type RefreshListener = (key: string, error: unknown) => void;

/**
 * The read-through cache: looks up, decides, loads once per key, answers.
 *
 * Its one invariant: what an invalidation has covered is not answered to a request that came after it. It leaves the
 * storing and its races to the `CacheStore`, the loading to the `Loader`, the HTTP of it to the interceptor.
 */
export class ResponseCache {
  private readonly flights = new SingleFlight<Landed>();
  private readonly refreshListeners: RefreshListener[] = [];
  private readonly random: () => number;

  constructor(
    readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: ResponseCacheOptions,
  ) {
    // Uniform in (0, 1]: the logarithm of zero is no number.
    this.random = options.random ?? (() => 1 - Math.random());
    // A flight that began before an invalidation answers those on board and nobody who comes later.
    store.onChange((change) => {
      if (change.kind === 'key') this.flights.detach(change.key);
      else this.flights.detachAll();
    });
  }

  get loadsUnderWay(): number {
    return this.flights.size;
  }

  onRefreshFailed(listener: RefreshListener): void {
    this.refreshListeners.push(listener);
  }

  /** The answer that needs nothing but this process's memory: a fresh hit that nobody has to refresh, or undefined. */
  peek(key: string, earlyRefreshBeta: number): CacheAnswer | undefined {
    const found = this.store.peek(key);
    if (!found) return undefined;
    const { entry, tier } = found;
    const now = this.clock.now();
    if (!isFresh(entry, now) || shouldRefreshEarly(entry, now, earlyRefreshBeta, this.random())) return undefined;
    return { entry, outcome: 'HIT', tier };
  }

  /**
   * Answers from the store or by one load.
   *
   * @throws AppError when there is neither an entry that may be served nor a response
   */
  async answer(request: CacheRequest, load: Load): Promise<CacheAnswer> {
    const found = this.store.peek(request.key) ?? (await this.store.find(request.key));
    const now = this.clock.now();
    if (found && isFresh(found.entry, now)) {
      if (shouldRefreshEarly(found.entry, now, request.policy.earlyRefreshBeta, this.random()))
        this.refreshBehind(request, found.entry, load);
      return { ...found, outcome: 'HIT' };
    }
    if (found && mayServeWhileRevalidating(found.entry, now)) {
      this.refreshBehind(request, found.entry, load);
      return { ...found, outcome: 'HIT_STALE', forwarded: 'stale' };
    }
    return this.answerByLoad(request, found?.entry, load, found?.tier ?? 'upstream');
  }

  /**
   * Once it resolves, no request on this replica, and after the store's push none on any other, is answered with what was
   * stored or loaded before.
   *
   * @throws AppError `cache-unavailable` when the shared store cannot promise it
   */
  invalidate(target: InvalidationTarget, mode: InvalidationMode = 'purge'): Promise<number> {
    return this.orUnavailable('confirm the invalidation', this.store.invalidate(target, mode));
  }

  /** @throws AppError `cache-unavailable` */
  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.orUnavailable('show the entry', this.store.inspect(key));
  }

  /** @throws AppError `cache-unavailable` */
  list(match: string, cursor: string | undefined, limit: number): Promise<KeyPage> {
    return this.orUnavailable('list the entries', this.store.list(match, cursor, limit));
  }

  private async orUnavailable<T>(doing: string, result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      const message = `Redis did not ${doing} (${error.message}). Nothing is promised: send the request again.`;
      throw new AppError('cache-unavailable', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  private async answerByLoad(
    request: CacheRequest,
    stale: CacheEntry | undefined,
    load: Load,
    staleTier: CacheTier,
  ): Promise<CacheAnswer> {
    const forwarded = stale ? 'stale' : 'miss';
    const flight = this.flights.run(request.key, () => this.loader.land(request, stale, load, false));
    const spare = stale && mayServeOnError(stale, this.clock.now()) ? stale : undefined;
    try {
      const landed = await within(flight.result, spare ? this.options.staleAfterMs : this.options.deadlineMs);
      if (spare && landed.isError) return staleOnError(spare, staleTier, 'upstream-error');
      const { entry, via, stored } = landed;
      if (!flight.isLeader || via === 'other-replica') {
        return { entry, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true, stored };
      }
      const outcome = via === 'validation' ? 'REVALIDATED' : 'MISS';
      return { entry, outcome, tier: 'upstream', forwarded, stored };
    } catch (error) {
      if (spare) return staleOnError(spare, staleTier, error instanceof AppError ? error.code : 'internal');
      throw error;
    }
  }

  private refreshBehind(request: CacheRequest, entry: CacheEntry, load: Load): void {
    if (this.flights.has(request.key)) return;
    this.flights
      .run(request.key, () => this.loader.land(request, entry, load, true))
      .result.catch((error: unknown) => {
        for (const listener of this.refreshListeners) listener(request.key, error);
      });
  }
}

function staleOnError(entry: CacheEntry, tier: CacheTier, failure: string): CacheAnswer {
  return { entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}
