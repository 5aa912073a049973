import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { from, map, of, type Observable } from 'rxjs';
import { AnswerSender } from './answer-sender';
import { clientReplyOf } from './client-reply';
import { RESPONSE_ALREADY_SENT } from './sent-responses';
import type { StoredAnswer } from '../model/exchange';
import { HttpCache } from '../engine/http-cache';
import { valueIn } from './handler-answer';
import { unwrapHandler } from './handler-unwrapper';
import { exceptionIn } from './kept-exception';
import { isInCache } from './cache-rule.decorator';
import { IS_CACHE } from './nest-pipeline';
import { RouteFastWay } from './route-fast-way';
import { RouteAnswers } from './route-answers';
import { RouteRequest } from './route-request';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';

const DONE = of(RESPONSE_ALREADY_SENT);

/**
 * The one caching layer of routes: answers a fresh hit in memory at once, and leaves everything else to `RouteAnswers`.
 *
 * Its one invariant: a stored body is sent unchanged. It leaves the decision to the core, header fields to `cache-headers.ts`, errors to
 * the exception filter.
 */
@Injectable()
export class ResponseCacheInterceptor implements NestInterceptor {
  static readonly [IS_CACHE] = true;
  constructor(
    private readonly cache: HttpCache,
    private readonly rules: RouteRuleReader,
    private readonly answers: RouteAnswers,
    private readonly sender: AnswerSender,
    private readonly fastWay: RouteFastWay,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    // Further in, or again: an interceptor around that calls the handler again (`retry()`).
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
    if (!applied) return next.handle().pipe(map(valueIn));
    const startedAt = performance.now();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const hit = this.cache.peek(new RouteRequest(request, applied));
    if (!hit || applied.way.isHandedOn)
      return this.answers.observe(this.answers.exchange(context, applied, next, startedAt), hit);
    return this.sendHit(context, applied, hit, next, startedAt);
  }

  private sendHit(
    context: ExecutionContext,
    applied: AppliedRule,
    hit: StoredAnswer,
    next: CallHandler,
    startedAt: number,
  ): Observable<unknown> {
    const http = context.switchToHttp();
    const [request, reply] = [http.getRequest<FastifyRequest>(), clientReplyOf(http.getResponse<object>())];
    this.fastWay.remember(context, applied, hit);
    const exception = exceptionIn(hit.entry);
    if (exception) this.answers.throwKept(this.answers.exchange(context, applied, next, startedAt), hit, exception);
    const again = (error: unknown): Promise<unknown> =>
      this.answers.again(this.answers.exchange(context, applied, next, startedAt), error);
    try {
      const sending = this.sender.send(request, reply, hit, applied);
      this.answers.publish(context, applied, hit, hit.tier, hit.entry.status, startedAt);
      return sending ? from(sending.then(() => RESPONSE_ALREADY_SENT).catch(again)) : DONE;
    } catch (error) {
      return from(again(error));
    }
  }
}
