import type { Cache as NestCache } from '@nestjs/cache-manager';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import type { KeyvStore } from './keyv-store';
import { Tagged } from './tagged';
import type { ValueCache, ValueRule } from './value-cache';

/** How long a value lives, in milliseconds (0 and absent: without end), and what it is removed by. */
export interface ValueOptions {
  readonly ttl?: number | undefined;
  readonly tags?: readonly string[];
}

export interface WrapOptions<T> {
  readonly ttl?: number | ((value: T) => number) | undefined;
  /** For how long before its end a value is refreshed behind an answer. */
  readonly refreshThreshold?: number | ((value: T) => number) | undefined;
  readonly raw?: boolean;
  readonly tags?: readonly string[];
}

/** `CACHE_MANAGER` as this module registers it: the API of cache-manager, with tags. */
export interface TaggingCache extends Omit<NestCache, 'set' | 'wrap'> {
  set<T>(key: string, value: T, options?: number | ValueOptions): Promise<T>;
  wrap<T>(
    key: string,
    load: () => T | Promise<T>,
    options?: number | ((value: T) => number) | WrapOptions<T>,
    refreshThreshold?: number | ((value: T) => number),
  ): Promise<T>;
}

/**
 * cache-manager over the store of the cache, without a serialiser, key prefix or statistics of keyv's own. `wrap` goes through the
 * engine: one load across replicas.
 */
export function cacheManagerOver(store: KeyvStore, values: ValueCache): TaggingCache {
  const keyv = new Keyv({ store, useKeyPrefix: false, throwOnErrors: true });
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  // keyv gives an iterator only to stores that it knows by name.
  keyv.iterator = () => store.entries();
  const cache = createCache({ stores: [keyv] });
  return {
    ...cache,
    async set<T>(key: string, value: T, options?: number | ValueOptions): Promise<T> {
      const { ttl, tags }: ValueOptions = typeof options === 'object' ? options : { ttl: options };
      await cache.set(key, tags ? new Tagged(value, tags) : value, ttl);
      return value;
    },
    async wrap<T>(
      key: string,
      load: () => T | Promise<T>,
      options?: number | ((value: T) => number) | WrapOptions<T>,
      refreshThreshold?: number | ((value: T) => number),
    ): Promise<T> {
      const given = typeof options === 'object' ? options : { ttl: options, refreshThreshold };
      const { tags = [], raw = false }: WrapOptions<T> = given;
      const rule: ValueRule = {
        ...timesOf(given, undefined),
        tags,
        negativeTtlMs: 0,
        staleIfErrorMs: 0,
        jitter: 0,
        earlyRefreshBeta: 0,
      };
      const isByValue = typeof given.ttl === 'function' || typeof given.refreshThreshold === 'function';
      const found = await values.wrap(key, rule, load, isByValue ? (value) => timesOf(given, value) : undefined);
      return (raw ? { value: found.value, expires: found.freshUntil } : found.value) as T;
    },
  } as unknown as TaggingCache; // keyv's types for import and for require are two
}

/** A value is refreshed early as one that ends earlier, and may be served while it is revalidated for the rest of its time. */
function timesOf<T>(
  { ttl, refreshThreshold }: WrapOptions<T>,
  value: T | undefined,
): { ttlMs: number; staleWhileRevalidateMs: number } {
  const of = (given: number | ((value: T) => number) | undefined): number =>
    typeof given === 'function' ? (value === undefined ? 0 : given(value)) : (given ?? 0);
  const [ttlMs, earlyMs] = [of(ttl), of(refreshThreshold)];
  if (ttlMs <= 0) return { ttlMs, staleWhileRevalidateMs: 0 };
  const staleWhileRevalidateMs = Math.min(Math.max(0, earlyMs), ttlMs - 1);
  return { ttlMs: ttlMs - staleWhileRevalidateMs, staleWhileRevalidateMs };
}
