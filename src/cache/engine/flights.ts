import { markOf } from '../model/soft-purge';
import type { CacheStore } from '../store/cache-store';
import type { Flight } from './flight';
import { ifAvailable } from '../store/if-available';
import type { Head } from './load-head';
import type { Seen } from './variants';

/**
 * The loads under way in this process, by the name of their lease.
 *
 * Its one invariant: a request that arrives after an invalidation finds no load that began before it.
 */
export class Flights {
  private readonly current = new Map<string, Flight<Head>>();
  /**
   * Loads that began while nothing was stored for their URL, once that has changed: by a purge, which detaches them from later requests, or
   * by the response of another selection, which does not.
   */
  private readonly overtaken = new Map<string, Flight<Head>>();

  constructor(private readonly store: CacheStore) {
    store.onChange((change) => {
      if (change.kind === 'key') this.detach(change.key);
      else this.current.clear();
    });
  }

  get size(): number {
    return this.current.size;
  }

  add(name: string, flight: Flight<Head>): void {
    this.current.set(name, flight);
  }

  remove(name: string, flight: Flight<Head>): void {
    for (const flights of [this.current, this.overtaken]) if (flights.get(name) === flight) flights.delete(name);
  }

  /** The load that the request may join: a load that began before a soft purge serves only requests from before it. */
  find(name: string, { index }: Pick<Seen, 'index'>): Flight<Head> | undefined {
    const flight = this.current.get(name);
    return flight && flight.indexMark >= markOf(index?.entry) ? flight : undefined;
  }

  /**
   * A load that began while nothing was stored for its URL, if the store confirms that no invalidation has revoked it: entries stored since
   * then belong to other selections. `ended`: it was revoked, or has just stored its response.
   */
  async findOvertaken(name: string, { index }: Pick<Seen, 'index'>): Promise<Flight<Head> | 'ended' | undefined> {
    const flight = this.current.get(name) ?? this.overtaken.get(name);
    const lease = flight?.lease;
    if (!lease || flight.indexMark < markOf(index?.entry)) return undefined;
    if (await ifAvailable(() => this.store.isStanding(lease))) return flight;
    this.remove(name, flight);
    return 'ended';
  }

  /** No later request joins a load of the URL. */
  private detach(url: string): void {
    for (const [name, flight] of this.current) {
      if (flight.url !== url) continue;
      this.current.delete(name);
      if (flight.lease?.selection !== undefined) this.overtaken.set(name, flight);
    }
  }
}
