import { Inject, Injectable, Logger, type ExecutionContext } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer, Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { CachePolicy } from '../law/cache-policy';
import { toCachePolicy } from '../law/cache-rule';
import { CACHE_RULE_METADATA, NEST_CACHE_KEY, NEST_CACHE_TTL, type RouteRule } from './cache-rule.decorator';
import { NestRoute } from './nest-route';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import { isKeyed, RouteKeys, textOfKey, UnusableKeyError } from './route-key';

type MaybePromise<T> = T | Promise<T>;
type ValueOrFactory<T> = T | ((context: ExecutionContext) => MaybePromise<T>);

/** A cached route, read once. */
export interface CachedRoute {
  readonly rule: RouteRule;
  readonly policy: CachePolicy;
  readonly nest: NestRoute;
  readonly keys: RouteKeys;
  /** `@CacheKey` and `@CacheTTL`. */
  readonly nestKey: ValueOrFactory<string> | undefined;
  readonly nestTtl: ValueOrFactory<number> | undefined;
}

/** A route's rule applied to one request. */
export interface AppliedRule {
  readonly route: CachedRoute;
  /** The key of the entry, or of the resource that it is a projection of. */
  readonly key: string;
  readonly projection: string | undefined;
  /** Whether the key follows from rule and request alone. */
  readonly isOwnKey: boolean;
  readonly policy: CachePolicy;
}

/**
 * Finds the rule of a route: its `@CacheRule`, and over it `@CacheKey` and `@CacheTTL` of @nestjs/cache-manager, alone or combined with
 * it, on the method or its class, with their usual meaning (a key unchanged; milliseconds).
 */
