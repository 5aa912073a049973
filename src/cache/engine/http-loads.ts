import { currentTracer, inSpan } from '../../kernel/tracer';
import { hasFailed } from '../law/exchange-policy';
import type { CacheEntry } from '../model/cache-entry';
import type { HttpCacheRequest } from '../model/exchange';
import { looksLikeIndex } from '../model/resource-index';
import { markOf } from '../model/soft-purge';
import type { CacheStore, Lease } from '../store/cache-store';
import { keyHash } from '../store/traced-store';
import { Flight, Flights } from './flights';
import type { HttpCacheOptions } from './http-cache.options';
import type { LeasedLoad, Load } from './leased-load';
import { AbandonedLoad, type Loader, type UseOfLease } from './loader';
import { failureOf, UPSTREAM_ERROR } from './load-failure';
import type { VariantWriter } from './variant-writer';
import type { Lookup, Seen, VariantFinder } from './variants';

/** The lease of a load: its key, and its selection if it has one; `name` combines both. */
interface LoadName {
  readonly key: string;
  readonly selection?: string;
  readonly name: string;
}

/**
 * One load for equal requests, aborted when no request waits for it any more.
 *
 * Its one invariant: a request that arrives after an invalidation never joins a load that began before it (`Flights`). It leaves the leases
 * to the `Loader`, the exchange with the origin and the storing to `LeasedLoad`.
 */
export class HttpLoads {
  /** How many loads have begun. */
  begun = 0;
  private readonly flights: Flights;

  constructor(
    store: CacheStore,
    private readonly loader: Loader,
    private readonly variants: VariantFinder,
    private readonly writer: VariantWriter,
    private readonly leased: LeasedLoad,
    private readonly options: HttpCacheOptions,
  ) {
    this.flights = new Flights(store);
  }

  get size(): number {
    return this.flights.size;
  }

  /** The load that the request may join. */
  find({ request, seen }: Lookup): Flight | undefined {
    return this.flights.find(this.nameOf(request, seen).name, seen);
  }

  /** The load of the request's selection that began while nothing was stored for its URL; `ended`: look again. */
  async findOvertaken({ request, seen }: Lookup): Promise<Flight | 'ended' | undefined> {
    const selection = this.variants.selectionOf(request);
    if (!seen.index || seen.entry || selection === undefined) return undefined;
    return this.flights.findOvertaken(`${request.key}|${selection}`, seen);
  }

  /** A load in the background of a stale answer: no request waits for it. */
  refresh(lookup: Lookup): void {
    const flight = this.start(lookup);
    flight.isBackground = true;
    const { upstream, key } = lookup.request;
    const report = (failure?: string): void => this.options.onRefreshed?.({ upstream, key, failure });
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

  /**
   * Loads, and lets others join, until the head has arrived and the rest is stored. An uncoalesced load waits for no other replica.
   *
   * @param isNewDemanded whether a load that another replica has begun earlier will not do: after it, look again
   */
  start(lookup: Lookup, isNewDemanded = false): Flight {
    const { request, seen } = lookup;
    const { name } = this.nameOf(request, seen);
    const span = currentTracer()?.start('load', 'internal', {
      'larder.upstream': request.upstream,
      'larder.cache.key_hash': keyHash(request.key),
    });
    const flight = new Flight(request.key, ++this.begun, markOf(seen.index?.entry), span);
    const end = (): void => this.flights.remove(name, flight);
    this.flights.add(name, flight);
    flight.signal.addEventListener('abort', end, { once: true }); // later requests do not join an aborted load
    // A body in one piece is stored before its head arrives: later requests look in the store. Registered before any waiter.
    flight.head.then((head) => head.kind !== 'response' && end(), end);
    inSpan(span, () => this.load({ ...lookup, flight }, isNewDemanded))
      .catch((error: unknown) => {
        if (error instanceof AbandonedLoad) flight.arrive({ kind: 'abandoned', error });
        else flight.fail(error);
      })
      .finally(end);
    return flight;
  }

  private async load(load: Load, isNewDemanded: boolean): Promise<void> {
    const { request, seen, flight } = load;
    const { key, selection } = this.nameOf(request, seen);
    const firstLoad = key === request.key || seen.entry ? undefined : this.variants.firstLoadOf(request);
    const subject = { key, selection, tags: request.tags, indexMark: flight.indexMark, firstLoad };
    const replaced = seen.entry ?? seen.occupant;
    const { pausesAfterFailures } = this.options;
    const use: UseOfLease = (lease, base, hasWaited) => this.runUnder(lease, base, load, hasWaited);
    const waits = !this.leased.hitForMiss.isUncoalesced(request) || seen.entry !== undefined;
    const result = await this.loader.underLease(subject, replaced, use, {
      waits,
      pausesAfterFailures,
      firstAnswer: seen.lease,
    });
    if (result === 'held') flight.arrive({ kind: 'not-loaded' });
    if (typeof result === 'string') return;
    const { entry } = result;
    if (isNewDemanded || looksLikeIndex(entry)) flight.arrive({ kind: 'again' });
    else flight.arrive({ kind: 'entry', entry, source: 'other-replica', stored: true, isShareable: true });
  }

  private async runUnder(lease: Lease, base: CacheEntry | undefined, load: Load, hasWaited: boolean): Promise<void> {
    const { request, seen, flight } = load;
    // The load that was waited for may have stored a variant that is selected by more fields than the index named.
    if (hasWaited && seen.index && !base) {
      await this.writer.giveBack(lease);
      flight.arrive({ kind: 'again' });
      return;
    }
    const settling = this.options.settling?.isSettling(request.upstream, request.tags, lease);
    flight.lease = lease;
    // Only the response that the request selects can be validated, not another one stored in its place.
    const isSelected = seen.entry !== undefined && base !== undefined && !looksLikeIndex(base);
    try {
      await this.leased.run({ ...load, lease, base: isSelected ? base : undefined }, settling);
    } catch (error) {
      if (!flight.signal.aborted) throw error;
      // Aborted because no request waits any more: that says nothing about the upstream.
      await this.writer.giveBack(lease);
      flight.fail(error);
    }
  }

  /** The lease that the request's load needs: of its variant, or, if nothing is stored for the URL, of its selection. */
  private nameOf(request: HttpCacheRequest, { variantKey }: Seen): LoadName {
    if (variantKey !== undefined) return { key: variantKey, name: variantKey };
    const { key } = request;
    const selection = this.variants.selectionOf(request);
    return selection === undefined ? { key, name: key } : { key, selection, name: `${key}|${selection}` };
  }
}
