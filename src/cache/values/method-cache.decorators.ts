import type { InvalidationMode } from '../store/cache-store';
import {
  givenFor,
  markCached,
  methodCacheOf,
  receiveMethodCache,
  type Args,
  type CacheableRule,
  type MethodCache,
  type MethodCall,
} from './method-cache';

type Method<R = unknown> = (...args: Args) => Promise<R>;
type ForMethods = <M extends Method>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

export type { CacheableRule };

export interface CachePutRule extends CacheableRule {
  readonly key: NonNullable<CacheableRule['key']>;
}

/** The changes of a method: at least one of them. */
export interface CacheEvictRule {
  /** The key or keys, or by the arguments. */
  readonly key?: string | ((...args: Args) => string | readonly string[] | undefined);
  /** The tags, or by the arguments. */
  readonly tags?: readonly string[] | ((...args: Args) => readonly string[]);
  /** All keys with this prefix. */
  readonly prefix?: string | ((...args: Args) => string | undefined);
  /**
   * `stale` keeps the entries for their stale-if-error window; `purge` removes them.
   *
   * @default `purge`
   */
  readonly mode?: InvalidationMode;
}

/**
 * Caches what an asynchronous method of a provider returns: one call across replicas for concurrent callers. Errors are thrown and not
 * stored.
 *
 * @example
 * ```ts
 * @Cacheable({ key: (id: string) => `product:${id}`, ttlMs: 60_000, tags: ['products'] })
 * findProduct(id: string): Promise<Product> { … }
 * ```
 */
export function Cacheable(rule: CacheableRule = {}): ForMethods {
  return decorator('@Cacheable', rule.key === undefined, (cache, call, proceed) => cache.wrap(call, rule, proceed));
}

/** Calls the method each time, and stores its result; undefined, and any error, removes the entry. */
export function CachePut(rule: CachePutRule): ForMethods {
  return decorator('@CachePut', false, (cache, call, proceed) => {
    const key = cache.keyOf(call, rule);
    return key === undefined ? proceed() : cache.values.put(key, { ...rule, tags: givenFor(call, rule.tags) }, proceed);
  });
}

/** Calls the method, then invalidates its changes, whether it succeeds or not: a failed call may have taken effect. */
export function CacheEvict(rule: CacheEvictRule): ForMethods {
  if (rule.key === undefined && rule.tags === undefined && rule.prefix === undefined)
    throw new TypeError(
      "@CacheEvict() removes nothing: name a key, tags or a prefix, as in @CacheEvict({ tags: ['products'] }).",
    );
  return decorator('@CacheEvict', false, async (cache, call, proceed) => {
    try {
      return await proceed();
    } finally {
      const [key, prefix] = [givenFor(call, rule.key), givenFor(call, rule.prefix)];
      const keys = key === undefined ? [] : [key].flat();
      const prefixes = prefix === undefined ? [] : [prefix];
      await cache.values.remove({ keys, prefixes, tags: givenFor(call, rule.tags) ?? [] }, rule.mode);
    }
  });
}

/**
 * Wraps a method in `around`, and lets Nest give the instances their cache. An instance that Nest has not created has none: its method
 * runs uncached.
 */
function decorator(
  what: string,
  hasDefaultKey: boolean,
  around: (cache: MethodCache, call: MethodCall, proceed: () => Promise<unknown>) => Promise<unknown>,
): ForMethods {
  return (target, name, descriptor) => {
    const method: unknown = descriptor.value;
    if (typeof target === 'function' || typeof method !== 'function' || typeof name !== 'string')
      throw new TypeError(`${what} is for methods of instances: ${String(name)} is none.`);
    receiveMethodCache(target);
    markCached(target, hasDefaultKey ? name : '');
    const cached = function (this: object, ...args: Args): unknown {
      const proceed = (): Promise<unknown> => (method as Method).apply(this, args);
      const cache = methodCacheOf(this);
      return cache ? around(cache, { instance: this, method: name, args }, proceed) : proceed();
    };
    // Keeps the metadata of other decorators, and the method's name.
    for (const known of Reflect.getOwnMetadataKeys(method))
      Reflect.defineMetadata(known, Reflect.getOwnMetadata(known, method), cached);
    for (const property of ['name', 'length'] as const)
      Object.defineProperty(cached, property, { value: method[property], configurable: true });
    (descriptor as PropertyDescriptor).value = cached;
  };
}
