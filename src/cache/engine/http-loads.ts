import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock';
import { AppError } from '../../kernel/app-error';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import type { CacheTier } from '../model/cache-outcome';
import type { CacheStore, Lease } from '../store/cache-store';
import { mayServeOnError } from '../law/freshness';
import { AbandonedLoad, type Loader } from './loader';
import { ifAvailable } from './if-available';
import { looksLikeIndex } from '../model/resource-index';
import { failureOf, UPSTREAM_ERROR, type RefreshListener } from './refresh-report';
import { matchesIfNoneMatch } from '../law/representation';
import { markOf } from '../model/soft-purge';
import { isWholeCoding } from '../law/coded-body';
import { CONDITIONS } from '../law/conditions';
import type { HttpCacheRequest, Origin, OriginResponse } from '../model/exchange';
import { hasFailed, policyOf, policyOfUpdated, verdictOf, type NeverStored } from '../law/exchange-policy';
import { valueOf } from '../law/fields';
import { Flight } from './flight';
import type { ResponsePolicy } from '../law/response-policy';
import { selectionKey } from '../law/selection';
import { whileSettling } from './settling-tags';
import { HeldBytes, SharedBody } from './shared-body';
import type { Arrived, VariantWriter, VariantWriterOptions } from './variant-writer';
import type { Seen, VariantFinder } from './variants';

export interface HttpLoadsOptions extends Pick<VariantWriterOptions, 'selecting'> {
  /** Larger bodies are streamed and not stored, in bytes. */
  readonly maxEntryBytes: number;
  readonly neverStored?: NeverStored;
  /**
   * Whether the origin is a handler of this service: it answers GET alone, and its key may be shared by callers of different rights, so
   * that a 401 or 403 concerns only the variant that it was given for.
   */
  readonly isOriginNeutral?: boolean;
  /** Whether a resource pauses after repeated failures; without it every request tries again. */
  readonly pausesAfterFailures?: boolean;
  /** Called when a load has ended that no request waited for. */
  readonly onRefreshed?: RefreshListener;
}

/** The head of a response, for all waiters. */
export type Head =
  | {
      readonly kind: 'response';
      readonly response: OriginResponse;
      readonly policy: ResponsePolicy;
      readonly body: SharedBody;
      /** The fields that the response varies by, and the request's values of them. */
      readonly names: readonly string[] | undefined;
      readonly selection: string;
      /** Settles when it has been stored, or not. */
      readonly stored: Promise<boolean>;
    }
  | {
      readonly kind: 'entry';
      readonly entry: CacheEntry;
      readonly source: 'load' | 'validation' | 'other-replica';
      /** The tier of the stored response that it was derived from. */
      readonly derivedFromTier?: CacheTier | undefined;
      readonly stored: boolean;
      /** Whether requests that joined may get it. */
      readonly isShareable: boolean;
      /** For a load: as in a response. */
      readonly names?: readonly string[] | undefined;
      readonly selection?: string;
    }
  /** Another replica stored an index: look again. */
  | { readonly kind: 'again' }
  /** Its own client's disconnection ended the load: look again, unless it was this request's. */
  | { readonly kind: 'abandoned'; readonly error: Error }
  /** Another replica loads it, and this request must not wait. */
  | { readonly kind: 'not-loaded' };

/** The lease of a load: its key, and its selection if it has one; `name` combines both. */
export interface LoadName {
  readonly key: string;
  readonly selection?: string;
  readonly name: string;
}

/** How long loads of a URL with an unshareable response do not wait for each other ("hit-for-miss"). */
const HIT_FOR_MISS_MS = 60_000;
const MAX_UNCOALESCED_KEYS = 10_000;
/** The memory of all bodies under way, at least two of the largest storable ones. */
const HELD_BYTES = 134_217_728;

/**
 * Loads under way: one for equal requests, aborted when no request waits for it any more.
 *
 * Its one invariant: a request that arrives after an invalidation never joins a load that began before it. It leaves the leases to the
 * `Loader`, the storing to the `VariantWriter`.
 */
