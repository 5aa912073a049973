import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CacheEntry, ContentCoding } from '../model/cache-entry';
import { WITHOUT_L1_BYTES } from '../store/memory/memory-shares';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import { keepUnpacked, keepWith, keptWith, type KeptWith } from '../store/memory/resident-entry';
import type { PreparedResponse, Served } from './prepared-response';

/** The prepared responses of an entry, one for each content coding. */
class Prepared implements KeptWith {
  constructor(
    readonly bytes: number,
    readonly identity: PreparedResponse<never> | undefined,
    readonly gzip: PreparedResponse<never> | undefined,
  ) {}
}

/**
 * Prepared responses of the entries in memory: kept with their entry, counted with it, and evicted with it.
 *
 * Without L1 each read brings a new object of the same entry: then they are found by the entry's id, which changes with every store.
 */
@Injectable()
export class PreparedResponses {
  private readonly byId: LRUCache<string, Prepared> | undefined;

  constructor(@Inject(RESPONSE_CACHE_OPTIONS) { l1 }: Pick<ResponseCacheModuleOptions, 'l1'>) {
    if (l1.maxBytes < 1) this.byId = new LRUCache<string, Prepared>({ maxSize: WITHOUT_L1_BYTES });
  }

  /** The memory of those without L1, in bytes. */
  get bytes(): number {
    return this.byId?.calculatedSize ?? 0;
  }

  /** Each entry is requested by the entry point that prepared its response. */
  get<Answer extends Served>(entry: CacheEntry, coding: ContentCoding): PreparedResponse<Answer> | undefined {
    return this.of(entry)?.[coding] as PreparedResponse<Answer> | undefined;
  }

  /** Keeps it as long as the entry, if memory has the entry itself. */
  keep<Answer extends Served>(entry: CacheEntry, coding: ContentCoding, response: PreparedResponse<Answer>): void {
    const { identity, gzip, bytes = 0 } = this.of(entry) ?? {};
    const isIdentity = coding === 'identity';
    const keeper = this.byId ? undefined : entry;
    const replaced = isIdentity ? identity : gzip;
    const grown = this.byId || !isIdentity || response.text === undefined ? 0 : keepUnpacked(entry, response.text);
    const size = bytes - (replaced?.extraBytes(keeper) ?? 0) + response.extraBytes(keeper) + grown;
    const prepared = new Prepared(size, isIdentity ? response : identity, isIdentity ? gzip : response);
    if (this.byId) this.byId.set(entry.id, prepared, { size });
    else keepWith(entry, prepared);
  }

  private of(entry: CacheEntry): Prepared | undefined {
    return this.byId ? this.byId.get(entry.id) : (keptWith(entry) as Prepared | undefined);
  }
}
