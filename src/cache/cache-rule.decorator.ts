import { createParamDecorator, SetMetadata, type CustomDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Validators } from './core/cache-entry';
import type { CacheRule as Rule } from './core/cache-rule';

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

const VALIDATORS = Symbol('larder.validators');

interface WithValidators {
  [VALIDATORS]?: Validators;
}

/** Gives the handler the stored validators: if it gets some, it may ask conditionally and answer `NotModified`. */
export const StoredValidators = createParamDecorator(
  (_: unknown, context: ExecutionContext): Validators | undefined =>
    context.switchToHttp().getRequest<WithValidators>()[VALIDATORS],
);

export function leaveValidators(request: FastifyRequest, validators: Validators | undefined): void {
  (request as WithValidators)[VALIDATORS] = validators;
}
