import { createParamDecorator, SetMetadata, type CustomDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Validators } from './core/cache-entry';
import type { CacheRule as Rule } from './core/cache-rule';
import type { LoadContext } from './core/load';

export const CACHE_RULE_METADATA = 'larder:cache-rule';

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

/** What a handler may know of the load that it is called for. */
export type HandlerLoad = Omit<LoadContext, 'signal'>;

interface WithLoad {
  [LOAD]?: HandlerLoad;
}

/** Gives the handler the stored validators: if it gets some, it may ask conditionally and answer `NotModified`. */
export const StoredValidators = createParamDecorator(
  (_: unknown, context: ExecutionContext): Validators | undefined =>
    context.switchToHttp().getRequest<WithLoad>()[LOAD]?.validators,
);

/** Tells the handler whether it is called for a refresh behind an answer, which nobody waits for. */
export const IsBackground = createParamDecorator(
  (_: unknown, context: ExecutionContext): boolean =>
    context.switchToHttp().getRequest<WithLoad>()[LOAD]?.isBackground === true,
);

/** Tells the handler that nothing is stored of the rule's resource, so that it need not look for it (`StoredResources`). */
export const IsFirst = createParamDecorator(
  (_: unknown, context: ExecutionContext): boolean =>
    context.switchToHttp().getRequest<WithLoad>()[LOAD]?.isFirst === true,
);

export function setLoadContext(request: FastifyRequest, load: HandlerLoad): void {
  (request as WithLoad)[LOAD] = load;
}
