import { createParamDecorator, SetMetadata, type CustomDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Validators } from '../model/cache-entry';
import type { CacheRule as Rule } from '../law/cache-rule';

export const CACHE_RULE_METADATA = 'larder:cache-rule';
// The names under which @nestjs/cache-manager keeps @CacheKey and @CacheTTL (cache.constants.ts); its index exports neither.
export const NEST_CACHE_KEY = 'cache_module:cache_key';
export const NEST_CACHE_TTL = 'cache_module:cache_ttl';

/** The request that the functions of a rule get, unless their parameter names another type, such as Express' `Request`. */
export type RuleRequest = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | string[] | undefined>;
}>;

/** The rule of a route, over the configured defaults; what may be written as a plain value is a function. */
export interface RouteRule extends Rule<FastifyRequest> {
  readonly upstream: string;
  readonly key?: (request: FastifyRequest) => string | undefined;
  readonly tags?: (request: FastifyRequest) => readonly string[];
}

/**
 * Caches the responses of a `GET` route (and so its `HEAD`).
 *
 * @example
 * ```ts
 * @Get(':id')
 * @CacheRule({ tags: (request) => [`item:${request.params.id}`], ttlMs: 60_000 })
 * ```
 */
export function CacheRule<Request extends object = RuleRequest>(rule: Rule<Request>): CustomDecorator {
  const { upstream = 'app', key, tags } = rule;
  return SetMetadata(CACHE_RULE_METADATA, {
    ...rule,
    upstream,
    ...(typeof key === 'string' ? { key: () => key } : {}),
    ...(Array.isArray(tags) ? { tags: () => tags as readonly string[] } : {}),
  });
}

const LOAD = Symbol('larder.load');

/** The facts about a load that its handler may use. */
export interface HandlerLoad {
  /** The validators of the stored response, for a conditional request to the upstream, which the handler may answer with `NotModified`. */
  readonly validators: Validators | undefined;
  /** Whether no request waits for it: a background refresh. */
  readonly isBackground: boolean;
  /** Whether nothing is stored for the resource that the response is derived from. */
  readonly nothingStored: boolean;
  /** The resource that the response is derived from, as the route's rule names it; undefined without one. */
  readonly resource: LoadedResource | undefined;
}

export interface LoadedResource {
  readonly upstream: string;
  /** Its key after the upstream's name. */
  readonly name: string;
  /** The lifetime in the rule; 0 is without end. */
  readonly ttlMs: number | undefined;
}

/** The load of a request while its handler runs. */
export interface OpenLoad extends Omit<HandlerLoad, 'resource'> {
  /** The handler's wrapper around its value (`CacheableResult`, `NotModified`), removed next to the handler. */
  wrapper?: object | undefined;
}

interface WithLoad {
  [LOAD]?: OpenLoad | undefined;
}

const currentLoad = (_: unknown, context: ExecutionContext): HandlerLoad => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { validators, isBackground = false, nothingStored = false } = openLoadOf(request) ?? {};
  const rules = [context.getHandler(), context.getClass()].map(
    (target) => Reflect.getMetadata(CACHE_RULE_METADATA, target) as RouteRule | undefined,
  );
  const rule = rules.find((one) => one !== undefined);
  const { upstream = '', ttlMs } = rule ?? {};
  const name = rule?.resource?.(request);
  return { validators, isBackground, nothingStored, resource: name === undefined ? name : { upstream, name, ttlMs } };
};

/** Gives the handler its `HandlerLoad`. */
export const CurrentLoad = createParamDecorator(currentLoad);

/** The factories of decorators that give no reply to the handler. */
export const LOAD_FACTORIES: ReadonlySet<unknown> = new Set([currentLoad]);

/** Marks a request that the cache handles: the same interceptor further in passes it on. */
export function enterCache(request: object): void {
  (request as WithLoad)[LOAD] = undefined;
}

export function isInCache(request: object): boolean {
  return LOAD in request;
}

export function setLoadContext(request: object, load: Omit<HandlerLoad, 'resource'>): OpenLoad {
  return ((request as WithLoad)[LOAD] = { ...load });
}

export function openLoadOf(request: object): OpenLoad | undefined {
  return (request as WithLoad)[LOAD];
}

/** Ends the load's context: a handler called for anything else gets no validators. */
export function closeLoad(request: object, load: OpenLoad | undefined): void {
  if (openLoadOf(request) === load) (request as WithLoad)[LOAD] = undefined;
}
