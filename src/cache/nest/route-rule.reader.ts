import { Inject, Injectable, Logger, type ExecutionContext } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer, Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import {
  CACHE_RULE_METADATA,
  LOAD_FACTORIES,
  NEST_CACHE_KEY,
  NEST_CACHE_TTL,
  type RouteRule,
} from './cache-rule.decorator';
import { policyOf } from '../law/cache-rule';
import type { CachePolicy } from '../law/cache-policy';
import { caughtClasses, type CaughtClasses } from './exception-filters';
import { isHandedOn, mayTouchReply, unkeptField, whyNoValue, whyNotForAll } from './nest-pipeline';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import {
  isKeyed,
  keyOf,
  namedKey,
  projectionOf,
  shapeOf,
  textOfKey,
  UnusableKeyError,
  type KeyShape,
} from './route-key';
import type { RouteKey } from './route-request';

type ValueOrFactory<T> = T | ((context: ExecutionContext) => T | Promise<T>);

/** The declared facts of a route, read once. */
interface RouteFacts {
  readonly rule: RouteRule;
  readonly nestKey: ValueOrFactory<string> | undefined;
  readonly nestTtl: ValueOrFactory<number> | undefined;
  readonly way: RouteWay;
  readonly policy: CachePolicy;
}

/** How a route is found, and its answers go out. */
export interface RouteWay {
  readonly shape: KeyShape;
  /** As values, through interceptors around the cache or hooks of Fastify's; not as bytes. */
  readonly isHandedOn: boolean;
  /** Whether the handler may set fields on its reply by itself. */
  readonly mayTouchReply: boolean;
  /** Whether the route sets fields on each of its responses that are not stored with them. */
  readonly hasOwnFields: boolean;
  /** The classes that the application's exception filters catch. */
  readonly filters: CaughtClasses;
}

/** A route's rule applied to one request. */
export interface AppliedRule extends RouteKey {
  /** The key of the entry, or of the resource that it is a projection of. */
  readonly key: string;
  readonly projection?: string | undefined;
  /** Whether the key follows from rule and request alone. */
  readonly isOwnKey: boolean;
  readonly way: RouteWay;
}

/**
 * Finds the rule of a route: its `@CacheRule`, and over it `@CacheKey` and `@CacheTTL` of @nestjs/cache-manager, alone or combined with
 * it, on the method or its class, with their usual meaning (a key unchanged; milliseconds).
 */
@Injectable()
export class RouteRuleReader {
  private readonly logger = new Logger('Cache');
  /** By controller, then by handler: several controllers may inherit one. Null for routes that are not cached. */
  private readonly facts = new WeakMap<object, Map<object, RouteFacts | null>>();
  /** Handlers whose rule was warned of. */
  private readonly warnedOf = new WeakSet<object>();
  private hasNamedRouteWithoutRule = false;

  constructor(
    private readonly reflector: Reflector,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: Pick<ResponseCacheModuleOptions, 'policy'>,
  ) {}

  /**
   * @param tracked the key that an interceptor of the application's own gives (`trackBy`), over that of the rule
   * @returns undefined where the request is not for the cache; a promise only where a key or ttl has to be asked for
   */
  read(context: ExecutionContext, tracked?: string): AppliedRule | undefined | Promise<AppliedRule | undefined> {
    return this.apply(context, this.factsOf(context, tracked !== undefined), tracked);
  }

  /**
   * The key of the rule, for an interceptor that makes its own of it: no guard keeps the route out of the cache then. A promise only for a
   * `@CacheKey` factory that returns one: subclasses put the key into a text.
   */
  keyFor(context: ExecutionContext): string | undefined | Promise<string | undefined> {
    const facts = this.factsOf(context, true);
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    return facts && isForCache(facts.rule, request) ? this.keyWithNest(context, facts, request) : undefined;
  }

  private apply(
    context: ExecutionContext,
    facts: RouteFacts | null,
    tracked?: string,
  ): AppliedRule | undefined | Promise<AppliedRule | undefined> {
    if (!facts) return undefined;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { rule, nestKey, nestTtl, way, policy } = facts;
    if (!isForCache(rule, request)) return undefined;
    if (tracked !== undefined || nestKey !== undefined || nestTtl !== undefined)
      return this.readWithNest(context, facts, request, tracked);
    try {
      const key = keyOf(rule, request, way.shape);
      if (key === undefined) return undefined;
      return {
        rule,
        key,
        projection: projectionOf(rule, request, way.shape),
        isOwnKey: request.method !== 'QUERY',
        way,
        policy,
      };
    } catch (error) {
      this.passUnusable(context, error);
      return undefined;
    }
  }

  /** Lets the route bypass the cache from now on, and logs it once. */
  leaveOut(
    context: ExecutionContext,
    why: string,
    advice = 'Take the cache rule off it, or return a plain value.',
  ): void {
    const facts = this.factsIn(context);
    if (facts.get(context.getHandler()) === null) return;
    facts.set(context.getHandler(), null);
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    this.logger.warn(`${route} is not cached: ${why}. ${advice}`);
  }

  private readWithNest(
    context: ExecutionContext,
    facts: RouteFacts,
    request: FastifyRequest,
    tracked: string | undefined,
  ): AppliedRule | undefined | Promise<AppliedRule | undefined> {
    const { rule, nestKey, nestTtl, way, policy } = facts;
    const isNamed = nestKey !== undefined || tracked !== undefined;
    return chain(this.keyWithNest(context, facts, request, tracked), (key) => {
      const projection =
        isNamed || !key ? undefined : this.ifUsable(context, () => projectionOf(rule, request, way.shape));
      if (key === undefined || (!isNamed && rule.resource && projection === undefined)) return undefined;
      return chain(nestTtl === undefined ? undefined : resolve(nestTtl, context), (ttlMs) => {
        const route = { key, projection, isOwnKey: !isNamed && request.method !== 'QUERY', way };
        if (ttlMs === undefined) return { ...route, rule, policy };
        const timed = { ...rule, ttlMs };
        return { ...route, rule: timed, policy: this.policyFor(timed, way) };
      });
    });
  }

