import { Injectable, Logger, type ExecutionContext } from '@nestjs/common';
import { ApplicationConfig, Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { requestKey, toCacheKey } from './core/cache-key';
import { CACHE_RULE_METADATA, LOAD_FACTORIES, type RouteRule } from './cache-rule.decorator';
import { isHandedOn, mayTouchReply, whyNoValue } from './nest-pipeline';

// The names under which @nestjs/cache-manager keeps @CacheKey and @CacheTTL (cache.constants.ts); its index exports neither.
const NEST_CACHE_KEY = 'cache_module:cache_key';
const NEST_CACHE_TTL = 'cache_module:cache_ttl';

type ValueOrFactory<T> = T | ((context: ExecutionContext) => T | Promise<T>);

/** What is said of a route, read once. */
interface RouteFacts {
  readonly rule: RouteRule;
  readonly nestKey: ValueOrFactory<string> | undefined;
  readonly nestTtl: ValueOrFactory<number> | undefined;
  readonly way: RouteWay;
}

/** How a route's answers go out. */
export interface RouteWay {
  /** As values, through interceptors around the cache or hooks of Fastify's; not as bytes. */
  readonly isHandedOn: boolean;
  /** Whether the handler may set fields on its reply by itself. */
  readonly mayTouchReply: boolean;
}

/** A route's rule applied to one request. */
export interface AppliedRule {
  readonly rule: RouteRule;
  /** The entry's, or the resource's that it is a part of. */
  readonly key: string;
  readonly part?: string | undefined;
  /** Whether the key follows from rule and request alone. */
  readonly isOwnKey: boolean;
  readonly way: RouteWay;
}

/**
 * Finds the rule of a route: its `@CacheRule`, and over it `@CacheKey` and `@CacheTTL` of @nestjs/cache-manager, alone or
 * beside it, on the method or its class, with the meaning they have there (a key as it is; milliseconds).
 */
@Injectable()
export class RouteRuleReader {
  private readonly logger = new Logger('Cache');
  /** By controller, then by handler: several controllers may inherit one. Null for routes that are not cached. */
  private readonly facts = new WeakMap<object, Map<object, RouteFacts | null>>();

  constructor(
    private readonly reflector: Reflector,
    private readonly config: ApplicationConfig,
  ) {}

  /** @returns undefined where the request is not for the cache; a promise only where a key or ttl has to be asked for */
  read(context: ExecutionContext): AppliedRule | undefined | Promise<AppliedRule | undefined> {
    const facts = this.factsOf(context);
    if (!facts) return undefined;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const { rule, nestKey, nestTtl, way } = facts;
    if (nestKey !== undefined || nestTtl !== undefined) return this.readWithNest(context, facts, request);
    const key = keyOf(rule, request);
    return key === undefined ? undefined : { rule, key, part: partOf(rule, request), isOwnKey: true, way };
  }

  /** Has the route pass by the cache from now on, and says so once. */
  leaveOut(context: ExecutionContext, why: string): void {
    const facts = this.factsIn(context);
    if (facts.get(context.getHandler()) === null) return;
    facts.set(context.getHandler(), null);
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    this.logger.warn(`${route} is not cached: ${why}. Take the cache rule off it, or return a plain value.`);
  }

  private async readWithNest(
    context: ExecutionContext,
    { rule, nestKey, nestTtl, way }: RouteFacts,
    request: FastifyRequest,
  ): Promise<AppliedRule | undefined> {
    const named = nestKey === undefined ? undefined : await resolve(nestKey, context);
    const key = named === undefined ? keyOf(rule, request) : toCacheKey(named);
    if (key === undefined) return undefined;
    const ttlMs = nestTtl === undefined ? undefined : await resolve(nestTtl, context);
    const part = named === undefined ? partOf(rule, request) : undefined;
    return { rule: ttlMs === undefined ? rule : { ...rule, ttlMs }, key, part, isOwnKey: nestKey === undefined, way };
  }

  private factsOf(context: ExecutionContext): RouteFacts | null {
    const handler = context.getHandler();
    const ofController = this.factsIn(context);
    const known = ofController.get(handler);
    if (known !== undefined) return known;
    const own = this.get<RouteRule>(CACHE_RULE_METADATA, context);
    const nestKey = this.get<ValueOrFactory<string>>(NEST_CACHE_KEY, context);
    const nestTtl = this.get<ValueOrFactory<number>>(NEST_CACHE_TTL, context);
    const isCached = own !== undefined || nestKey !== undefined || nestTtl !== undefined;
    const facts = isCached ? { rule: own ?? { upstream: 'app' }, nestKey, nestTtl, way: this.wayOf(context) } : null;
    const why = facts && whyNoValue(context);
    if (why) {
      this.leaveOut(context, why);
      return null;
    }
    ofController.set(handler, facts);
    return facts;
  }

  private wayOf(context: ExecutionContext): RouteWay {
    return {
      isHandedOn: isHandedOn(context, this.config),
      mayTouchReply: mayTouchReply(context, this.config, LOAD_FACTORIES),
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

/** Without a key of its own a rule speaks for no caller: a request with credentials is not for a shared cache (RFC 9111 §3.5). */
export function keyOf(rule: RouteRule, request: FastifyRequest): string | undefined {
  if (rule.resource) return toCacheKey(`${rule.upstream}:${rule.resource(request)}`);
  if (rule.key) return toCacheKey(`${rule.upstream}:${rule.key(request)}`);
  if (request.headers.authorization !== undefined || request.headers.cookie !== undefined) return undefined;
  return requestKey(`${rule.upstream}:GET`, request.url);
}

/** The name of the part of a resource that the response is. */
export function partOf(rule: RouteRule, request: FastifyRequest): string | undefined {
  return rule.resource && (rule.key?.(request) ?? rule.upstream);
}

function resolve<T>(value: ValueOrFactory<T>, context: ExecutionContext): T | Promise<T> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => T | Promise<T>)(context) : value;
}
