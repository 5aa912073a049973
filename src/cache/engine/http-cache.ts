import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { keyIn } from '../store/memory/resident-entry';
import type { CacheStore } from '../store/cache-store';
import type { Loader } from './loader';
import { shouldRefreshEarly } from '../law/freshness';
import type { HttpAnswer, HttpCacheRequest, Origin, StoredAnswer } from '../model/exchange';
import { valueOf } from '../law/fields';
import { Forwarding } from './forwarding';
import { HitForMiss } from './hit-for-miss';
import { IndexWriter } from './index-writer';
import { LeasedLoad } from './leased-load';
import type { HttpCacheOptions } from './http-cache.options';
import { HttpLoads } from './http-loads';
import { LoadAnswers } from './load-answers';
import { hasConditions } from './origin-request';
import { PLAIN, requestPolicy, type RequestPolicy } from '../law/request-policy';
import { reuseOf } from '../law/reuse';
import { namesOfAll, selectsByOwnFields } from '../law/selection';
import { Revalidation } from './revalidation';
import { VariantWriter } from './variant-writer';
import { VariantFinder, type Lookup, type Seen } from './variants';

/** How often the stored response may change while a request waits; after that it goes upstream alone. */
const MAX_LOOKS = 10;

/**
 * An HTTP cache (RFC 9111): answers GET and HEAD from the store where the RFC allows it, else from the origin, with one load for equal
 * requests.
 *
 * Its one invariant: a response is reused for another request only if it may be stored and that request selects it. The RFC's rules are
 * the pure functions of `law/`; the store resolves the races.
 */
export class HttpCache {
  private readonly loads: HttpLoads;
  private readonly forwarding: Forwarding;
  private readonly answers: LoadAnswers;
  private readonly variants: VariantFinder;
  private readonly hitForMiss: HitForMiss;

  constructor(
    store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: HttpCacheOptions,
  ) {
    this.variants = new VariantFinder(store, options.selecting);
    const indexes = new IndexWriter(store, clock);
    const writer = new VariantWriter(store, clock, indexes, options);
    const revalidation = new Revalidation(store, indexes, options);
    this.hitForMiss = new HitForMiss(options.selecting);
    const leased = new LeasedLoad(writer, revalidation, clock, this.hitForMiss, options);
    this.loads = new HttpLoads(store, loader, this.variants, writer, leased, options);
    this.forwarding = new Forwarding(writer, revalidation, this.hitForMiss, options);
    this.answers = new LoadAnswers(this.forwarding, clock, options);
  }

  get loadsUnderWay(): number {
    return this.loads.size;
  }

  /** A fresh hit in this process's memory that needs no further work; otherwise undefined. */
  peek(request: HttpCacheRequest): StoredAnswer | undefined {
    const now = this.clock.now();
    const seen = this.variants.peek(request, now);
    const hit = seen && this.hit(request, directivesOf(request), seen, now);
    return hit?.isEarly === true ? undefined : hit?.answer;
  }

  /** @throws AppError if there is neither a usable entry nor a response */
  async exchange(request: HttpCacheRequest, origin: Origin): Promise<HttpAnswer> {
    const directives = directivesOf(request);
    const isWhole =
      this.options.isOriginNeutral === true ||
      (request.method === 'GET' && valueOf(request.headers, 'range') === undefined);
    const isPlain = isWhole && !directives.isNoStore;
    const isUncoalesced = this.hitForMiss.isUncoalesced(request);
    const firstLoad = demandsNewLoad(directives) ? this.loads.begun + 1 : 0;
    for (let look = 0; look < MAX_LOOKS; look++) {
      const mayLoad = isPlain && !directives.isOnlyIfCached && !isUncoalesced;
      const leaseMs = mayLoad ? this.loader.leaseMs : undefined;
      const seen = await this.variants.find(request, this.clock.now(), leaseMs);
      const lookup = { request, directives, seen, origin };
      const stored = this.fromStore(lookup);
      if (stored) return stored;
      if (directives.isOnlyIfCached)
        throw new AppError('not-cached', 'The request asked for a stored response only, and there is none to serve.');
      // A stale stored response can be validated, even if other callers got something else since.
      if (!isPlain || (isUncoalesced && !seen.entry && this.goesAlone(lookup))) return this.answers.forwarded(lookup);
      const loaded = await this.load(lookup, firstLoad);
      if (loaded) return loaded;
    }
    return this.forwarding.forward(request, undefined, origin);
  }

