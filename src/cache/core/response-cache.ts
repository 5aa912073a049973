import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { endOfLife, type CacheEntry } from './cache-entry';
import { tagOfUpstream } from './cache-key';
import type { CacheTier } from './cache-outcome';
import type { CacheAnswer, CacheRequest } from './cache-request';
import {
  CacheStore,
  StoreUnavailableError,
  type EntryCount,
  type Found,
  type InvalidationMode,
  type InvalidationTarget,
  type KeyPage,
  type ListedEntry,
} from './cache-store';
import { isFresh, mayServeOnError, mayServeWhileRevalidating, shouldRefreshEarly } from './freshness';
import { DeclinedLoad, mayHide, type Landed, type Load } from './load';
import { Loader, type Fill } from './loader';
import { failureOf, type RefreshListener } from './refresh-report';
import { partAt, placeOfNobody, ResourceParts, type PartPlace, type PartRequest } from './resource-parts';
import { applySoftPurge, markOf } from './soft-purge';
import { SingleFlight, type Flight } from './single-flight';
import { within } from './within';

export interface ResponseCacheOptions {
  /** How long a request may wait for a load in all, in milliseconds. */
  readonly deadlineMs: number;
  /** How long a request that could be answered with a stale entry waits for the upstream, in milliseconds. */
  readonly staleAfterMs: number;
  readonly random?: () => number;
}

/** How often an answer is looked for that another replica loads. */
const LOOKS = 3;

/** Who asked for an invalidation. */
export type InvalidationSource = 'admin' | 'webhook' | 'write' | 'channel' | 'code';

/** An invalidation that the store has confirmed. */
export interface Invalidation {
  readonly target: InvalidationTarget;
  readonly mode: InvalidationMode;
  /** How many entries went, or became stale. */
  readonly count: number;
  readonly source: InvalidationSource;
}

/**
 * The read-through cache: looks up, decides, loads once per key, answers.
 *
 * Its one invariant: what an invalidation has covered is not answered to a request that came after it. It leaves the
 * storing and its races to the `CacheStore`, the loading to the `Loader`, the HTTP of it to the interceptor.
 */
export class ResponseCache {
  private readonly flights = new SingleFlight<Landed>();
  private readonly parts: ResourceParts;
  private readonly refreshListeners: RefreshListener[] = [];
  private readonly invalidationListeners: ((invalidation: Invalidation) => void)[] = [];
  private readonly random: () => number;

  constructor(
    readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: ResponseCacheOptions,
  ) {
    this.parts = new ResourceParts(store, clock);
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

  onRefreshed(listener: RefreshListener): void {
    this.refreshListeners.push(listener);
  }

  onInvalidated(listener: (invalidation: Invalidation) => void): void {
    this.invalidationListeners.push(listener);
  }

  /** The answer that needs nothing but this process's memory: a fresh hit that nobody has to refresh, or undefined. */
  peek(key: string, earlyRefreshBeta: number, part?: string): CacheAnswer | undefined {
    const place = part === undefined ? undefined : this.parts.peek(key, part);
    if (part !== undefined && place?.isCurrent !== true) return undefined;
    return this.hit(this.store.peek(place?.key ?? key), place, earlyRefreshBeta);
  }

  /** As `peek`, wherever it is stored. */
  async findHit(key: string, earlyRefreshBeta: number, part?: string): Promise<CacheAnswer | undefined> {
    const place = part === undefined ? undefined : await this.parts.find(key, part);
    if (part !== undefined && place?.isCurrent !== true) return undefined;
    const found = (await place?.ahead) ?? (await this.store.find(place?.key ?? key));
    return this.hit(found, place, earlyRefreshBeta);
  }

  /**
   * Answers from the store or by one load.
   *
   * @throws AppError when there is neither an entry that may be served nor a response
   */
  async answer(request: CacheRequest, load: Load): Promise<CacheAnswer> {
    const { key, part } = request;
    if (part === undefined) return this.answerAt(request, undefined, load);
    for (let look = 0; look < LOOKS; look++) {
      const place = await this.parts.find(key, part, this.loader.leaseMs);
      if (place) return this.answerAt(request, place, load);
      const loaded = await this.answerFirst({ ...request, part }, load);
      if (loaded) return loaded;
    }
    throw new AppError('deadline-exceeded', 'What is loaded is removed at once again. Try again shortly.', {
      retryAfterMs: 1_000,
    });
  }

  /**
   * Once it resolves, no request on this replica, and after the store's push none on any other, is answered with what was
   * stored or loaded before.
   *
   * @throws AppError `cache-unavailable` when the shared store cannot promise it
   */
  async invalidate(
    target: InvalidationTarget,
    mode: InvalidationMode = 'purge',
    source: InvalidationSource = 'code',
  ): Promise<number> {
    const count = await this.orUnavailable('confirm the invalidation', this.store.invalidate(target, mode));
    for (const listener of this.invalidationListeners) listener({ target, mode, count, source });
    return count;
  }

  /** @throws AppError `cache-unavailable` */
  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.orUnavailable('show the entry', this.parts.inspect(key));
  }