export class HttpLoads {
  /** By the name of the lease. */
  private readonly flights = new Map<string, Flight<Head>>();
  /**
   * Loads that began while nothing was stored for their URL, by name, once that has changed: by a purge, which detaches them from later
   * requests, or by the response of another selection, which does not.
   */
  private readonly overtaken = new Map<string, Flight<Head>>();
  private readonly uncoalesced = new LRUCache<string, true>({ max: MAX_UNCOALESCED_KEYS, ttl: HIT_FOR_MISS_MS });
  private readonly held: HeldBytes;

  constructor(
    private readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly variants: VariantFinder,
    private readonly writer: VariantWriter,
    private readonly clock: Clock,
    private readonly options: HttpLoadsOptions,
  ) {
    this.held = new HeldBytes(Math.max(HELD_BYTES, 2 * options.maxEntryBytes));
    store.onChange((change) => {
      if (change.kind === 'key') this.detach(change.key);
      else this.flights.clear();
    });
  }

  get size(): number {
    return this.flights.size;
  }

  /** The lease that the request's load needs: of its variant, or, if nothing is stored for the URL, of its selection. */
  named(request: HttpCacheRequest, { variantKey }: Seen): LoadName {
    if (variantKey !== undefined) return { key: variantKey, name: variantKey };
    const { key } = request;
    const selection = this.variants.selectionOf(request);
    return selection === undefined ? { key, name: key } : { key, selection, name: `${key}|${selection}` };
  }

  /** The load that the request may join: a load that began before a soft purge serves only requests from before it. */
  find(name: string, { index }: Pick<Seen, 'index'>): Flight<Head> | undefined {
    const flight = this.flights.get(name);
    return flight && flight.indexMark >= markOf(index?.entry) ? flight : undefined;
  }

  /**
   * The load of the request's selection that began while nothing was stored for its URL, if the store confirms that no invalidation has
   * revoked it: entries stored since then belong to other selections. `ended`: it was revoked, or has just stored its response: look
   * again.
   */
  async findOvertaken(request: HttpCacheRequest, { index, entry }: Seen): Promise<Flight<Head> | 'ended' | undefined> {
    const selection = this.variants.selectionOf(request);
    if (!index || entry || selection === undefined) return undefined;
    const name = `${request.key}|${selection}`;
    const flight = this.flights.get(name) ?? this.overtaken.get(name);
    const lease = flight?.lease;
    if (!lease || flight.indexMark < markOf(index.entry)) return undefined;
    if (await ifAvailable(() => this.store.isStanding(lease))) return flight;
    for (const flights of [this.flights, this.overtaken]) if (flights.get(name) === flight) flights.delete(name);
    return 'ended';
  }

  /** Whether requests like this one do not wait for each other, because an earlier response was not shareable. */
  isUncoalesced(request: HttpCacheRequest): boolean {
    return this.uncoalesced.has(this.uncoalescedKey(request));
  }

  /** A load in the background of a stale answer: no request waits for it. */
  refresh(what: LoadName, request: HttpCacheRequest, seen: Seen, origin: Origin): void {
    const flight = this.start(what, request, seen, origin);
    flight.keep();
    const report = (failure?: string): void =>
      this.options.onRefreshed?.({ upstream: request.upstream, key: request.key, failure });
    flight.head
      .then(async (head) => {
        if (head.kind === 'response') {
          await head.stored; // its body may still break off
          report(hasFailed(head.response) ? UPSTREAM_ERROR : undefined);
        } else if (head.kind === 'entry' && head.source !== 'other-replica')
          report(hasFailed(head.entry) ? UPSTREAM_ERROR : undefined);
      })
      .catch((error: unknown) => report(failureOf(error)));
  }

