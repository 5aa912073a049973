import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, map, type Observable } from 'rxjs';
import { AppError } from '../kernel/app-error';
import { AnswerSender } from './answer-sender';
import { ANSWERED } from './answered';
import { CacheEvents } from './cache-events';
import { cacheStatusWithout } from './cache-headers';
import { leaveValidators } from './cache-rule.decorator';
import type { CacheAnswer } from './core/cache-request';
import { policyOf } from './core/cache-rule';
import type { Load } from './core/load';
import { ResponseCache } from './core/response-cache';
import { NotModified, Sourced } from './handler-answer';
import { HandlerResponse } from './handler-response';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';

/**
 * The one caching layer: asks the core for the answer, gives it the handler as the load, and sends what it gets.
 *
 * Its one invariant: a stored body is sent as the bytes it is. It leaves the decision to the core, header fields to
 * `cache-headers.ts`, errors to the exception filter.
 */
@Injectable()
export class ResponseCacheInterceptor implements NestInterceptor {
  constructor(
    private readonly cache: ResponseCache,
    private readonly rules: RouteRuleReader,
    private readonly responses: HandlerResponse,
    private readonly sender: AnswerSender,
    private readonly events: CacheEvents,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const applied = await this.rules.read(context);
    if (!applied)
      return next.handle().pipe(map((value: unknown) => (value instanceof Sourced ? (value.value as unknown) : value)));
    return from(this.answer(context, applied, next));
  }

  private async answer(
    context: ExecutionContext,
    { rule, key, tags }: AppliedRule,
    next: CallHandler,
  ): Promise<unknown> {
    const startedAt = performance.now();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const policy = policyOf(rule, this.options.policy);
    const { upstream } = rule;
    const asked = { key, upstream, tags, policy, ...(rule.marker === undefined ? {} : { marker: rule.marker }) };
    const tell = (
      outcome: Pick<CacheAnswer, 'outcome' | 'failure'>,
      tier: CacheAnswer['tier'] | 'none',
      status: number,
    ): void => {
      const durationMs = performance.now() - startedAt;
      this.events.publish({ ...outcome, tier, upstream, key, status, durationMs });
    };
    try {
      const answer = await this.cache.answer(asked, this.loadBy(context, request, next, rule.marker));
      const { outcome, failure } = answer;
      tell(failure === undefined ? { outcome } : { outcome, failure }, answer.tier, answer.entry.status);
      this.sender.send(request, reply, answer, key);
      return ANSWERED;
    } catch (error) {
      const failure = error instanceof AppError ? error.code : 'internal';
      tell({ outcome: 'ERROR', failure }, 'none', 0);
      reply.header('cache-status', cacheStatusWithout('ERROR', key)).header('x-cache', 'MISS');
      throw error;
    }
  }

  private loadBy(
    context: ExecutionContext,
    request: FastifyRequest,
    next: CallHandler,
    marker: string | undefined,
  ): Load {
    return async ({ validators }) => {
      leaveValidators(request, validators);
      const value: unknown = await this.responses.negativeOf(() =>
        lastValueFrom<unknown, unknown>(next.handle(), { defaultValue: undefined }),
      );
      if (value instanceof NotModified) return { kind: 'not-modified', headers: value.headers };
      return this.responses.toLoaded(context, value, marker !== undefined);
    };
  }
}
