import {
  HttpException,
  Inject,
  Injectable,
  Logger,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, map, of, type Observable } from 'rxjs';
import { AppError } from '../kernel/app-error';
import { AnswerSender, type AskedForm } from './answer-sender';
import { ANSWERED } from './answered';
import { CacheEvents, type CacheEvent } from './cache-events';
import { cacheStatusOfError } from './cache-headers';
import type { CacheAnswer } from './core/cache-request';
import { policyOf } from './core/cache-rule';
import { ResponseCache } from './core/response-cache';
import { Sourced } from './handler-answer';
import { ExpressLane } from './express-lane';
import { HandlerLoad } from './handler-load';
import { applyUnkept, HandlerResponse } from './handler-response';
import { hasOwnFilters } from './nest-pipeline';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';
import { UnreadableEntryError } from './unreadable-entry.error';

const DONE = of(ANSWERED);

/**
 * The one caching layer: asks the core for the answer, gives it the handler as the load, and sends what it gets.
 *
 * Its one invariant: a stored body is sent as the bytes it is. It leaves the decision to the core, header fields to
 * `cache-headers.ts`, errors to the exception filter.
 */
@Injectable()
export class ResponseCacheInterceptor implements NestInterceptor {
  private readonly logger = new Logger('Cache');
  /** A subclass may do more than the lane, which would pass it by. */
  private readonly isItself = this.constructor === ResponseCacheInterceptor;

  constructor(
    private readonly cache: ResponseCache,
    private readonly rules: RouteRuleReader,
    private readonly responses: HandlerResponse,
    private readonly sender: AnswerSender,
    private readonly events: CacheEvents,
    private readonly lane: ExpressLane,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const applied = this.rules.read(context);
    if (applied instanceof Promise) return applied.then((rule) => this.pass(context, rule, next));
    return this.pass(context, applied, next);
  }

  private pass(context: ExecutionContext, applied: AppliedRule | undefined, next: CallHandler): Observable<unknown> {
    if (!applied) {
      return next.handle().pipe(map((value: unknown) => (value instanceof Sourced ? (value.value as unknown) : value)));
    }
    const { rule, key, part } = applied;
    if (applied.isOwnKey && this.isItself) this.lane.learn(context, rule, ResponseCacheInterceptor);
    const startedAt = performance.now();
    const hit = this.cache.peek(key, rule.earlyRefreshBeta ?? this.options.policy.earlyRefreshBeta, part);
    if (!hit) return from(this.answer(context, applied, next, startedAt));
    if (this.writes(context, hit, key, rule.upstream)) return DONE;
    try {
      const sending = this.send(context, hit, key);
      this.tell(context, applied, hit, hit.tier, hit.entry.status, startedAt);
      if (!sending) return DONE;
      return from(
        sending.then(() => ANSWERED).catch((error: unknown) => this.again(context, applied, next, startedAt, error)),
      );
    } catch (error) {
      return from(this.again(context, applied, next, startedAt, error));
    }
  }

  /** A stored body that cannot be unpacked is removed, and the request answered as if there had been none. */
  private async again(
    context: ExecutionContext,
    applied: AppliedRule,
    next: CallHandler,
    startedAt: number,
    error: unknown,
    load?: HandlerLoad,
  ): Promise<unknown> {
    if (!(error instanceof UnreadableEntryError)) throw error;
    this.logger.warn(`${error.message} Removed, counts as a miss.`);
    await this.cache.invalidate({ kind: 'key', key: applied.key });
    return this.answer(context, applied, next, startedAt, load ?? this.loadOf(context, applied, next), false);
  }