  /** Loads, and lets others join, until the head has arrived and the rest is stored. An uncoalesced load waits for no other replica. */
  start({ key, selection, name }: LoadName, request: HttpCacheRequest, seen: Seen, origin: Origin): Flight<Head> {
    const indexMark = markOf(seen.index?.entry);
    const flight = new Flight<Head>(request.key, indexMark);
    const end = (): void => {
      if (this.flights.get(name) === flight) this.flights.delete(name);
      if (this.overtaken.get(name) === flight) this.overtaken.delete(name);
    };
    this.flights.set(name, flight);
    flight.signal.addEventListener('abort', end, { once: true }); // later requests do not join an aborted load
    const { tags } = request;
    const resource = { key, selection, tags, indexMark };
    const load = async (lease: Lease, base: CacheEntry | undefined, hasWaited = false): Promise<void> => {
      // The load that was waited for may have stored a variant that is selected by more fields than the index named.
      if (hasWaited && seen.index && !base) {
        await this.writer.giveBack(lease);
        flight.arrive({ kind: 'again' });
        return;
      }
      const settling = this.loader.isSettling(request.upstream, tags, lease);
      flight.lease = lease;
      try {
        // Only the response that the request selects can be validated, not another one stored in its place.
        const isSelected = seen.entry !== undefined && base !== undefined && !looksLikeIndex(base);
        await this.loadUnder(lease, isSelected ? base : undefined, request, seen, flight, origin, settling);
      } catch (error) {
        if (!flight.signal.aborted) throw error;
        // Aborted because no request waits any more: that says nothing about the upstream.
        await this.writer.giveBack(lease);
        flight.fail(error);
      }
    };
    const { pausesAfterFailures } = this.options;
    const replaced = seen.entry ?? seen.occupant;
    const loading =
      this.isUncoalesced(request) && !seen.entry
        ? this.loader.underFreeLease(resource, replaced, load, pausesAfterFailures).then((hasLoaded) => {
            if (!hasLoaded) flight.arrive({ kind: 'not-loaded' });
          })
        : this.loader.underLease(resource, replaced, load, pausesAfterFailures).then((held) => {
            if (held.by === 'self') return;
            const { entry } = held;
            if (looksLikeIndex(entry)) flight.arrive({ kind: 'again' });
            else flight.arrive({ kind: 'entry', entry, source: 'other-replica', stored: true, isShareable: true });
          });
    loading
      .catch((error: unknown) => {
        if (error instanceof AbandonedLoad) flight.arrive({ kind: 'abandoned', error });
        else flight.fail(error);
      })
      .finally(end);
    return flight;
  }

  /** No later request joins a load of the URL. */
  private detach(url: string): void {
    for (const [name, flight] of this.flights) {
      if (flight.url !== url) continue;
      this.flights.delete(name);
      if (flight.lease?.selection !== undefined) this.overtaken.set(name, flight);
    }
  }

