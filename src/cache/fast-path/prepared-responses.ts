import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CacheEntry, ContentCoding } from '../model/cache-entry';
import { forPreparedResponses } from '../nest/memory-shares';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../nest/response-cache.options';
import type { PreparedResponse, Served } from './prepared-response';

/** One for each content coding. */
type Prepared = Partial<Record<ContentCoding, PreparedResponse<never>>>;

/** The property of an entry with its prepared responses: a hit finds both by one look-up. Not enumerable, so that no copy has it. */
const PREPARED = Symbol('larder.prepared');

type WithPrepared = CacheEntry & { [PREPARED]?: Prepared | undefined };

/** Refers to an entry without keeping it alive: memory may have evicted it, or never have held it. */
type EntryRef = WeakRef<WithPrepared>;

/**
 * Prepared responses of the entries in memory. They are evicted with their entry.
 *
 * Without L1 each read brings a new object of the same entry: then they are found by the entry's id, which changes with every store.
 */
@Injectable()
export class PreparedResponses {
  private readonly refs: LRUCache<EntryRef, true>;
  private readonly refOf = new WeakMap<CacheEntry, EntryRef>();
  private readonly byId: LRUCache<string, Prepared> | undefined;

  constructor(@Inject(RESPONSE_CACHE_OPTIONS) { l1 }: Pick<ResponseCacheModuleOptions, 'l1'>) {
    const maxSize = forPreparedResponses(l1.maxBytes);
    this.refs = new LRUCache<EntryRef, true>({
      maxSize,
      dispose: (_true, ref) => {
        const entry = ref.deref();
        if (entry) entry[PREPARED] = undefined;
      },
    });
    if (l1.maxBytes === 0) this.byId = new LRUCache<string, Prepared>({ maxSize });
  }

  /** Their memory, in bytes. */
  get bytes(): number {
    return (this.byId ?? this.refs).calculatedSize;
  }

  /** Each entry is requested by the entrance that prepared its response. */
  get<Answer extends Served>(entry: CacheEntry, coding: ContentCoding): PreparedResponse<Answer> | undefined {
    return this.of(entry)?.[coding] as PreparedResponse<Answer> | undefined;
  }

  keep<Answer extends Served>(entry: CacheEntry, coding: ContentCoding, response: PreparedResponse<Answer>): void {
    const prepared: Prepared = { ...this.of(entry), [coding]: response };
    const keeper = this.byId ? undefined : entry;
    const size = Object.values(prepared).reduce((sum, one) => sum + one.extraBytes(keeper), 0);
    if (this.byId) {
      this.byId.set(entry.id, prepared, { size });
      return;
    }
    const ref = this.refOf.get(entry) ?? new WeakRef<WithPrepared>(entry);
    this.refOf.set(entry, ref);
    this.refs.set(ref, true, { size });
    if (this.refs.has(ref))
      Object.defineProperty(entry, PREPARED, { value: prepared, writable: true, configurable: true });
  }

  private of(entry: WithPrepared): Prepared | undefined {
    return this.byId ? this.byId.get(entry.id) : entry[PREPARED];
  }
}
