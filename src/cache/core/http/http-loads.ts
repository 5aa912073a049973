import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../kernel/clock';
import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheStore, Lease } from '../cache-store';
import { mayServeOnError } from '../freshness';
import type { Loader } from '../loader';
import { failureOf, UPSTREAM_ERROR, type RefreshListener } from '../refresh-report';
import { matchesIfNoneMatch } from '../representation';
import { markOf } from '../soft-purge';
import { CONDITIONS } from './conditions';
import type { HttpCacheRequest, Origin, OriginResponse } from './exchange';
import { hasFailed, policyOf, policyOfUpdated, verdictOf, type NeverStored } from './exchange-policy';
import { valueOf } from './fields';
import { Flight } from './flight';
import type { ResponsePolicy } from './response-policy';
import { selectionKey } from './selection';
import { whileSettling } from '../settling-tags';
import { HeldBytes, SharedBody } from './shared-body';
import type { VariantWriter, VariantWriterOptions } from './variant-writer';
import type { Seen } from './variants';

export interface HttpLoadsOptions extends Pick<VariantWriterOptions, 'selecting'> {
  /** Larger bodies are streamed and not stored, in bytes. */
  readonly maxEntryBytes: number;
  readonly neverStored?: NeverStored;
  /** Called when a load has ended that no request waited for. */
  readonly onRefreshed?: RefreshListener;
}

/** A head that has come, for all who wait for it. */
export type Head =
  | {
      readonly kind: 'response';
      readonly response: OriginResponse;
      readonly policy: ResponsePolicy;
      readonly body: SharedBody;
      /** The fields that the response varies by, and what the request that loaded it has selected by them. */
      readonly names: readonly string[] | undefined;
      readonly selection: string;
      /** Settles when it is stored, or is not. */
      readonly stored: Promise<boolean>;
    }
  | {
      readonly kind: 'entry';
      readonly entry: CacheEntry;
      readonly isValidated: boolean;
      readonly stored: boolean;
      /** Whether requests that joined may have it. */
      readonly isShareable: boolean;
    }
  /** Another replica stored an index: look again. */
  | { readonly kind: 'again' }
  /** Another replica loads it, and it was not to be waited for. */
  | { readonly kind: 'not-loaded' };

/** The lease of a load: its key, and its selection where it has one; `name` is both. */
export interface LoadName {
  readonly key: string;
  readonly selection?: string;
  readonly name: string;
}

/** How long loads of a URL whose answer was not to be shared do not wait for each other ("hit-for-miss"). */
const APART_MS = 60_000;
const MOST_APART = 10_000;
/** What bodies under way may hold in all, and never less than two of the largest that are stored. */
const HELD_BYTES = 134_217_728;

/**
 * Loads under way: one for those who would get the same, given up when none of them waits any more.
 *
 * Its one invariant: a load that began before an invalidation is joined by nobody who comes after it. It leaves the leases to the
 * `Loader`, the storing to the `VariantWriter`.
 */
export class HttpLoads {
  /** By the name of the lease. */
  private readonly flights = new Map<string, Flight<Head>>();
  private readonly apart = new LRUCache<string, true>({ max: MOST_APART, ttl: APART_MS });
  private readonly held: HeldBytes;

  constructor(
    store: CacheStore,
    private readonly loader: Loader,
    private readonly writer: VariantWriter,
    private readonly clock: Clock,
    private readonly options: HttpLoadsOptions,
  ) {
    this.held = new HeldBytes(Math.max(HELD_BYTES, 2 * options.maxEntryBytes));
    store.onChange((change) => {
      if (change.kind !== 'key') this.flights.clear();
      else for (const [key, { url }] of this.flights) if (url === change.key) this.flights.delete(key);
    });
  }

  /** The lease that the request's load needs: of its variant, or, where nothing is stored of the URL, of what it selects. */
  named({ key, headers }: HttpCacheRequest, { variantKey }: Seen): LoadName {
    if (variantKey !== undefined) return { key: variantKey, name: variantKey };
    const selection = selectionKey(this.options.selecting, headers);
    return { key, selection, name: `${key}|${selection}` };
  }