  private async loadUnder(
    lease: Lease,
    base: CacheEntry | undefined,
    request: HttpCacheRequest,
    seen: Seen,
    flight: Flight<Head>,
    origin: Origin,
    settling: Promise<boolean> | undefined,
  ): Promise<void> {
    const covered = await this.writer.cover(request, seen);
    const response = await this.requestOrigin(request, base, seen, flight, origin);
    // A 304 confirms only a response whose validators were sent.
    const isValidated = response.status === 304 && base !== undefined && conditionsOf(base).length > 0;
    const { neverStored } = this.options;
    const ownPolicy = isValidated
      ? policyOfUpdated(request, response, base, neverStored)
      : policyOf(request, response, neverStored);
    const policy = settling !== undefined && (await settling) ? whileSettling(ownPolicy) : ownPolicy;
    if (isValidated) {
      discardBody(response);
      // RFC 9111 §3.2, §4.3.4: the updated fields decide whether it is stored, and which requests select it.
      const isShareable = policy.isStorable && this.writer.selectsAsBefore(base, response);
      if (!isShareable) this.uncoalesced.set(this.uncoalescedKey(request), true);
      const validated = { entry: base, index: covered?.index };
      const updated =
        isShareable && covered
          ? await this.writer.freshen(lease, request, validated, response, policy)
          : await this.writer[isShareable ? 'leave' : 'discard'](lease, validated, response, policy);
      flight.arrive({ kind: 'entry', ...updated, source: 'validation', isShareable });
      return;
    }
    if (response.status === 304) throw unexpectedNotModified();
    const isStorable = policy.isStorable && covered !== undefined;
    const beside = { ...(covered ?? seen), entry: base && seen.entry };
    const replaced = await this.judge(lease, request, beside, response, isStorable);
    const names = this.writer.selectingNames(response.headers);
    const selection = names === undefined ? '' : selectionKey(names, request.headers);
    // A failure does not replace a response that stale-if-error may serve.
    const isWorse = hasFailed(response) && base !== undefined && mayServeOnError(base, this.clock.now());
    const place = isStorable && !isWorse ? replaced : undefined;
    const arrived: Arrived = { response, policy, names };
    if (Buffer.isBuffer(response.body)) {
      const whole = this.writer.entryOf(request, seen, arrived, response.body);
      const fits = response.body.length <= this.options.maxEntryBytes;
      const isReusable = policy.isStorable && policy.revalidation !== 'always';
      this.noteSharing(request, response.status, isReusable && fits);
      const entry = place && fits ? await this.writer.storedForm(whole) : whole;
      const stored =
        place && fits
          ? await this.writer.keep(lease, request, place, arrived, entry)
          : await this.writer.giveBack(lease);
      const isShareable = names !== undefined && (isReusable || response.isForWaiting === true);
      const derivedFromTier = response.derivedFrom?.tier;
      flight.arrive({ kind: 'entry', entry, source: 'load', derivedFromTier, stored, isShareable, names, selection });
      return;
    }
    const body = new SharedBody(response.body, {
      maxBytes: this.options.maxEntryBytes,
      declaredBytes: declaredLength(response.headers),
      held: this.held,
    });
    flight.signal.addEventListener('abort', () => body.abandon(), { once: true });
    const isReusable = policy.isStorable && policy.revalidation !== 'always';
    this.noteSharing(request, response.status, isReusable && !body.isTooLarge);
    const stored = place ? this.keepBody(lease, request, place, arrived, body) : this.writer.giveBack(lease);
    stored.catch(() => undefined); // the body's readers and the lease handle the error
    flight.arrive({ kind: 'response', response, policy, body, names, selection, stored });
    await stored;
    if (body.isTooLarge) this.noteSharing(request, response.status, false);
  }

