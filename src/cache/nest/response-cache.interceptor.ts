import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { isInCache } from './cache-rule.decorator';
import { valueIn } from './handler-answer';
import { unwrapHandler } from './handler-unwrapper';
import { IS_CACHE } from './nest-route';
import { RouteExchanges } from './route-exchange';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';

/**
 * The one caching layer of routes: finds the rule of a request and leaves the answer to `RouteExchange`.
 *
 * Its one invariant: a stored body is sent unchanged. It leaves the decision to the engine, header fields to `cache-status.ts`, errors to
 * the exception filter.
 */
@Injectable()
export class ResponseCacheInterceptor implements NestInterceptor {
  static readonly [IS_CACHE] = true;
  constructor(
    private readonly rules: RouteRuleReader,
    private readonly exchanges: RouteExchanges,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<object>();
    // The cache has the request already: a second interceptor of the cache, or one around it calls the handler again (`retry()`).
    if (isInCache(request)) return unwrapHandler(request, next);
    if (this.trackBy !== ResponseCacheInterceptor.prototype.trackBy) return this.passTracked(context, next);
    const applied = this.rules.read(context);
    if (applied instanceof Promise) return applied.then((rule) => this.pass(context, rule, next));
    return this.pass(context, applied, next);
  }

  /**
   * The key of a request, as in stock Nest's interceptor, for a subclass to override; undefined or null leaves the request out of the
   * cache. It must include everything that changes the response. Without a rule, `@CacheKey` or `@CacheTTL` a route is not cached, whatever
   * it returns.
   */
  protected trackBy(context: ExecutionContext): string | null | undefined | Promise<string | null | undefined> {
    return this.rules.keyFor(context);
  }

  private async passTracked(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const key = (await this.trackBy(context)) ?? undefined;
    return this.pass(context, key === undefined ? undefined : await this.rules.read(context, key), next);
  }

  private pass(context: ExecutionContext, applied: AppliedRule | undefined, next: CallHandler): Observable<unknown> {
    return applied ? this.exchanges.answer(context, applied, next) : next.handle().pipe(map(valueIn));
  }
}
