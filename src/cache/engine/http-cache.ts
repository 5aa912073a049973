import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import { keyIn } from '../store/memory/resident-entry';
import type { CacheStore } from '../store/cache-store';
import { failureOf, isDisconnection, mayServeStaleFor } from './load-failure';
import type { Loader } from './loader';
import { shouldRefreshEarly } from '../law/freshness';
import { settlesWithin, within } from './within';
import type { HttpAnswer, HttpCacheRequest, Origin, StoredAnswer, StreamedAnswer } from '../model/exchange';
import { hasFailed } from '../law/exchange-policy';
import { valueOf } from '../law/fields';
import { fieldsForOthers } from './http-entries';
import type { Flight } from './flights';
import { Forwarding } from './forwarding';
import { HttpLoads, type HttpLoadsOptions } from './http-loads';
import { isSelectedBy, mayBeShared, type Head } from './load-head';
import { hasConditions } from './origin-request';
import { PLAIN, requestPolicy, type RequestPolicy } from '../law/request-policy';
import { mayServeStaleIfDisconnected, mayServeStaleIfError, reuseOf } from '../law/reuse';
import { namesOfAll, selectsByOwnFields } from '../law/selection';
import { VariantWriter, type VariantWriterOptions } from './variant-writer';
import { VariantFinder, type Seen } from './variants';

export interface HttpCacheOptions extends VariantWriterOptions, HttpLoadsOptions {
  /**
   * How long a request may wait for a load that continues and is stored, in milliseconds. A response for this request alone may take as
   * long as the upstream needs.
   */
  readonly deadlineMs: number;
  /** The same with a stale entry as fallback. */
  readonly staleAfterMs: number;
  /** Whether a stale response stands in for a failed origin also where the request asks for a validated one. */
  readonly servesStaleDespiteDirectives?: boolean;
  /** Whether a stale response is served while the origin cannot be reached, unless a directive forbids it (RFC 9111 §4.2.4). */
  readonly servesStaleWhenDisconnected?: boolean;
}

