import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CacheEntry } from './core/cache-entry';
import { acceptsGzip, identityBody } from './core/content-coding';
import { Delivery } from './delivery';
import { forDeliveries, forHitPointers } from './memory-shares';
import { isValueEntry } from './handed-value';
import type { PreparedAnswer } from './prepared-answer';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';

interface Prepared {
  gzip?: Delivery;
  identity?: Delivery;
  /** As an upstream's own answer, which the gateway passes on. */
  relayed?: PreparedAnswer<never>;
}

/** Where an entry carries what is prepared of it: a hit finds both by one look-up. Not enumerable, so that no copy has it. */
const PREPARED = Symbol('larder.prepared');

type WithPrepared = CacheEntry & { [PREPARED]?: Prepared | undefined };

/** Stands for an entry without keeping it: memory may have let go of it, or never have had it. */
type Mark = WeakRef<WithPrepared>;

/**
 * What is ready to be sent of the entries in memory: in the form they are kept in, and unpacked for those who asked so. It goes
 * with its entry, wherever that is forgotten.
 *
 * Without L1 each read brings a new object of the same entry: then its id tells, which is drawn anew whenever one is stored.
 */
@Injectable()
export class Deliveries {
  private readonly marks: LRUCache<Mark, true>;
  private readonly markOf = new WeakMap<CacheEntry, Mark>();
  private readonly byId: LRUCache<string, Prepared> | undefined;
  /** What a table of where requests found their entries may take. */
  readonly hitPointerBytes: number;

  constructor(@Inject(RESPONSE_CACHE_OPTIONS) { l1 }: ResponseCacheModuleOptions) {
    this.marks = new LRUCache<Mark, true>({
      maxSize: forDeliveries(l1.maxBytes),
      dispose: (_true, mark) => {
        const entry = mark.deref();
        if (entry) entry[PREPARED] = undefined;
      },
    });
    if (l1.maxBytes === 0) this.byId = new LRUCache<string, Prepared>({ maxSize: forDeliveries(0) });
    this.hitPointerBytes = forHitPointers(l1.maxBytes);
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return (this.byId ?? this.marks).calculatedSize;
  }

  /** The delivery that is at hand or takes next to no time to make; undefined where a body must be unpacked first. */
  ready(entry: CacheEntry, key: string, acceptEncoding: string | undefined): Delivery | undefined {
    const isGzip = entry.coding === 'gzip' && acceptsGzip(acceptEncoding);
    const known = this.known(entry);
    const delivery = isGzip ? known?.gzip : known?.identity;
    if (delivery) return delivery;
    if ((!isGzip && entry.coding === 'gzip') || isValueEntry(entry)) return undefined;
    return this.keep(entry, new Delivery(entry, key, entry.coding, entry.body));
  }

  /**
   * The delivery in the coding that the client takes, kept for others who ask.
   *
   * @throws Error for a stored body that cannot be unpacked
   */
  of(entry: CacheEntry, key: string, acceptEncoding: string | undefined): Delivery | Promise<Delivery> {
    const ready = this.ready(entry, key, acceptEncoding);
    if (!ready && isValueEntry(entry))
      throw new Error('It was stored for an interceptor that the route no longer has.');
    return ready ?? unpacked(entry, (body) => this.keep(entry, new Delivery(entry, key, 'identity', body)));
  }

  /** As `of`, for who has loaded it: nobody may ever ask for it again, and what comes to memory may be another object of it. */
  once(entry: CacheEntry, key: string, acceptEncoding: string | undefined): Delivery | Promise<Delivery> {
    if (entry.coding === 'gzip' && acceptsGzip(acceptEncoding)) return new Delivery(entry, key, 'gzip', entry.body);
    return unpacked(entry, (body) => new Delivery(entry, key, 'identity', body));
  }

  /** What the gateway has prepared of the entry. */
  relayed(entry: CacheEntry): PreparedAnswer<never> | undefined {
    return this.known(entry)?.relayed;
  }

  keepRelayed(entry: CacheEntry, relayed: PreparedAnswer<never>): void {
    this.add(entry, { relayed });
  }

  private known(entry: WithPrepared): Prepared | undefined {
    return this.byId ? this.byId.get(entry.id) : entry[PREPARED];
  }

  private keep(entry: CacheEntry, delivery: Delivery): Delivery {
    this.add(entry, { [delivery.coding]: delivery });
    return delivery;
  }

  private add(entry: CacheEntry, more: Prepared): void {
    const prepared = { ...this.known(entry), ...more };
    const { gzip, identity, relayed } = prepared;
    const keeper = this.byId ? undefined : entry;
    const size = [gzip, identity, relayed].reduce((sum, one) => sum + (one?.bytesBeside(keeper) ?? 0), 0);
    if (this.byId) {
      this.byId.set(entry.id, prepared, { size });
      return;
    }
    const mark = this.markOf.get(entry) ?? new WeakRef<WithPrepared>(entry);
    this.markOf.set(entry, mark);
    this.marks.set(mark, true, { size });
    if (this.marks.has(mark))
      Object.defineProperty(entry, PREPARED, { value: prepared, writable: true, configurable: true });
  }
}

function unpacked(entry: CacheEntry, make: (body: Buffer) => Delivery): Delivery | Promise<Delivery> {
  const body = identityBody(entry);
  return Buffer.isBuffer(body) ? make(body) : body.then(make);
}