  /** @throws AppError where the body breaks off */
  private async keepBody(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    arrived: Arrived,
    body: SharedBody,
  ): Promise<boolean> {
    const bytes = await body.whole().catch((cause: unknown) => {
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000, cause });
    });
    if (bytes === undefined) return this.writer.removeReplaced(lease, seen);
    // Truncated within complete framing: it is passed on unchanged, and replaces nothing.
    const { headers } = arrived.response;
    const isCoded = valueOf(headers, 'content-encoding') !== undefined;
    if (isCoded && !(await isWholeCoding(bytes, headers))) return this.writer.giveBack(lease);
    const entry = await this.writer.storedForm(this.writer.entryOf(request, seen, arrived, bytes));
    return this.writer.keep(lease, request, seen, arrived, entry);
  }

  /** Remembers whether later requests of the URL may wait for each other: they may again after a shareable response. */
  noteSharing(request: HttpCacheRequest, status: number, isShared: boolean): void {
    if (isShared) this.uncoalesced.delete(this.uncoalescedKey(request));
    else if (status < 400) this.uncoalesced.set(this.uncoalescedKey(request), true);
  }

  /**
   * Applies a response to the earlier stored ones before any client gets it: removes a withdrawn response, and one that is replaced by a
   * response that may not be stored, so that no request gets it stale from then on.
   *
   * @returns the index under which the response is stored; undefined where it may not be stored
   */
  private async judge(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    response: OriginResponse,
    isStorable: boolean,
  ): Promise<Seen | undefined> {
    switch (verdictOf(response, this.options)) {
      case 'none':
        return seen;
      case 'resource-withdrawn': {
        const index = seen.index && (await this.writer.withdraw(request, seen, isStorable));
        if (seen.index) return index && { ...seen, index };
        if (seen.entry && !isStorable) await this.writer.removeVariant(lease.key);
        return seen;
      }
      case 'variant-replaced':
        if (seen.entry && !isStorable) await this.writer.removeVariant(lease.key);
        return seen;
    }
  }

  /**
   * The whole response, or 304 for the base. A 304 with another tag than the base's belongs to a response that is not stored: it validates
   * nothing (RFC 9111 §4.3.4), and the whole response is requested.
   */
  private async requestOrigin(
    { headers }: HttpCacheRequest,
    base: CacheEntry | undefined,
    { index }: Pick<Seen, 'index'>,
    flight: Flight<Head>,
    origin: Origin,
  ): Promise<OriginResponse> {
    const plain = {
      method: 'GET',
      headers: withoutConditions(headers),
      signal: flight.signal,
      isBackground: flight.isKept,
      isNothingStored: index === undefined && base === undefined,
    };
    const conditions = conditionsOf(base);
    if (conditions.length === 0) return origin(plain);
    const response = await origin({ ...plain, headers: [...plain.headers, ...conditions] });
    const [received, known] = [valueOf(response.headers, 'etag'), base?.validators.etag];
    const isOther =
      received !== undefined && known !== undefined && received !== known && !matchesIfNoneMatch(received, known);
    if (response.status !== 304 || !isOther) return response;
    discardBody(response);
    return origin(plain);
  }

  /** Requests of a URL with equal values of the fields that select every response. */
  private uncoalescedKey({ key, headers }: HttpCacheRequest): string {
    return `${key}|${selectionKey(this.options.selecting, headers)}`;
  }
}

/** Stops the source of a body that no reader needs. */
function discardBody({ body }: OriginResponse): void {
  if (!Buffer.isBuffer(body)) body.destroy();
}

export function unexpectedNotModified(): AppError {
  const message = 'The upstream answered 304 to a request without validators.';
  return new AppError('upstream-invalid', message, { retryAfterMs: 1_000 });
}

/** The length that a head declares, in bytes; 0 without one. */
export function declaredLength(headers: HeaderList): number {
  return Number(valueOf(headers, 'content-length') ?? 0);
}

/** Whether a request is conditional on a change of the client's response. */
export function hasConditions(headers: HeaderList): boolean {
  return headers.some(([name]) => CONDITIONS.some((condition) => condition === name));
}

/** Whether the response of another request's load may answer this one. */
export function maySharedWith(request: HttpCacheRequest, head: Extract<Head, { kind: 'response' }>): boolean {
  const isReusable = head.policy.isStorable && head.policy.revalidation !== 'always';
  return isReusable && head.body.isJoinable && isSelectedBy(request, head);
}

/** Whether the request selects the response of a load. */
export function isSelectedBy(
  request: HttpCacheRequest,
  { names, selection }: { readonly names?: readonly string[] | undefined; readonly selection?: string },
): boolean {
  return names !== undefined && selectionKey(names, request.headers) === selection;
}

/** A load requests the whole response, regardless of its client's conditions. */
function withoutConditions(headers: HeaderList): HeaderList {
  return headers.filter((field) => field[0] !== 'range' && !hasConditions([field]));
}

function conditionsOf(base: CacheEntry | undefined): HeaderList {
  const { etag, lastModified } = base?.validators ?? {};
  return [
    ...(etag === undefined ? [] : [['if-none-match', etag] as const]),
    ...(lastModified === undefined ? [] : [['if-modified-since', lastModified] as const]),
  ];
}
