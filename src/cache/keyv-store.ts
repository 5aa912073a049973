import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import type { Clock } from '../kernel/clock';
import type { CacheEntry, HeaderList } from './core/cache-entry';
import { toCacheKey } from './core/cache-key';
import { ENDLESS_MS } from './core/cache-rule';
import { StoreUnavailableError, type CacheStore } from './core/cache-store';
import { storedForm } from './core/content-coding';
import { isFresh } from './core/freshness';
import { newEntryId } from './core/random-id';
import { representativeEntry } from './core/stored-entries';
import { entityTag } from './core/representation';
import { valueOfEntry } from './handed-value';
import { bodyOf } from './handler-response';

/** What keyv, without a serialiser, hands to a store. */
interface KeyvValue {
  readonly value: unknown;
  readonly expires?: number | undefined;
}

/**
 * The cache as a store for keyv 5, and so for cache-manager 7 and Nest's `CACHE_MANAGER`: the same tiers, the same keys. A
 * value that is set becomes the entry that a handler's return of it would be; an entry that the interceptor stored reads as
 * what the handler returned, a resource as what is stored of it: its whole response, else what was made of it.
 *
 * A store that cannot be reached is a miss to `get` and an error to `set`, `del` and `clear`.
 */
export class KeyvStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = { dialect: 'larder' };
  namespace: string | undefined;

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {
    super();
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    const cacheKey = toCacheKey(key);
    try {
      const found = this.store.peek(cacheKey) ?? (await this.store.find(cacheKey));
      const entry = found && (await representativeEntry(this.store, cacheKey, found.entry));
      if (!entry || !isFresh(entry, this.clock.now())) return undefined;
      // What is kept of a refusal is no value.
      if (entry.status >= 400) return undefined;
      return { value: (await valueOfEntry(entry, true)) as Value, expires: Math.round(entry.freshUntil) };
    } catch (error) {
      if (error instanceof StoreUnavailableError) return undefined;
      throw error;
    }
  }

  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const data = value as KeyvValue;
    // keyv takes 0 for no end, and hands it on as none.
    const ttlMs = Number.isNaN(ttl) ? undefined : ttl;
    const lifeMs =
      ttlMs === 0 ? ENDLESS_MS : (ttlMs ?? (data.expires === undefined ? ENDLESS_MS : data.expires - Date.now()));
    if (lifeMs > 0) await this.store.put(toCacheKey(key), await this.entryOf(data.value, lifeMs));
    return true;
  }

  async delete(key: string): Promise<boolean> {
    return (await this.store.invalidate({ kind: 'key', key: toCacheKey(key) }, 'purge')) > 0;
  }

  /** Removes what is under our prefix, in small steps; never more. */
  async clear(): Promise<void> {
    await this.store.invalidate({ kind: 'prefix', prefix: '' }, 'purge');
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  private async entryOf(value: unknown, lifeMs: number): Promise<CacheEntry> {
    const { body, type = '' } = bodyOf(value ?? null, JSON.stringify);
    const headers: HeaderList = [['content-type', type]];
    const now = this.clock.now();
    return {
      id: newEntryId(),
      status: 200,
      headers,
      validators: {},
      upstream: 'app',
      tags: [],
      storedAt: now,
      freshUntil: now + Math.min(lifeMs, ENDLESS_MS),
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      mustRevalidate: false,
      loadDurationMs: 0,
      etag: entityTag(body),
      ...(await storedForm(body, headers)),
    };
  }
}