/** A body up to this size is sent in one piece; a larger one is streamed. */
const IN_ONE_PIECE_BYTES = 65_536;
/** The maximum wait for it, in milliseconds: a slow body is streamed. */
const IN_ONE_PIECE_MS = 1_000;
const LOOKS = 3;

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
  private readonly writer: VariantWriter;
  private readonly variants: VariantFinder;

  constructor(
    store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: HttpCacheOptions,
  ) {
    this.variants = new VariantFinder(store, options.selecting);
    this.writer = new VariantWriter(store, clock, options);
    this.loads = new HttpLoads(store, loader, this.variants, this.writer, clock, options);
    this.forwarding = new Forwarding(this.writer, this.loads.hitForMiss, options);
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
    const policy = directivesOf(request);
    const isWhole =
      this.options.isOriginNeutral === true ||
      (request.method === 'GET' && valueOf(request.headers, 'range') === undefined);
    const isPlain = isWhole && !policy.isNoStore;
    const isUncoalesced = this.loads.hitForMiss.isUncoalesced(request);
    const firstLoad = demandsNewLoad(policy) ? this.loads.begun + 1 : 0;
    for (let look = 0; look < LOOKS; look++) {
      const mayLoad = isPlain && !policy.isOnlyIfCached && !isUncoalesced;
      const leaseMs = mayLoad ? this.loader.leaseMs : undefined;
      const seen = await this.variants.find(request, this.clock.now(), leaseMs);
      const stored = this.fromStore(request, policy, seen, origin);
      if (stored) return stored;
      if (policy.isOnlyIfCached)
        throw new AppError('not-cached', 'The request asked for a stored response only, and there is none to serve.');
      // A stale stored response can be validated, even if other callers got something else since.
      if (!isPlain || (isUncoalesced && !seen.entry && this.goesAlone(request, seen)))
        return this.forwardOrStale(request, policy, seen, origin);
      const loaded = await this.load(request, policy, seen, origin, firstLoad);
      if (loaded) return loaded;
    }
    return this.forwarding.forward(request, undefined, origin);
  }

  /**
   * Whether an uncoalesced request goes upstream unchanged: a request with conditions, because its answer may be 304, and every request
   * that arrives during another. One at a time is loaded, so that a response that may be stored again is stored.
   */
  private goesAlone(request: HttpCacheRequest, seen: Seen): boolean {
    if (this.options.isOriginNeutral !== true && hasConditions(request.headers)) return true;
    return this.loads.find(request, seen) !== undefined;
  }

  private fromStore(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
  ): StoredAnswer | undefined {
    const { entry, tier } = seen;
    const now = this.clock.now();
    const hit = this.hit(request, policy, seen, now);
    if (hit) {
      const isRefreshing = hit.isEarly && this.refresh(request, seen, origin);
      return isRefreshing ? { ...hit.answer, isRefreshing } : hit.answer;
    }
    switch (entry && reuseOf(entry, policy, now)) {
      case 'stale-allowed':
        return entry && { kind: 'stored', entry, outcome: 'HIT_STALE', tier };
      case 'stale-while-revalidate': {
        const isRefreshing = this.refresh(request, seen, origin);
        return entry && { kind: 'stored', entry, outcome: 'HIT_STALE', tier, ...(isRefreshing && { isRefreshing }) };
      }
      default:
        return undefined;
    }
  }

  /** A fresh response that may be served, and whether this request refreshes it early. */
  private hit(
    { key, policy: rule }: HttpCacheRequest,
    policy: RequestPolicy,
    { entry, index, tier, variantKey, variantKeys }: Seen,
    now: number,
  ): { readonly answer: StoredAnswer; readonly isEarly: boolean } | undefined {
    if (!entry || variantKey === undefined || reuseOf(entry, policy, now) !== 'fresh') return undefined;
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
    const beta = rule?.earlyRefreshBeta ?? 0;
    // Uniform in (0, 1]: the logarithm of zero is no number.
    const isEarly = beta > 0 && shouldRefreshEarly(entry, now, beta, 1 - this.random());
    return { answer: { kind: 'stored', entry, outcome: 'HIT', tier, ...(pointer && { pointer }) }, isEarly };
  }

  /** @returns whether it began a load */
  private refresh(request: HttpCacheRequest, seen: Seen, origin: Origin): boolean {
    if (this.loads.find(request, seen)) return false;
    this.loads.refresh(request, seen, origin);
    return true;
  }

  private random(): number {
    return (this.options.random ?? Math.random)();
  }

  private staleFallback(policy: RequestPolicy, { entry }: Seen): CacheEntry | undefined {
    const heedsDirectives = this.options.servesStaleDespiteDirectives !== true;
    return entry && mayServeStaleIfError(entry, policy, this.clock.now(), heedsDirectives) ? entry : undefined;
  }

  /** The answer of the origin, or the stored response where the upstream fails and stale-if-error allows it. */
  private async forwardOrStale(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
  ): Promise<HttpAnswer> {
    const staleFallback = this.staleFallback(policy, seen);
    try {
      const deadlineMs = staleFallback && this.options.staleAfterMs;
      const answer = await this.forwarding.forward(request, seen, origin, deadlineMs);
      return staleFallback && hasFailed(answer.kind === 'stored' ? answer.entry : answer)
        ? serveStaleOnError(staleFallback, seen, 'upstream-error')
        : answer;
    } catch (error) {
      return this.staleOrThrow(error, policy, seen, staleFallback);
    }
  }

  /**
   * The answer of one load, or undefined: look again.
   *
   * @param firstLoad the number of the first load that may answer the request
   */
  private async load(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
    firstLoad: number,
  ): Promise<HttpAnswer | undefined> {
    const isUncoalesced = this.loads.hitForMiss.isUncoalesced(request) && !seen.entry;
    const overtaken = this.loads.find(request, seen) ?? (await this.loads.findOvertaken(request, seen));
    const underWay = overtaken ?? this.loads.find(request, seen);
    if (underWay) await this.loader.releaseUnused(seen.lease);
    if (underWay === 'ended') return undefined;
    if (underWay && underWay.number < firstLoad) return this.loadAfter(underWay, request, policy, seen, origin);
    const flight = underWay ?? this.loads.start(request, seen, origin, firstLoad > 0);
    flight.join(request.signal);
    const staleFallback = this.staleFallback(policy, seen);
    const forwarded = seen.entry ? 'stale' : seen.index ? 'vary-miss' : 'uri-miss';
    try {
      const { staleAfterMs } = this.options;
      const ownMs = request.policy?.deadlineMs ?? this.options.deadlineMs;
      const deadlineMs = isUncoalesced ? undefined : ownMs;
      const head = await within(flight.head, staleFallback ? Math.min(staleAfterMs, ownMs) : deadlineMs);
      if (head.kind === 'abandoned' && !underWay) throw head.error;
      if (head.kind === 'again' || head.kind === 'abandoned') return undefined;
      if (head.kind === 'not-loaded') return await this.forwarding.forward(request, seen, origin);
      if (head.kind === 'entry') {
        if (staleFallback && hasFailed(head.entry)) return serveStaleOnError(staleFallback, seen, 'upstream-error');
        const isOther = head.source === 'load' && !isSelectedBy(request, head);
        if (!underWay || (head.isShareable && !isOther)) return answerOf(head, forwarded, underWay !== undefined);
        // A variant that the request does not select may be stored next to the one that it does.
        return head.stored && isOther ? undefined : await this.forwarding.forward(request, seen, origin);
      }
      if (staleFallback && hasFailed(head.response)) return serveStaleOnError(staleFallback, seen, 'upstream-error');
      if (underWay && !mayBeShared(request, head)) return await this.forwarding.forward(request, seen, origin);
      return await this.deliver(head, forwarded, underWay !== undefined, staleFallback !== undefined);
    } catch (error) {
      return this.staleOrThrow(error, policy, seen, staleFallback);
    }
  }

  /**
   * For a request that an earlier load may not answer: undefined once that is over, for requests that wait together share the next one. One
   * whose body still flows may take long: the request goes upstream by itself.
   */
  private async loadAfter(
    earlier: Flight,
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
  ): Promise<HttpAnswer | undefined> {
    const isFlowing = earlier.head.then(
      async (head) => head.kind === 'response' && !(await settlesWithin(head.stored, IN_ONE_PIECE_MS)),
      () => false,
    );
    const staleFallback = this.staleFallback(policy, seen);
    const ownMs = request.policy?.deadlineMs ?? this.options.deadlineMs;
    try {
      const waitMs = staleFallback ? Math.min(this.options.staleAfterMs, ownMs) : ownMs;
      if (!(await within(isFlowing, waitMs))) return undefined;
    } catch (error) {
      return this.staleOrThrow(error, policy, seen, staleFallback);
    }
    return this.forwardOrStale(request, policy, seen, origin);
  }

  /** @throws the error, where no stale response may be served instead */
  private staleOrThrow(error: unknown, policy: RequestPolicy, seen: Seen, fallback?: CacheEntry): StoredAnswer {
    const { entry } = seen;
    if (fallback && mayServeStaleFor(error)) return serveStaleOnError(fallback, seen, failureOf(error));
    const isDisconnected = this.options.servesStaleWhenDisconnected === true && isDisconnection(error);
    if (isDisconnected && entry && mayServeStaleIfDisconnected(entry, policy, this.clock.now()))
      return serveStaleOnError(entry, seen, failureOf(error));
    throw error;
  }

  /** @throws AppError if the body breaks off, or is slow and there is a stale fallback; without one it is streamed */
  private async deliver(
    { response, policy, body, stored }: Extract<Head, { kind: 'response' }>,
    forwarded: 'stale' | 'vary-miss' | 'uri-miss',
    collapsed: boolean,
    hasStaleFallback: boolean,
  ): Promise<StreamedAnswer> {
    const { status } = response;
    const headers = collapsed
      ? fieldsForOthers(response.headers, policy, this.options.keepsEveryField)
      : response.headers;
    const facts = { outcome: collapsed ? 'COALESCED' : 'MISS', tier: 'upstream', forwarded, collapsed } as const;
    const { staleAfterMs, deadlineMs } = this.options;
    const reader = body.read();
    const isInTime = await settlesWithin(
      body.until(IN_ONE_PIECE_BYTES),
      hasStaleFallback ? staleAfterMs : Math.min(deadlineMs, IN_ONE_PIECE_MS),
    );
    if (hasStaleFallback && !isInTime) {
      await reader.return?.();
      throw new AppError('deadline-exceeded', `Not all of the answer came within ${staleAfterMs} ms.`);
    }
    if (body.hasFailed) {
      if (body.failedWith instanceof AppError) throw body.failedWith;
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000 });
    }
    // A larger body stays in `body`, which accounts for its memory: a copy would not be accounted for.
    const whole = body.hasEnded && body.received <= IN_ONE_PIECE_BYTES ? await body.whole() : undefined;
    if (whole === undefined) return { kind: 'streamed', status, headers, body: reader, ...facts };
    await reader.return?.();
    return { kind: 'streamed', status, headers, body: whole, ...facts, stored: await stored };
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

/** The answer of a load with an entry, for the request that started it or one that joined it. */
function answerOf(
  { entry, source, stored, derivedFromTier }: Extract<Head, { kind: 'entry' }>,
  forwarded: 'stale' | 'vary-miss' | 'uri-miss',
  hasJoined: boolean,
): StoredAnswer {
  const answer = { kind: 'stored', entry, stored } as const;
  if (derivedFromTier !== undefined) return { kind: 'stored', entry, outcome: 'HIT', tier: derivedFromTier };
  if (hasJoined || source === 'other-replica')
    return { ...answer, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true };
  if (source === 'load') return { ...answer, outcome: 'MISS', tier: 'upstream', forwarded };
  return { ...answer, outcome: 'REVALIDATED', tier: 'upstream', forwarded, forwardedStatus: 304 };
}

function serveStaleOnError(entry: CacheEntry, { tier }: Seen, failure: string): StoredAnswer {
  return { kind: 'stored', entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}
