import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { requestKey, toCacheKey } from './core/cache-key';
import { CACHE_RULE_METADATA, type RouteRule } from './cache-rule.decorator';

// The names under which @nestjs/cache-manager keeps @CacheKey and @CacheTTL (cache.constants.ts); its index exports neither.
const NEST_CACHE_KEY = 'cache_module:cache_key';
const NEST_CACHE_TTL = 'cache_module:cache_ttl';

type ValueOrFactory<T> = T | ((context: ExecutionContext) => T | Promise<T>);

/** A route's rule applied to one request. */
export interface AppliedRule {
  readonly rule: RouteRule;
  readonly key: string;
  readonly tags: readonly string[];
}

/**
 * Finds the rule of a route: its `@CacheRule`, and over it `@CacheKey` and `@CacheTTL` of @nestjs/cache-manager, alone or
 * beside it, on the method or its class, with the meaning they have there (a key as it is; milliseconds).
 */
@Injectable()
export class RouteRuleReader {
  constructor(private readonly reflector: Reflector) {}

  /** @returns undefined where the request is not for the cache */
  async read(context: ExecutionContext): Promise<AppliedRule | undefined> {
    const own = this.get<RouteRule>(CACHE_RULE_METADATA, context);
    const key = this.get<ValueOrFactory<string>>(NEST_CACHE_KEY, context);
    const ttl = this.get<ValueOrFactory<number>>(NEST_CACHE_TTL, context);
    if (!own && key === undefined && ttl === undefined) return undefined;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const rule: RouteRule = own ?? { upstream: 'app' };
    const named = key === undefined ? undefined : await resolve(key, context);
    const entryKey = named === undefined ? keyOf(rule, request) : toCacheKey(named);
    if (entryKey === undefined) return undefined;
    const ttlMs = ttl === undefined ? undefined : await resolve(ttl, context);
    return {
      rule: ttlMs === undefined ? rule : { ...rule, ttlMs },
      key: entryKey,
      tags: rule.tags?.(request) ?? [],
    };
  }

  private get<T>(name: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(name, [context.getHandler(), context.getClass()]);
  }
}

/** Without a key of its own a rule speaks for no caller: a request with credentials is not for a shared cache (RFC 9111 §3.5). */
export function keyOf(rule: RouteRule, request: FastifyRequest): string | undefined {
  if (rule.key) return toCacheKey(`${rule.upstream}:${rule.key(request)}`);
  if (request.headers.authorization !== undefined || request.headers.cookie !== undefined) return undefined;
  return requestKey(`${rule.upstream}:GET`, request.url);
}

function resolve<T>(value: ValueOrFactory<T>, context: ExecutionContext): T | Promise<T> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => T | Promise<T>)(context) : value;
}