  private async answer(
    context: ExecutionContext,
    applied: AppliedRule,
    next: CallHandler,
    startedAt: number,
    load = this.loadOf(context, applied, next),
    mayRepeat = true,
  ): Promise<unknown> {
    const { rule, key, part } = applied;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const policy = policyOf(rule, this.options.policy);
    const { upstream, marker } = rule;
    const tags = rule.tags?.(request) ?? [];
    const asked = {
      key,
      upstream,
      tags,
      policy,
      ...(part === undefined ? {} : { part }),
      ...(marker === undefined ? {} : { marker }),
    };
    const { 'accept-encoding': acceptEncoding, 'if-none-match': ifNoneMatch } = request.headers;
    const form: AskedForm = { 'accept-encoding': acceptEncoding, 'if-none-match': ifNoneMatch };
    try {
      const answer = await this.cache.answer(asked, load.run);
      if (answer.outcome === 'HIT' && !answer.isRefreshing && this.writes(context, answer, key, upstream))
        return ANSWERED;
      const reply = replyTo(answer, load);
      if (load.fields && !answer.isRefreshing) applyUnkept(reply, load.fields);
      await this.sender.send(request, reply, answer, key, form);
      this.tell(context, applied, answer, answer.tier, answer.entry.status, startedAt);
      return ANSWERED;
    } catch (error) {
      if (error instanceof UnreadableEntryError && mayRepeat)
        return this.again(context, applied, next, startedAt, error, load);
      const failure = error instanceof AppError ? error.code : 'internal';
      this.tell(context, applied, { outcome: 'ERROR', failure }, 'none', statusOf(error), startedAt);
      return this.refuse(context, load, error, cacheStatusOfError(key, failure));
    }
  }

  /**
   * Hands an error to the exception filters. While the handler still runs, the reply is the handler's: the filters get another
   * one, from Fastify's error handler; those of the route alone, which Fastify does not know, get the handler's own.
   */
  private refuse(context: ExecutionContext, load: HandlerLoad, error: unknown, cacheStatus: string): unknown {
    const isTooLate = error instanceof AppError && error.code === 'deadline-exceeded';
    const isUnderWay = isTooLate || load.reply.isLoading;
    const isApart = isUnderWay && !hasOwnFilters(context);
    if (isUnderWay && !isApart) load.reply.share();
    const reply = isApart ? load.reply.clientReply() : load.reply.reply;
    reply.header('cache-status', cacheStatus).header('x-cache', 'MISS');
    if (!isApart) throw error;
    void reply.send(error);
    return ANSWERED;
  }

  private loadOf(context: ExecutionContext, { rule }: AppliedRule, next: CallHandler): HandlerLoad {
    return new HandlerLoad(context, next, this.responses, rule);
  }

  /** The short way, which tells of the hit itself. */
  private writes(context: ExecutionContext, hit: CacheAnswer, key: string, upstream: string): boolean {
    const http = context.switchToHttp();
    return this.lane.writes(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), key, hit, upstream);
  }

  private send(context: ExecutionContext, answer: CacheAnswer, key: string): void | Promise<void> {
    const http = context.switchToHttp();
    return this.sender.send(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), answer, key);
  }

  private tell(
    context: ExecutionContext,
    { rule, key }: AppliedRule,
    { outcome, failure }: Pick<CacheAnswer, 'outcome' | 'failure'>,
    tier: CacheEvent['tier'],
    status: number | undefined,
    startedAt: number,
  ): void {
    const durationMs = performance.now() - startedAt;
    const { id: requestId } = context.switchToHttp().getRequest<FastifyRequest>();
    const event = { outcome, tier, upstream: rule.upstream, key, status, durationMs, requestId };
    this.events.publish(failure === undefined ? event : { ...event, failure });
  }
}

/** A load that runs on has the reply: the client is answered by another. */
function replyTo({ outcome, isRefreshing }: CacheAnswer, { reply }: HandlerLoad): FastifyReply {
  const isFree = !reply.isLoading && outcome !== 'STALE_ON_ERROR' && !isRefreshing;
  return isFree ? reply.reply : reply.clientReply();
}

/** Nest's own errors name their status; of all others it is the edge's to decide. */
function statusOf(error: unknown): number | undefined {
  return error instanceof HttpException ? error.getStatus() : undefined;
}