  /**
   * Whether an uncoalesced request goes upstream unchanged: a request with conditions, because its answer may be 304, and every request
   * that arrives during another. One at a time is loaded, so that a response that may be stored again is stored.
   */
  private goesAlone(lookup: Lookup): boolean {
    if (this.options.isOriginNeutral !== true && hasConditions(lookup.request.headers)) return true;
    return this.loads.find(lookup) !== undefined;
  }

  private fromStore(lookup: Lookup): StoredAnswer | undefined {
    const { request, directives, seen } = lookup;
    const { entry, tier } = seen;
    const now = this.clock.now();
    const hit = this.hit(request, directives, seen, now);
    if (hit) {
      const isRefreshing = hit.isEarly && this.refresh(lookup);
      return isRefreshing ? { ...hit.answer, isRefreshing } : hit.answer;
    }
    switch (entry && reuseOf(entry, directives, now)) {
      case 'stale-allowed':
        return entry && { kind: 'stored', entry, outcome: 'HIT_STALE', tier };
      case 'stale-while-revalidate': {
        const isRefreshing = this.refresh(lookup);
        return entry && { kind: 'stored', entry, outcome: 'HIT_STALE', tier, ...(isRefreshing && { isRefreshing }) };
      }
      default:
        return undefined;
    }
  }

  /** A fresh response that may be served, and whether this request refreshes it early. */
  private hit(
    { key, policy }: HttpCacheRequest,
    directives: RequestPolicy,
    { entry, index, tier, variantKey, variantKeys }: Seen,
    now: number,
  ): { readonly answer: StoredAnswer; readonly isEarly: boolean } | undefined {
    if (!entry || variantKey === undefined || reuseOf(entry, directives, now) !== 'fresh') return undefined;
    const { freshUntil } = entry;
    const selectedBy = index ? namesOfAll(index.lists) : [];
    const isPointed = !selectsByOwnFields(selectedBy);
    const pointer = isPointed
      ? {
          key: keyIn(index?.entry ?? entry, key),
          indexId: index?.entry.id,
          variantKeys: variantKeys.map((one) => keyIn(entry, one)),
          selectedBy,
          freshUntil,
        }
      : undefined;
    const beta = policy?.earlyRefreshBeta ?? 0;
    // Uniform in (0, 1]: the logarithm of zero is no number.
    const isEarly = beta > 0 && shouldRefreshEarly(entry, now, beta, 1 - (this.options.random ?? Math.random)());
    return { answer: { kind: 'stored', entry, outcome: 'HIT', tier, ...(pointer && { pointer }) }, isEarly };
  }

  /** @returns whether it began a load */
  private refresh(lookup: Lookup): boolean {
    if (this.loads.find(lookup)) return false;
    this.loads.refresh(lookup);
    return true;
  }

  /**
   * The answer of one load, or undefined: look again.
   *
   * @param firstLoad the number of the first load that may answer the request
   */
  private async load(lookup: Lookup, firstLoad: number): Promise<HttpAnswer | undefined> {
    const { request, seen } = lookup;
    const isUncoalesced = this.hitForMiss.isUncoalesced(request) && !seen.entry;
    const overtaken = this.loads.find(lookup) ?? (await this.loads.findOvertaken(lookup));
    const underWay = overtaken ?? this.loads.find(lookup);
    if (underWay) await this.loader.releaseUnused(seen.lease);
    if (underWay === 'ended') return undefined;
    if (underWay && underWay.number < firstLoad) return this.answers.after(underWay, lookup);
    const flight = underWay ?? this.loads.start(lookup, firstLoad > 0);
    flight.join(request.signal);
    return this.answers.ofLoad(flight, lookup, underWay !== undefined, !isUncoalesced);
  }
}

/** The cache directives of the request. */
function directivesOf(request: HttpCacheRequest): RequestPolicy {
  return request.hasDirectives === false ? PLAIN : requestPolicy(request.headers);
}

/**
 * §5.2.1.4: no stored response "without successful validation on the origin server": nor one of a load that began before the request, for the
 * origin may have answered it earlier.
 */
function demandsNewLoad({ isNoCache, maxAgeMs, maxStaleMs }: RequestPolicy): boolean {
  return isNoCache || (maxAgeMs === 0 && maxStaleMs === undefined);
}
