import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CacheEntry } from './core/cache-entry';
import { acceptsGzip, identityBody } from './core/content-coding';
import { Delivery } from './delivery';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { forDeliveries } from './memory-shares';

interface Prepared {
  gzip?: Delivery;
  identity?: Delivery;
}

/** Where an entry carries what is prepared of it: a hit finds both by one look-up. Not enumerable, so that no copy has it. */
const PREPARED = Symbol('larder.prepared');

type WithPrepared = CacheEntry & { [PREPARED]?: Prepared | undefined };

/** What is ready to be sent of the entries in memory: in the form they are kept in, and unpacked for those who asked so. */
@Injectable()
export class Deliveries {
  private readonly prepared: LRUCache<CacheEntry, Prepared>;

  constructor(@Inject(RESPONSE_CACHE_OPTIONS) { l1 }: ResponseCacheModuleOptions) {
    this.prepared = new LRUCache<CacheEntry, Prepared>({
      maxSize: Math.max(1, forDeliveries(l1.maxBytes)),
      dispose: (prepared, entry: WithPrepared) => {
        if (entry[PREPARED] === prepared) entry[PREPARED] = undefined;
      },
    });
  }

  /** The delivery that is at hand or takes next to no time to make; undefined where a body must be unpacked first. */
  ready(entry: CacheEntry, key: string, acceptEncoding: string | undefined): Delivery | undefined {
    const isGzip = entry.coding === 'gzip' && acceptsGzip(acceptEncoding);
    const known = (entry as WithPrepared)[PREPARED];
    const delivery = isGzip ? known?.gzip : known?.identity;
    if (delivery) return delivery;
    if (!isGzip && entry.coding === 'gzip') return undefined;
    return this.keep(entry, new Delivery(entry, key, entry.coding, entry.body));
  }

  /**
   * The delivery in the coding that the client takes.
   *
   * @throws Error for a stored body that cannot be unpacked
   */
  of(entry: CacheEntry, key: string, acceptEncoding: string | undefined): Delivery | Promise<Delivery> {
    const ready = this.ready(entry, key, acceptEncoding);
    if (ready) return ready;
    const unpacked = identityBody(entry);
    const make = (body: Buffer): Delivery => this.keep(entry, new Delivery(entry, key, 'identity', body));
    return Buffer.isBuffer(unpacked) ? make(unpacked) : unpacked.then(make);
  }

  private keep(entry: CacheEntry, delivery: Delivery): Delivery {
    const carrier: WithPrepared = entry;
    const prepared = { ...carrier[PREPARED], [delivery.coding]: delivery };
    const size = [prepared.gzip, prepared.identity].reduce((sum, one) => sum + (one?.extraBytes(entry) ?? 0), 0);
    this.prepared.set(entry, prepared, { size });
    if (this.prepared.has(entry))
      Object.defineProperty(carrier, PREPARED, { value: prepared, writable: true, configurable: true });
    return delivery;
  }
}
