import { createParamDecorator, SetMetadata, type CustomDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Validators } from '../model/cache-entry';
import type { CacheRule as Rule } from '../law/cache-rule';

export const CACHE_RULE_METADATA = 'larder:cache-rule';
// The names under which @nestjs/cache-manager keeps @CacheKey and @CacheTTL (cache.constants.ts); its index exports neither.
export const NEST_CACHE_KEY = 'cache_module:cache_key';
export const NEST_CACHE_TTL = 'cache_module:cache_ttl';

/** The rule of a route, over the configured defaults. */
export type RouteRule = Rule<FastifyRequest>;

/**
 * Caches the responses of a `GET` route (and so its `HEAD`).
 *
 * @example
 * ```ts
 * @Get(':id')
 * @CacheRule({ upstream: 'shop', key: (request) => `items:${idOf(request)}`, ttlMs: 60_000 })
 * ```
 */
export const CacheRule = (rule: RouteRule): CustomDecorator => SetMetadata(CACHE_RULE_METADATA, rule);

const LOAD = Symbol('larder.load');

/** The facts about a load that its handler may use. */
export interface HandlerLoad {
  /** The validators of the stored response, for a conditional request to the upstream. */
  readonly validators: Validators | undefined;
  /** Whether no request waits for it: a background refresh. */
  readonly isBackground: boolean;
  /** Whether nothing is stored for the resource that the response is derived from. */
  readonly nothingStored: boolean;
}

/** The load of a request while its handler runs. */
export interface OpenLoad extends HandlerLoad {
  /** The handler's wrapper around its value (`CacheableResult`, `NotModified`), removed next to the handler. */
  wrapper?: object | undefined;
}

interface WithLoad {
  [LOAD]?: OpenLoad | undefined;
}

type LoadFactory = (data: unknown, context: ExecutionContext) => unknown;
const loadOf = (context: ExecutionContext): HandlerLoad | undefined =>
  context.switchToHttp().getRequest<WithLoad>()[LOAD];
const validatorsFactory = (_: unknown, context: ExecutionContext): Validators | undefined =>
  loadOf(context)?.validators;
const isBackgroundFactory: LoadFactory = (_, context) => loadOf(context)?.isBackground === true;
const nothingStoredFactory: LoadFactory = (_, context) => loadOf(context)?.nothingStored === true;

const currentLoadFactory: LoadFactory = (_, context): HandlerLoad => {
  const { validators, isBackground = false, nothingStored = false } = loadOf(context) ?? {};
  return { validators, isBackground, nothingStored };
};

/** The factories of the decorators below: they give no reply to the handler. */
export const LOAD_FACTORIES: ReadonlySet<unknown> = new Set([
  validatorsFactory,
  isBackgroundFactory,
  nothingStoredFactory,
  currentLoadFactory,
]);

/** Gives the handler the stored validators for a conditional request, which it may answer with `NotModified`. */
export const StoredValidators = createParamDecorator(validatorsFactory);

/** Gives the handler whether this is a background refresh, without a waiting request. */
export const IsBackground = createParamDecorator(isBackgroundFactory);

/** Gives the handler whether nothing is stored for the rule's resource, so that it can skip the look-up (`StoredResources`). */
export const NothingStored = createParamDecorator(nothingStoredFactory);

/** Injects a `HandlerLoad`, for `client.project`: the three above in one. */
export const CurrentLoad = createParamDecorator(currentLoadFactory);

export function setLoadContext(request: FastifyRequest, load: HandlerLoad): OpenLoad {
  return ((request as WithLoad)[LOAD] = { ...load });
}

export function openLoadOf(request: object): OpenLoad | undefined {
  return (request as WithLoad)[LOAD];
}

/** Ends the load's context: a handler called for anything else gets no validators. */
export function closeLoad(request: object, load: OpenLoad | undefined): void {
  if ((request as WithLoad)[LOAD] === load) (request as WithLoad)[LOAD] = undefined;
}

const ANSWERED_BY_CACHE = Symbol('larder.answered-by-cache');

/** Whether the cache handles this request already: the same interceptor further in passes it on. */
export function isInCache(request: object): boolean {
  return (request as { [ANSWERED_BY_CACHE]?: true })[ANSWERED_BY_CACHE] === true;
}

export function enterCache(request: object): void {
  (request as { [ANSWERED_BY_CACHE]?: true })[ANSWERED_BY_CACHE] = true;
}
