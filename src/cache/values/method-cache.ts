import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper';
import type { CacheOutcome } from '../model/cache-outcome';
import { CacheEvents } from '../engine/cache-events';
import { ValueCache, type ValueRule } from './value-cache';
import { callKey, objectTextIn, UnusableArgumentsError } from './method-key';

/** The property of a class with the names of its cached methods; an empty name for a method that needs no default key. */
const CACHED = Symbol('larder.cached-methods');

/** The cache of an instance whose class has cached methods: Nest sets it, as it does with injected properties. */
const caches = new WeakMap<object, MethodCache>();

const METHOD_CACHE = Symbol('larder.method-cache');

/** The property that Nest sets, stored outside the instance: the instance does not change. */
export function receiveMethodCache(prototype: object): void {
  if (Object.hasOwn(prototype, METHOD_CACHE)) return;
  Object.defineProperty(prototype, METHOD_CACHE, {
    set(this: object, cache: MethodCache) {
      caches.set(this, cache);
    },
  });
  Inject(MethodCache)(prototype, METHOD_CACHE);
}

export function methodCacheOf(instance: unknown): MethodCache | undefined {
  return typeof instance === 'object' && instance !== null ? caches.get(instance) : undefined;
}

export function markCached(prototype: object, method: string): void {
  const known = (Reflect.getMetadata(CACHED, prototype) as readonly string[] | undefined) ?? [];
  Reflect.defineMetadata(CACHED, [...known, method], prototype);
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- arguments of any method
export type Args = any[];

/** The rule of a method; absent members come from the configuration. Durations in milliseconds. */
export interface CacheableRule extends Omit<ValueRule, 'tags'> {
  /**
   * The entry's key, unchanged in `CACHE_MANAGER`; it must include everything that changes the value. Without it the key is class, method
   * and a digest of the arguments. Undefined leaves the call out of the cache.
   *
   * @default class, method and a digest of the arguments; required for `@CachePut`
   */
  readonly key?: string | ((...args: Args) => string | undefined);
  /**
   * Tags to invalidate by: a list, or by the arguments.
   *
   * @default none
   */
  readonly tags?: readonly string[] | ((...args: Args) => readonly string[]);
}

/** One call of a cached method. */
export interface MethodCall {
  readonly instance: object;
  readonly method: string;
  readonly args: readonly unknown[];
}

/**
 * The cached methods of providers: their keys, and which providers may have default ones.
 *
 * Its one invariant: a default key is used only if class, method and arguments decide the value: for a class with one provider, which is
 * the same for all requests.
 */
@Injectable()
export class MethodCache implements OnModuleInit {
  private readonly logger = new Logger('Cache');
  /** Why calls of a class have no default key, by class; undefined if they have one. */
  private reasons = new Map<object, string | undefined>();
  private readonly warned = new Set<string>();

  constructor(
    readonly values: ValueCache,
    private readonly modules: ModulesContainer,
    private readonly events: CacheEvents,
  ) {}

  /** All providers exist: those of factories get their cache here, and uncacheable ones are logged. */
  onModuleInit(): void {
    this.reasons = this.readProviders();
    for (const [owner, why] of this.reasons) if (why !== undefined) this.warn((owner as { name: string }).name, why);
  }

  /** Answers a call of a `@Cacheable` method, and publishes how. */
  async wrap(call: MethodCall, rule: CacheableRule, proceed: () => Promise<unknown>): Promise<unknown> {
    let outcome: CacheOutcome = 'ERROR';
    try {
      const key = this.keyOf(call, rule);
      const found =
        key === undefined
          ? { value: await proceed(), outcome: 'BYPASS' as const }
          : await this.values.wrap(key, { ...rule, tags: givenFor(call, rule.tags) }, proceed);
      ({ outcome } = found);
      return found.value;
    } finally {
      this.events.methodCalled({ method: nameOf(call), outcome });
    }
  }

  /** Undefined if the call bypasses the cache. */
  keyOf(call: MethodCall, { key, upstream = 'app' }: CacheableRule): string | undefined {
    const owner = call.instance.constructor as { name: string };
    const name = nameOf(call);
    if (key !== undefined) {
      const text: unknown = givenFor(call, key);
      const object = typeof text === 'string' ? objectTextIn(text) : undefined;
      if (object === undefined && (typeof text === 'string' || text === undefined)) return text;
      const what = text instanceof Promise ? 'a promise' : `a ${typeof text}`;
      this.warn(name, object === undefined ? `its key returns ${what}` : `its key has ${object} in it`);
      return undefined;
    }
    if (!this.reasons.has(owner)) this.readAgain(owner);
    if (this.reasons.get(owner) !== undefined) return undefined;
    try {
      return callKey(upstream, name, call.args);
    } catch (error) {
      if (!(error instanceof UnusableArgumentsError)) throw error;
      this.warn(name, `an argument is ${error.message}`);
      return undefined;
    }
  }

  /** For a module that was loaded later, or an instance that is not a provider (`ModuleRef.create`): its class may have several. */
  private readAgain(owner: object & { readonly name: string }): void {
    this.reasons = this.readProviders();
    if (this.reasons.has(owner)) return;
    this.reasons.set(owner, NO_PROVIDER);
    this.warn(owner.name, NO_PROVIDER);
  }

  private warn(name: string, why: string): void {
    if (this.warned.has(name)) return;
    this.warned.add(name);
    this.logger.warn(
      `${name} is not cached: ${why}. Give its @Cacheable a key that includes everything that changes the value.`,
    );
  }

  private readProviders(): Map<object, string | undefined> {
    const wrappersOf = new Map<object, InstanceWrapper[]>();
    for (const wrapper of this.wrappers()) {
      const owner = ownerOf(wrapper);
      const cached = owner && (Reflect.getMetadata(CACHED, owner.prototype as object) as readonly string[] | undefined);
      if (owner && cached?.some(Boolean)) wrappersOf.set(owner, [...(wrappersOf.get(owner) ?? []), wrapper]);
      const instance: unknown = wrapper.isDependencyTreeStatic() ? wrapper.instance : undefined;
      if (cached && typeof instance === 'object' && instance !== null && !caches.has(instance))
        caches.set(instance, this);
    }
    const names = new Map<string, number>();
    for (const [owner, { length }] of wrappersOf) {
      const { name } = owner as { name: string };
      names.set(name, (names.get(name) ?? 0) + length);
    }
    return new Map([...wrappersOf].map(([owner, wrappers]) => [owner, whyNoDefault(owner, wrappers, names)]));
  }

  private wrappers(): InstanceWrapper[] {
    const all = [...this.modules.values()].flatMap(({ providers, controllers, injectables }) => [
      ...(providers.values() as Iterable<InstanceWrapper>),
      ...(controllers.values() as Iterable<InstanceWrapper>),
      ...(injectables.values() as Iterable<InstanceWrapper>),
    ]);
    return all.filter(({ isAlias }) => !isAlias);
  }
}

/** What a rule states, or gives for a call. */
export function givenFor<T>({ instance, args }: MethodCall, given: T | ((...args: Args) => T)): T {
  return typeof given === 'function' ? (given as (...args: Args) => T).apply(instance, [...args]) : given;
}

function nameOf({ instance, method }: Pick<MethodCall, 'instance' | 'method'>): string {
  return `${instance.constructor.name}.${method}`;
}

const NO_PROVIDER = 'it is no provider of a module, and there may be others of its class';

type Class = { readonly name: string; readonly prototype: unknown };

/** The class of a provider's instance: for a factory or a value, once it exists. */
function ownerOf({ metatype, isNotMetatype, inject, instance }: InstanceWrapper): Class | undefined {
  const provided: unknown = instance;
  const isMade = isNotMetatype || (inject !== null && inject !== undefined);
  if (!isMade && typeof metatype === 'function' && metatype.prototype) return metatype as Class;
  if (typeof provided !== 'object' || provided === null) return undefined;
  const { constructor } = provided;
  return typeof constructor === 'function' && constructor !== Object ? constructor : undefined;
}

function whyNoDefault(
  owner: object,
  wrappers: readonly InstanceWrapper[],
  names: ReadonlyMap<string, number>,
): string | undefined {
  if (wrappers.some((one) => one.isTransient || !one.isDependencyTreeStatic()))
    return 'it is made for each request or consumer, and its default key does not distinguish them';
  const { name } = owner as { name: string };
  return (names.get(name) ?? 0) > 1
    ? `there are ${names.get(name)} providers of a class ${name}, and their default keys are the same`
    : undefined;
}
