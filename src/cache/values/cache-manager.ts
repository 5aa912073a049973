import type { Cache as NestCache } from '@nestjs/cache-manager';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { Tagged, type KeyvStore } from './keyv-store';
import type { ValueCache, ValueRule } from './value-cache';

/** The lifetime of a value, in milliseconds (0 or absent: without end), and its tags. */
export interface ValueOptions {
  readonly ttl?: number | undefined;
  readonly tags?: readonly string[];
}

export interface WrapOptions<T> {
  readonly ttl?: number | ((value: T) => number) | undefined;
  /** How long before its end a value is refreshed in the background. */
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
 * cache-manager over the store of the cache, without keyv's own serialiser, key prefix or statistics. `wrap` goes through the engine: one
 * load across replicas.
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
    async set<T>(key: string, value: T, options?: number | ValueOptions | null): Promise<T> {
      const { ttl, tags }: ValueOptions = typeof options === 'object' ? (options ?? {}) : { ttl: options };
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
  } as unknown as TaggingCache; // keyv has two sets of types, for import and for require
}

/** An early refresh counts as an earlier end: the value may be served during its revalidation for the rest of its time. */
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
