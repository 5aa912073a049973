import { currentTracer, type Span } from '../../kernel/tracer';
import { markOf } from '../model/soft-purge';
import type { CacheStore, Lease } from '../store/cache-store';
import { ifAvailable } from '../store/if-available';
import type { Head } from './load-head';
import type { Seen } from './variants';

/** A load under way whose head several requests wait for; it is aborted when all of them have disconnected. */
export class Flight {
  /** The lease of the load, once it has begun. */
  lease: Lease | undefined;
  /** Whether it continues without waiters: a refresh behind an answer. */
  isBackground = false;
  readonly head: Promise<Head>;
  private readonly abortion = new AbortController();
  private settle: { resolve: (head: Head) => void; reject: (error: unknown) => void } | undefined;
  private interested = 0;

  constructor(
    /** The key of its URL, by which it is detached. */
    readonly url: string,
    /** Grows from load to load: a request that accepts no earlier one does not join a lower one. */
    readonly number: number,
    /** The soft-purge mark of the URL's index when it began: a request that sees a higher one does not join. */
    readonly indexMark: number,
    /** Where traces are exported. */
    private readonly span?: Span,
  ) {
    this.head = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.head.catch(() => undefined); // its waiters handle the error; there may be none
  }

  get signal(): AbortSignal {
    return this.abortion.signal;
  }

  /** Counts the request as a waiter until its client disconnects. */
  join(client: AbortSignal | undefined): void {
    this.interested += 1;
    if (this.span) currentTracer()?.link(this.span);
    if (!client) return;
    const leave = (): void => {
      this.interested -= 1;
      if (this.interested === 0 && !this.isBackground) this.abortion.abort();
    };
    if (client.aborted) leave();
    else client.addEventListener('abort', leave, { once: true });
  }

  arrive(head: Head): void {
    this.settle?.resolve(head);
  }

  fail(error: unknown): void {
    this.settle?.reject(error);
  }
}

/**
 * The loads under way in this process, by the name of their lease.
 *
 * Its one invariant: a request that arrives after an invalidation finds no load that began before it. An invalidation detaches every load,
 * because only the response of a load says which tags it has. That costs no request upstream: a later request finds the lease of the load
 * held, and waits for it unless the invalidation covers it (`LeaseRequest`).
 */
export class Flights {
  private readonly current = new Map<string, Flight>();
  /**
   * Loads that began while nothing was stored for their URL, once that has changed: by a purge, which detaches them from later requests, or
   * by the response of another selection, which does not.
   */
  private readonly overtaken = new Map<string, Flight>();

  constructor(private readonly store: CacheStore) {
    store.onChange((change) => {
      if (change.kind === 'key') this.detach(change.key);
      else if (change.kind !== 'lease') this.current.clear();
    });
  }

  get size(): number {
    return this.current.size;
  }

  add(name: string, flight: Flight): void {
    this.current.set(name, flight);
  }

  remove(name: string, flight: Flight): void {
    for (const flights of [this.current, this.overtaken]) if (flights.get(name) === flight) flights.delete(name);
  }

  /** The load that the request may join: a load that began before a soft purge serves only requests from before it. */
  find(name: string, { index }: Pick<Seen, 'index'>): Flight | undefined {
    const flight = this.current.get(name);
    return flight && flight.indexMark >= markOf(index?.entry) ? flight : undefined;
  }

  /**
   * A load that began while nothing was stored for its URL, if the store confirms that no invalidation has revoked it: entries stored since
   * then belong to other selections. `ended`: it was revoked, or has just stored its response.
   */
  async findOvertaken(name: string, { index }: Pick<Seen, 'index'>): Promise<Flight | 'ended' | undefined> {
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