  private keyWithNest(
    context: ExecutionContext,
    { rule, nestKey, way }: RouteFacts,
    request: FastifyRequest,
    tracked?: string,
  ): string | undefined | Promise<string | undefined> {
    if (nestKey === undefined && tracked === undefined)
      return this.ifUsable(context, () => keyOf(rule, request, way.shape));
    return chain(tracked ?? resolve(nestKey, context), (value) =>
      this.ifUsable(context, () => {
        const name = textOfKey(value, tracked === undefined ? '@CacheKey' : 'trackBy');
        return name ? namedKey(name, rule, request) : undefined; // as in stock: no key, no cache
      }),
    );
  }

  private ifUsable<T>(context: ExecutionContext, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.passUnusable(context, error);
      return undefined;
    }
  }

  /** Has one request pass by the cache, and says why once for its route. */
  private passUnusable(context: ExecutionContext, error: unknown): void {
    if (!(error instanceof UnusableKeyError)) throw error;
    const handler = context.getHandler();
    if (error.why === undefined || this.warnedOf.has(handler)) return;
    this.warnedOf.add(handler);
    const route = `${context.getClass().name}.${handler.name}`;
    this.logger.warn(`A request of ${route} was not cached: ${error.why}. Return a text, or undefined for no cache.`);
  }

  /** @param isTracked whether the interceptor names the value that distinguishes callers */
  private factsOf(context: ExecutionContext, isTracked: boolean): RouteFacts | null {
    const handler = context.getHandler();
    const ofController = this.factsIn(context);
    const known = ofController.get(handler);
    if (known !== undefined) return known;
    const own = this.get<RouteRule>(CACHE_RULE_METADATA, context);
    // On a class Nest does not look at it: one key for all routes would be one entry.
    const nestKey = this.reflector.get<ValueOrFactory<string> | undefined>(NEST_CACHE_KEY, handler);
    const nestTtl = this.get<ValueOrFactory<number>>(NEST_CACHE_TTL, context);
    const isCached = own !== undefined || nestKey !== undefined || nestTtl !== undefined;
    const facts = isCached ? this.factsFor(context, own, nestKey, nestTtl) : null;
    if (!isCached) this.logWithoutRule(context);
    const why = facts && whyNoValue(context);
    const isForAll =
      isTracked || facts === null || nestKey !== undefined || (facts.rule.key ?? facts.rule.keyBy) !== undefined;
    const whose = isForAll ? undefined : whyNotForAll(context, this.config, this.modules, LOAD_FACTORIES, facts.rule);
    if (why) this.leaveOut(context, why);
    else if (whose)
      this.leaveOut(context, whose, 'Name the value that distinguishes callers on its @CacheRule: keyBy, or a key.');
    if (why ?? whose) return null;
    ofController.set(handler, facts);
    return facts;
  }

  /** One line for all: stock Nest's interceptor caches such routes, and an application that comes from it would wonder. */
  private logWithoutRule(context: ExecutionContext): void {
    if (this.hasNamedRouteWithoutRule || context.switchToHttp().getRequest<FastifyRequest>().method !== 'GET') return;
    this.hasNamedRouteWithoutRule = true;
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    this.logger.log(
      `${route} is not cached, nor is any other route without @CacheTTL, @CacheKey or @CacheRule on it or on its controller.`,
    );
  }

  private factsFor(
    context: ExecutionContext,
    own: RouteRule | undefined,
    nestKey: RouteFacts['nestKey'],
    nestTtl: RouteFacts['nestTtl'],
  ): RouteFacts {
    const rule = own ?? { upstream: 'app' };
    const way = this.wayOf(context, own, nestKey);
    return { rule, nestKey, nestTtl, way, policy: this.policyFor(rule, way) };
  }

  private policyFor(rule: RouteRule, { isHandedOn, mayTouchReply }: RouteWay): CachePolicy {
    const policy = policyOf(rule, this.options.policy);
    // With one reply for both, a stale answer and its handler would set fields on it.
    const mayRefreshBehind = !isHandedOn || !mayTouchReply;
    return mayRefreshBehind ? policy : { ...policy, staleWhileRevalidateMs: 0, earlyRefreshBeta: 0 };
  }

  private wayOf(context: ExecutionContext, own: RouteRule | undefined, nestKey: unknown): RouteWay {
    const isNamed = nestKey !== undefined || (own !== undefined && isKeyed(own));
    return {
      shape: shapeOf(context, this.config, this.modules, isNamed),
      isHandedOn: isHandedOn(context, this.config),
      mayTouchReply: mayTouchReply(context, this.config, LOAD_FACTORIES),
      hasOwnFields: unkeptField(context) !== undefined,
      filters: caughtClasses(context, this.config),
    };
  }

  private factsIn(context: ExecutionContext): Map<object, RouteFacts | null> {
    const controller = context.getClass();
    let facts = this.facts.get(controller);
    if (!facts) this.facts.set(controller, (facts = new Map<object, RouteFacts | null>()));
    return facts;
  }

  private get<T>(name: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(name, [context.getHandler(), context.getClass()]);
  }
}

function resolve<T>(value: ValueOrFactory<T>, context: ExecutionContext): T | Promise<T> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => T | Promise<T>)(context) : value;
}

function isForCache({ hashBody }: RouteRule, { method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || (method === 'QUERY' && hashBody === true);
}

/** Goes on at once where nothing has to be waited for. */
function chain<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
