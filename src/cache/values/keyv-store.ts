import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import type { Clock } from '../../kernel/clock';
import { nameOfKey, toCacheKey } from '../model/cache-key';
import { ENDLESS_MS } from '../law/cache-rule';
import { StoreUnavailableError, type CacheStore } from '../store/cache-store';
import { isFresh } from '../law/freshness';
import { representativeEntry } from '../engine/stored-entries';
import { looksLikeMember } from '../model/resource-index';
import { storedForm, storedValue, whyNotStorable } from './stored-value';
import { UnreadableEntryError } from '../engine/unreadable-entry.error';
import type { ValueCache } from './value-cache';

/** How many keys the iterator reads at a time. */
const PAGE = 100;

/** The value that keyv, without a serialiser, passes to a store. */
interface KeyvValue {
  readonly value: unknown;
  readonly expires?: number | undefined;
}

/** A value on its way through keyv, whose `set` has no place for tags. */
export class Tagged {
  constructor(
    readonly value: unknown,
    readonly tags: readonly string[],
  ) {}
}

/**
 * The cache as a store for keyv 5, and so for cache-manager 7 and Nest's `CACHE_MANAGER`: the same tiers, the same keys. A value that is
 * set becomes the entry of a handler with that result, or is refused if it would change; an entry of the interceptor reads as the
 * handler's result, a resource as its latest response, else its first projection.
 *
 * A store that is down is a miss for `get` and an error for `set`, `del` and `clear`.
 */
export class KeyvStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = { dialect: 'larder' };
  namespace: string | undefined;

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly values: Pick<ValueCache, 'entryOf'>,
  ) {
    super();
  }

  get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return this.getStored(toCacheKey(key));
  }

  private async getStored<Value>(cacheKey: string): Promise<StoredData<Value> | undefined> {
    try {
      const found = await this.store.find(cacheKey);
      const entry = found && (await representativeEntry(this.store, cacheKey, found.entry));
      if (!entry || !isFresh(entry, this.clock.now())) return undefined;
      // A stored refusal is not a value.
      if (entry.status >= 400) return undefined;
      return { value: (await storedValue(cacheKey, entry)) as Value, expires: Math.round(entry.freshUntil) };
    } catch (error) {
      if (error instanceof StoreUnavailableError || error instanceof UnreadableEntryError) return undefined;
      throw error;
    }
  }

  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const data = value as KeyvValue;
    // keyv treats 0 as without end, and passes it on as undefined.
    const ttlMs = Number.isNaN(ttl) ? undefined : ttl;
    const lifeMs =
      ttlMs === 0 ? ENDLESS_MS : (ttlMs ?? (data.expires === undefined ? ENDLESS_MS : data.expires - Date.now()));
    const [given, tags] = data.value instanceof Tagged ? [data.value.value, data.value.tags] : [data.value, []];
    const form = given === undefined ? undefined : storedForm(given);
    if (given !== undefined && !form) throw new TypeError(`${key} is not stored: ${whyNotStorable(given)}`);
    if (!form || lifeMs <= 0) {
      await this.delete(key); // it takes the place of what was stored
      return true;
    }
    const rule = { ttlMs: lifeMs, tags, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };
    const entry = await this.values.entryOf(rule, form);
    if (entry) await this.store.put(toCacheKey(key), entry);
    return true;
  }

  async delete(key: string): Promise<boolean> {
    return (await this.store.invalidate({ kind: 'key', key: toCacheKey(key) }, 'purge')) > 0;
  }

  /** Removes the keys under our prefix, in small steps; no others. */
  async clear(): Promise<void> {
    await this.store.invalidate({ kind: 'prefix', prefix: '' }, 'purge');
  }

  /** The readable entries, as far as the store can list them. */
  async *entries<Value>(): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    let cursor: string | undefined;
    do {
      const page = await this.store.listing.list('*', cursor, PAGE);
      for (const { key } of page.items) {
        if (looksLikeMember(key)) continue; // shown with its resource
        const data = await this.getStored(key);
        if (data !== undefined) yield [nameOfKey(key), (data as { value: Awaited<Value> }).value];
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }
}