  /** @throws AppError `cache-unavailable` */
  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    return this.orUnavailable('list the entries', this.store.list(match, cursor, limit, tag));
  }

  /** @throws AppError `cache-unavailable` */
  count(target: InvalidationTarget): Promise<EntryCount> {
    return this.orUnavailable('count the entries', this.store.count(target));
  }

  /** @throws AppError `cache-unavailable` */
  find(key: string): Promise<Found | undefined> {
    return this.orUnavailable('show the entry', this.store.find(key));
  }

  private hit(
    found: Found | undefined,
    place: PartPlace | undefined,
    earlyRefreshBeta: number,
  ): CacheAnswer | undefined {
    if (!found) return undefined;
    const entry = applySoftPurge(found.entry, place?.index.entry);
    const now = this.clock.now();
    if (!isFresh(entry, now) || shouldRefreshEarly(entry, now, earlyRefreshBeta, this.random())) return undefined;
    return { entry, outcome: 'HIT', tier: found.tier };
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

  private async answerAt(request: CacheRequest, place: PartPlace | undefined, load: Load): Promise<CacheAnswer> {
    const key = place?.key ?? request.key;
    const found =
      this.store.peek(key) ??
      (await place?.ahead) ??
      (await this.store.find(key, { leaseMs: this.loader.leaseMs, indexMark: markOf(place?.index.entry) }));
    const entry = found && (place ? partAt(found.entry, place) : found.entry);
    const now = this.clock.now();
    if (found && entry && isFresh(entry, now)) {
      const isEarly = shouldRefreshEarly(entry, now, request.policy.earlyRefreshBeta, this.random());
      const isRefreshing = isEarly && this.refreshBehind(request, place, entry, load);
      return { entry, tier: found.tier, outcome: 'HIT', isRefreshing };
    }
    if (found && entry && mayServeWhileRevalidating(entry, now)) {
      const isRefreshing = this.refreshBehind(request, place, entry, load);
      return { entry, tier: found.tier, outcome: 'HIT_STALE', forwarded: 'stale', isRefreshing };
    }
    return this.answerByLoad(request, place, entry, load, found?.tier ?? 'upstream');
  }

  /** By the load that makes the resource known, or undefined: another replica did, look again. */
  private async answerFirst(request: PartRequest, load: Load): Promise<CacheAnswer | undefined> {
    const { tags } = request;
    const all = [tagOfUpstream(request.upstream), ...tags];
    const fill: Fill = (lease, entry) => this.parts.fillFirst(lease, { ...request, tags: all }, entry);
    const { key, part: selection } = request;
    const run = (): Promise<Landed> =>
      this.loader.land({ ...request, selection, tags: all }, undefined, load, { fill });
    const flight = this.flights.run(`${key}|${selection}`, run, { resource: key });
    const landed = await within(flight.result, this.options.deadlineMs);
    if (landed.via === 'other-replica') return undefined;
    return answerOf(landed, flight.isLeader, 'miss');
  }

  private async answerByLoad(
    request: CacheRequest,
    place: PartPlace | undefined,
    stale: CacheEntry | undefined,
    load: Load,
    staleTier: CacheTier,
  ): Promise<CacheAnswer> {
    const forwarded = stale ? 'stale' : 'miss';
    const flight = this.fly(request, place, stale, load, false);
    const spare = stale && mayServeOnError(stale, this.clock.now()) ? stale : undefined;
    try {
      const landed = await within(flight.result, spare ? this.options.staleAfterMs : this.options.deadlineMs);
      return answerOf(landed, flight.isLeader, forwarded);
    } catch (error) {
      if (spare && mayHide(error))
        return staleOnError(spare, staleTier, error instanceof AppError ? error.code : 'internal');
      throw error;
    }
  }

  /** @returns whether it began a load */
  private refreshBehind(request: CacheRequest, place: PartPlace | undefined, entry: CacheEntry, load: Load): boolean {
    if (this.flights.has(place?.key ?? request.key)) return false;
    const report = (failure?: string): void => {
      for (const listener of this.refreshListeners) listener({ upstream: request.upstream, key: request.key, failure });
    };
    this.fly(request, place, entry, load, true).result.then(
      ({ via }) => {
        if (via !== 'other-replica') report();
      },
      (error: unknown) => report(error instanceof DeclinedLoad ? undefined : failureOf(error)), // declined: an answer
    );
    return true;
  }

  /** One load for all who ask meanwhile. */
  private fly(
    request: CacheRequest,
    place: PartPlace | undefined,
    stale: CacheEntry | undefined,
    load: Load,
    isBackground: boolean,
  ): Flight<Landed> {
    const { part } = request;
    if (place === undefined || part === undefined)
      return this.flights.run(request.key, () => this.loader.land(request, stale, load, { isBackground }));
    // The tags are the index's: what removes that removes the part.
    const indexMark = markOf(place.index.entry);
    const loadPart: Load = (context) => load({ ...context, isFirst: false }); // others are beside it
    const run = async (): Promise<Landed> => {
      const covered = await this.parts.cover(request, place);
      const key = covered?.key ?? placeOfNobody(place.key);
      const asked = { ...request, key, tags: [], indexMark };
      const landed = await this.loader.land(asked, stale, loadPart, { isBackground, resourceTags: request.tags });
      if (landed.stored && covered) await this.parts.extend({ ...request, part }, covered, endOfLife(landed.entry));
      return covered ? landed : { ...landed, stored: false };
    };
    return this.flights.run(place.key, run, { indexMark, resource: request.key });
  }
}

/** @throws DeclinedLoad for who waited for a response that is another's alone */
function answerOf(landed: Landed, isLeader: boolean, forwarded: 'miss' | 'stale'): CacheAnswer {
  const { entry, via, stored, madeIn } = landed;
  if (landed.isForOne && !isLeader) throw new DeclinedLoad(undefined, false, false);
  if (madeIn !== undefined) return { entry, outcome: 'HIT', tier: madeIn };
  if (!isLeader || via === 'other-replica')
    return { entry, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true, stored };
  return { entry, outcome: via === 'validation' ? 'REVALIDATED' : 'MISS', tier: 'upstream', forwarded, stored };
}

function staleOnError(entry: CacheEntry, tier: CacheTier, failure: string): CacheAnswer {
  return { entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}
