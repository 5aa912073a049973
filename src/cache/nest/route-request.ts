import type { FastifyRequest } from 'fastify';
import { rawRequestOf } from './client-reply';
import type { HeaderList } from '../model/cache-entry';
import type { CachePolicy } from '../law/cache-policy';
import type { HttpCacheRequest } from '../model/exchange';
import type { RouteRule } from './cache-rule.decorator';

/** The fields as the handler reads them: middleware and hooks may have changed them. */
function headersOf({ headers }: FastifyRequest['raw']): HeaderList {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
}

/** Where a cached route's response is stored, and under which policy. */
export interface RouteKey {
  readonly rule: RouteRule;
  readonly key: string;
  readonly projection?: string | undefined;
  readonly policy: CachePolicy;
}

/**
 * A request of a cached route for the engine. It has no signal: a load continues without its client, for the next one. The handler runs for
 * GET only: HEAD, ranges and conditions are applied when the answer is sent. Members that few requests need are computed on first use.
 */
export class RouteRequest implements HttpCacheRequest {
  readonly method = 'GET';
  readonly kind = 'shared';
  /** Its key speaks for the callers: without one, a request with credentials is not cached at all. */
  readonly hasAuthorization = false;
  readonly key: string;
  readonly projection: string | undefined;
  readonly policy: CachePolicy;
  readonly hasDirectives: boolean;
  private fields: HeaderList | undefined;
  private readonly raw: FastifyRequest['raw'];

  constructor(
    private readonly request: object,
    private readonly route: RouteKey,
  ) {
    this.key = route.key;
    this.projection = route.projection;
    this.policy = route.policy;
    this.raw = rawRequestOf(request);
    const { headers } = this.raw;
    this.hasDirectives = headers['cache-control'] !== undefined || headers.pragma !== undefined;
  }

  get upstream(): string {
    return this.route.rule.upstream;
  }

  get hitFlagName(): string | undefined {
    return this.route.rule.hitFlagName;
  }

  get tags(): readonly string[] {
    return this.route.rule.tags?.(this.request as FastifyRequest) ?? [];
  }

  get headers(): HeaderList {
    return this.readHeaders();
  }

  readHeaders(): HeaderList {
    return (this.fields ??= headersOf(this.raw));
  }
}