  /** What the request may join: a load that began before a soft purge is for those who came before it. */
  find(name: string, { index }: Pick<Seen, 'index'>): Flight<Head> | undefined {
    const flight = this.flights.get(name);
    return flight && flight.indexMark >= markOf(index?.entry) ? flight : undefined;
  }

  /** Whether requests like this one do not wait for each other, for what one got was not for others. */
  isApart(request: HttpCacheRequest): boolean {
    return this.apart.has(this.apartKey(request));
  }

  /** A load behind a response that is served stale: no request waits for it. */
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
        } else if (head.kind === 'entry' && head.isValidated) report();
      })
      .catch((error: unknown) => report(failureOf(error)));
  }

  /**
   * Loads, and lets others join, until the head has come and the rest is stored. What is uncoalesced waits for no other replica.
   */
  start({ key, selection, name }: LoadName, request: HttpCacheRequest, seen: Seen, origin: Origin): Flight<Head> {
    const indexMark = markOf(seen.index?.entry);
    const flight = new Flight<Head>(request.key, indexMark);
    const end = (): void => {
      if (this.flights.get(name) === flight) this.flights.delete(name);
    };
    this.flights.set(name, flight);
    flight.signal.addEventListener('abort', end, { once: true }); // who comes now joins no load that is given up
    const { tags } = request;
    const resource = { key, selection, tags, indexMark };
    const load = async (lease: Lease, base: CacheEntry | undefined): Promise<void> => {
      const settling = this.loader.isSettling(request.upstream, tags, lease);
      try {
        await this.loadUnder(lease, base, request, seen, flight, origin, settling);
      } catch (error) {
        if (!flight.signal.aborted) throw error;
        // Given up, for nobody waits any more: that says nothing of the upstream.
        await this.writer.giveBack(lease);
        flight.fail(error);
      }
    };
    const loading =
      this.isApart(request) && !seen.entry
        ? this.loader.underFreeLease(resource, seen.entry, load).then((hasLoaded) => {
            if (!hasLoaded) flight.arrive({ kind: 'not-loaded' });
          })
        : this.loader.underLease(resource, seen.entry, load).then((held) => {
            if (held.by === 'self') return;
            if (seen.index)
              flight.arrive({ kind: 'entry', entry: held.entry, isValidated: false, stored: true, isShareable: true });
            else flight.arrive({ kind: 'again' });
          });
    loading.catch((error: unknown) => flight.fail(error)).finally(end);
    return flight;
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
    const response = await this.askFor(request, base, flight, origin);
    const isValidated = response.status === 304 && base !== undefined;
    const { neverStored } = this.options;
    const ownPolicy = isValidated
      ? policyOfUpdated(request, response, base, neverStored)
      : policyOf(request, response, neverStored);
    const policy = settling !== undefined && (await settling) ? whileSettling(ownPolicy) : ownPolicy;
    if (isValidated) {
      response.body.destroy();
      // RFC 9111 §3.2, §4.3.4: the updated fields decide whether it is stored, and what selects it.
      const isShareable = policy.isStorable && this.writer.selectsAsBefore(base, response);
      if (!isShareable) this.apart.set(this.apartKey(request), true);
      const validated = { entry: base, indexMark: flight.indexMark };
      const toStore = covered ? 'freshen' : 'leave';
      const updated = await this.writer[isShareable ? toStore : 'discard'](lease, validated, response, policy);
      flight.arrive({ kind: 'entry', ...updated, isValidated: true, isShareable });
      return;
    }
    const isStorable = policy.isStorable && covered !== undefined;
    const beside = { ...(covered ?? seen), entry: base && seen.entry };
    const replaced = await this.judge(lease, request, beside, response, isStorable);
    const body = new SharedBody(response.body, {
      maxBytes: this.options.maxEntryBytes,
      declaredBytes: declaredLength(response.headers),
      held: this.held,
    });
    flight.signal.addEventListener('abort', () => body.abandon(), { once: true });
    const names = this.writer.selectingNames(response.headers);
    const selection = names === undefined ? '' : selectionKey(names, request.headers);
    this.noteSharing(request, response.status, policy.isStorable && !body.isTooLarge);
    // A failure does not take the place of what may stand in for it.
    const isWorse = hasFailed(response) && base !== undefined && mayServeOnError(base, this.clock.now());
    const stored =
      isStorable && !isWorse && replaced
        ? this.writer.keep(lease, request, replaced, { response, policy, body, names })
        : this.writer.giveBack(lease);
    stored.catch(() => undefined); // told by the body's readers and by the lease
    flight.arrive({ kind: 'response', response, policy, body, names, selection, stored });
    await stored;
    if (body.isTooLarge) this.noteSharing(request, response.status, false);
  }

  /** Remembers whether the next requests of the URL may wait for each other: they may again as soon as a response is for all. */
  noteSharing(request: HttpCacheRequest, status: number, isShared: boolean): void {
    if (isShared) this.apart.delete(this.apartKey(request));
    else if (status < 400) this.apart.set(this.apartKey(request), true);
  }

  /**
   * Carries out what a response says of those stored before it, before anyone has it: what is withdrawn or replaced by something that
   * may not be stored is removed, so that nothing serves it stale from then on.
   *
   * @returns what the response is stored beside; undefined where it may not be stored
   */
  private async judge(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    response: OriginResponse,
    isStorable: boolean,
  ): Promise<Seen | undefined> {
    switch (verdictOf(response)) {
      case 'none':
        return seen;
      case 'resource-withdrawn': {
        if (!seen.index) return seen;
        const index = await this.writer.withdraw(request, seen, isStorable);
        return index && { ...seen, index };
      }
      case 'variant-replaced':
        if (seen.entry && !isStorable) await this.writer.removeVariant(lease.key);
        return seen;
    }
  }

  /**
   * The whole response, or 304 for the base. A 304 with another tag than the base's is of something that is not stored: it
   * validates nothing (RFC 9111 §4.3.4), and the whole is asked for.
   */
  private async askFor(
    { headers }: HttpCacheRequest,
    base: CacheEntry | undefined,
    flight: Flight<Head>,
    origin: Origin,
  ): Promise<OriginResponse> {
    const plain = {
      method: 'GET',
      headers: withoutConditions(headers),
      signal: flight.signal,
      isBackground: flight.isKept,
    };
    const conditions = conditionsOf(base);
    if (conditions.length === 0) return origin(plain);
    const response = await origin({ ...plain, headers: [...plain.headers, ...conditions] });
    const [told, known] = [valueOf(response.headers, 'etag'), base?.validators.etag];
    const isOther = told !== undefined && known !== undefined && told !== known && !matchesIfNoneMatch(told, known);
    if (response.status !== 304 || !isOther) return response;
    response.body.destroy();
    return origin(plain);
  }

  /** Requests of a URL that select alike by what every response is selected by. */
  private apartKey({ key, headers }: HttpCacheRequest): string {
    return `${key}|${selectionKey(this.options.selecting, headers)}`;
  }
}

/** The length that a head promises, in bytes; 0 where it says nothing. */
export function declaredLength(headers: HeaderList): number {
  return Number(valueOf(headers, 'content-length') ?? 0);
}

/** Whether a request asks for the response only if it is another than the client has. */
export function hasConditions(headers: HeaderList): boolean {
  return headers.some(([name]) => CONDITIONS.some((condition) => condition === name));
}

/** Whether the response of another request's load may answer this one. */
export function maySharedWith(request: HttpCacheRequest, head: Extract<Head, { kind: 'response' }>): boolean {
  if (!head.policy.isStorable || !head.body.isJoinable || head.names === undefined) return false;
  return selectionKey(head.names, request.headers) === head.selection;
}

/** A load asks for the whole response, whatever its client has already. */
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