@Injectable()
export class RouteRuleReader {
  private readonly logger = new Logger('Cache');
  /** By controller, then by handler: several controllers may inherit one. Null for routes that are not cached. */
  private readonly routes = new WeakMap<object, Map<object, CachedRoute | null>>();
  /** Handlers with a rule that a warning was logged for. */
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
  read(context: ExecutionContext, tracked?: string): MaybePromise<AppliedRule | undefined> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const route = this.routeFor(context, request, tracked !== undefined);
    if (!route) return undefined;
    const { rule, keys, policy, nestKey, nestTtl } = route;
    const isNamed = nestKey !== undefined || tracked !== undefined;
    return chain(this.keyIn(context, route, request, tracked), (key) => {
      if (key === undefined) return undefined;
      const projection = isNamed ? undefined : this.ifUsable(context, () => keys.projectionOf(request));
      if (!isNamed && rule.resource && projection === undefined) return undefined;
      const applied = { route, key, projection, isOwnKey: !isNamed && request.method !== 'QUERY', policy };
      if (nestTtl === undefined) return applied;
      return chain(resolve(nestTtl, context), (ttlMs) => ({ ...applied, policy: this.policyFor(route, ttlMs) }));
    });
  }

  /**
   * The key of the rule, for an interceptor that makes its own of it: no guard keeps the route out of the cache then. A promise only for a
   * `@CacheKey` factory that returns one: subclasses put the key into a text.
   */
  keyFor(context: ExecutionContext): MaybePromise<string | undefined> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const route = this.routeFor(context, request, true);
    return route && this.keyIn(context, route, request);
  }

  /** Lets the route bypass the cache from now on, and logs it once. */
  leaveOut(
    context: ExecutionContext,
    why: string,
    advice = 'Take the cache rule off it, or return a plain value.',
  ): null {
    const [routes, handler] = [this.routesOf(context), context.getHandler()];
    if (routes.get(handler) === null) return null;
    routes.set(handler, null);
    this.logger.warn(`${nameOf(context)} is not cached: ${why}. ${advice}`);
    return null;
  }

  private keyIn(
    context: ExecutionContext,
    { keys, nestKey }: CachedRoute,
    request: FastifyRequest,
    tracked?: string,
  ): MaybePromise<string | undefined> {
    const given = tracked ?? nestKey;
    if (given === undefined) return this.ifUsable(context, () => keys.keyOf(request));
    return chain(resolve(given, context), (value) =>
      this.ifUsable(context, () => {
        const name = textOfKey(value, tracked === undefined ? '@CacheKey' : 'trackBy');
        return name ? keys.namedKey(name, request) : undefined; // as in stock: no key, no cache
      }),
    );
  }

  /** Has one request pass by the cache, and says why once for its route. */
  private ifUsable<T>(context: ExecutionContext, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UnusableKeyError)) throw error;
      const handler = context.getHandler();
      if (error.why === undefined || this.warnedOf.has(handler)) return undefined;
      this.warnedOf.add(handler);
      const what = `A request of ${nameOf(context)} was not cached: ${error.why}.`;
      this.logger.warn(`${what} Return a text, or undefined for no cache.`);
      return undefined;
    }
  }

  /** Undefined for a request that is not for the cache. */
  private routeFor(context: ExecutionContext, request: FastifyRequest, isTracked: boolean): CachedRoute | undefined {
    const known = this.routesOf(context).get(context.getHandler());
    const route = known === undefined ? this.readRoute(context, isTracked) : known;
    return route && isForCache(route.rule, request) ? route : undefined;
  }

  /** @param isTracked whether the interceptor names the value that distinguishes callers */
  private readRoute(context: ExecutionContext, isTracked: boolean): CachedRoute | null {
    const handler = context.getHandler();
    const own = this.get<RouteRule>(CACHE_RULE_METADATA, context);
    // On a class Nest does not look at it: one key for all routes would be one entry.
    const nestKey = this.reflector.get<ValueOrFactory<string> | undefined>(NEST_CACHE_KEY, handler);
    const nestTtl = this.get<ValueOrFactory<number>>(NEST_CACHE_TTL, context);
    if (own === undefined && nestKey === undefined && nestTtl === undefined) {
      this.logWithoutRule(context);
      this.routesOf(context).set(handler, null);
      return null;
    }
    const rule = own ?? { upstream: 'app' };
    const nest = new NestRoute(context, this.config, this.modules);
    const why = nest.whyNoValue();
    if (why !== undefined) return this.leaveOut(context, why);
    const isForAll = isTracked || nestKey !== undefined || (rule.key ?? rule.keyBy) !== undefined;
    const whose = isForAll ? undefined : nest.whyNotForAll(rule);
    const advice = 'Name the value that distinguishes callers on its @CacheRule: keyBy, or a key.';
    if (whose !== undefined) return this.leaveOut(context, whose, advice);
    const keys = new RouteKeys(rule, nest, nestKey !== undefined || isKeyed(rule));
    const route = { rule, nest, keys, nestKey, nestTtl, policy: this.policyFor({ rule, nest }) };
    this.routesOf(context).set(handler, route);
    return route;
  }

  /** One line for all: stock Nest's interceptor caches such routes, and an application that comes from it would wonder. */
  private logWithoutRule(context: ExecutionContext): void {
    if (this.hasNamedRouteWithoutRule || context.switchToHttp().getRequest<FastifyRequest>().method !== 'GET') return;
    this.hasNamedRouteWithoutRule = true;
    const what = `${nameOf(context)} is not cached, nor is any other route`;
    this.logger.log(`${what} without @CacheTTL, @CacheKey or @CacheRule on it or on its controller.`);
  }

  private policyFor({ rule, nest }: Pick<CachedRoute, 'rule' | 'nest'>, ttlMs = rule.ttlMs): CachePolicy {
    const policy = toCachePolicy({ ...rule, ttlMs }, this.options.policy);
    // With one reply for both, a stale answer and its handler would set fields on it.
    const mayRefreshBehind = !nest.isHandedOn || !nest.mayTouchReply;
    return mayRefreshBehind ? policy : { ...policy, staleWhileRevalidateMs: 0, earlyRefreshBeta: 0 };
  }

  private routesOf(context: ExecutionContext): Map<object, CachedRoute | null> {
    const controller = context.getClass();
    let routes = this.routes.get(controller);
    if (!routes) this.routes.set(controller, (routes = new Map<object, CachedRoute | null>()));
    return routes;
  }

  private get<T>(name: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(name, [context.getHandler(), context.getClass()]);
  }
}

function nameOf(context: ExecutionContext): string {
  return `${context.getClass().name}.${context.getHandler().name}`;
}

function resolve<T>(value: ValueOrFactory<T>, context: ExecutionContext): MaybePromise<T> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => MaybePromise<T>)(context) : value;
}

function isForCache({ hashBody }: RouteRule, { method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || (method === 'QUERY' && hashBody === true);
}

/** Goes on at once where nothing has to be waited for. */
function chain<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}

function isThenable<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
