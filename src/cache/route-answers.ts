import { Inject, Injectable, Logger, type CallHandler, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom, Observable } from 'rxjs';
import { AppError } from '../kernel/app-error';
import { AnswerSender, fieldsByName, setField, type AskedForm } from './answer-sender';
import { ANSWERED } from './answered';
import { CacheEvents, type CacheEvent } from './cache-events';
import { cacheFields, cacheStatusOfError, cacheStatusOfForward } from './cache-headers';
import { closeLoad, openLoadOf } from './cache-rule.decorator';
import type { CacheAnswer } from './core/cache-request';
import { policyOf } from './core/cache-rule';
import { DeclinedLoad } from './core/load';
import { ResponseCache } from './core/response-cache';
import { Clock } from '../kernel/clock';
import { ExpressLane } from './express-lane';
import { valueIn } from './handler-answer';
import { handedFields, handedValue } from './handed-value';
import { ClientLeft, fromLoadError, statusOf } from './handler-error';
import { HandlerLoad } from './handler-load';
import { applyUnkept, HandlerResponse } from './handler-response';
import { exceptionIn } from './kept-exception';
import { hasOwnFilters } from './nest-pipeline';
import { PassedValue } from './passed-value';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';
import { UnreadableEntryError } from './unreadable-entry.error';

/** A request of a cached route that memory alone has no fresh answer for. */
export interface RouteExchange {
  readonly context: ExecutionContext;
  readonly request: FastifyRequest;
  readonly applied: AppliedRule;
  readonly next: CallHandler;
  readonly startedAt: number;
  readonly load: HandlerLoad;
  /** What the client asked for: a load takes it off the request. */
  readonly form: AskedForm;
}

/**
 * Answers the requests of cached routes that need the store or the handler.
 *
 * Its one invariant: each request gets one answer: the entry by the sender, the handler's own value by Nest, or an error by the
 * exception filters.
 */
@Injectable()
export class RouteAnswers {
  private readonly logger = new Logger('Cache');

  constructor(
    private readonly cache: ResponseCache,
    private readonly clock: Clock,
    private readonly rules: RouteRuleReader,
    private readonly responses: HandlerResponse,
    private readonly sender: AnswerSender,
    private readonly events: CacheEvents,
    private readonly lane: ExpressLane,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {}

  exchange(context: ExecutionContext, applied: AppliedRule, next: CallHandler, startedAt: number): RouteExchange {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { 'accept-encoding': coding, 'if-none-match': tags, 'if-modified-since': since } = request.headers;
    const form: AskedForm = { 'accept-encoding': coding, 'if-none-match': tags, 'if-modified-since': since };
    const load = new HandlerLoad(context, next, this.responses, applied);
    return { context, request, applied, next, startedAt, load, form };
  }

  /** @param hit what memory has already, of a route whose values are handed on */
  observe(exchange: RouteExchange, hit: CacheAnswer | undefined): Observable<unknown> {
    return new Observable((subscriber) => {
      let isSettled = false;
      const answer = hit ? this.deliver(exchange, hit) : this.answer(exchange);
      answer.then(
        (value) => {
          isSettled = true;
          subscriber.next(value);
          subscriber.complete();
        },
        (error: unknown) => {
          isSettled = true;
          subscriber.error(error);
        },
      );
      return () => {
        if (!isSettled) exchange.load.leave(); // an interceptor around (a time-out) answers otherwise, by the same reply
      };
    });
  }

  /** @returns `ANSWERED`, or a value for Nest to send */
  async answer(exchange: RouteExchange, mayRepeat = true): Promise<unknown> {
    const { request, applied, load } = exchange;
    const { rule, key, part } = applied;
    const { upstream, marker } = rule;
    const policy = policyOf(rule, this.options.policy);
    const asked = {
      key,
      upstream,
      tags: rule.tags?.(request) ?? [],
      // With a reply for two, a stale answer and its handler would both set fields on it.
      policy:
        applied.way.isHandedOn && applied.way.mayTouchReply ? { ...policy, swrMs: 0, earlyRefreshBeta: 0 } : policy,
      ...(part === undefined ? {} : { part }),
      ...(marker === undefined ? {} : { marker }),
    };
    try {
      return await this.deliver(exchange, await this.cache.answer(asked, load.run));
    } catch (error) {
      if (load.isLeft) return ANSWERED;
      if (error instanceof UnreadableEntryError && mayRepeat) return await this.again(exchange, error);
      if (error instanceof ClientLeft && load.declined !== error.result) return await this.answer(exchange, mayRepeat);
      if (error instanceof DeclinedLoad) return await this.decline(exchange, error);
      return this.refuse(exchange, fromLoadError(error));
    } finally {
      load.abandon();
    }
  }

  /** A stored body that cannot be unpacked is removed, and the request answered as if there had been none. */
  async again(exchange: RouteExchange, error: unknown): Promise<unknown> {
    if (!(error instanceof UnreadableEntryError)) throw error;
    this.logger.warn(`${error.message} Removed, counts as a miss.`);
    await this.cache.invalidate({ kind: 'key', key: exchange.applied.key });
    return this.answer(exchange, false);
  }

  /** Throws a kept exception for the filters to answer. */
  throwKept({ context, applied, startedAt }: RouteExchange, answer: CacheAnswer, error: unknown): never {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    reply.headers({ ...cacheFields(answer, applied.key, this.clock.now()) });
    this.publish(context, applied, answer, answer.tier, answer.entry.status, startedAt);
    throw error;
  }

  publish(
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

  private async deliver(exchange: RouteExchange, answer: CacheAnswer): Promise<unknown> {
    const { context, request, applied, startedAt, load, form } = exchange;
    const { key, rule } = applied;
    const { reply } = load.reply;
    const isRefreshing = answer.isRefreshing === true;
    const exception = exceptionIn(answer.entry);
    if (load.isLeft) return ANSWERED;
    if (exception) {
      const isOwn = answer.outcome === 'MISS' && load.thrown !== undefined;
      this.throwKept(exchange, answer, isOwn ? load.thrown : exception);
    }
    if (applied.way.isHandedOn) return this.handOn(exchange, answer);
    if (answer.outcome === 'HIT' && !isRefreshing && this.lane.writes(request, reply, key, answer, rule.upstream))
      return ANSWERED;
    const to = replyTo(answer, load);
    if (load.fields && !isRefreshing) applyUnkept(to, load.fields);
    await this.sender.send(request, to, answer, key, form);
    this.publish(context, applied, answer, answer.tier, answer.entry.status, startedAt);
    return ANSWERED;
  }

  /** Gives the value to the interceptors around, and the fields that the handler set to the reply. */
  private async handOn({ context, applied, startedAt, load }: RouteExchange, answer: CacheAnswer): Promise<unknown> {
    const { entry, isRefreshing } = answer;
    const value = await handedValue(answer);
    if (load.reply.isLoading || isRefreshing === true || answer.outcome === 'STALE_ON_ERROR') load.reply.share();
    const { reply } = load.reply;
    if (load.fields && isRefreshing !== true) applyUnkept(reply, load.fields);
    for (const [name, fieldValue] of fieldsByName(handedFields(entry))) setField(reply, name, fieldValue);
    reply.headers({ ...cacheFields(answer, applied.key, this.clock.now()) }).code(entry.status);
    this.publish(context, applied, answer, answer.tier, entry.status, startedAt);
    return value;
  }

  /** Gives the request what the load brought, if it is its own or for all; else the request's handler runs for it alone. */
  private async decline(exchange: RouteExchange, { result, mayShare }: DeclinedLoad): Promise<unknown> {
    const { context, request, applied, next, startedAt, load } = exchange;
    const { reply } = load.reply;
    if (load.whyPassed !== undefined) this.rules.leaveOut(context, load.whyPassed);
    const isOwn = load.declined === result && result !== undefined;
    const outcome = isOwn || mayShare ? 'MISS' : 'BYPASS';
    reply.header('cache-status', cacheStatusOfForward(applied.key, outcome)).header('x-cache', 'MISS');
    const publish = (status: number | undefined): void =>
      this.publish(context, applied, { outcome }, 'upstream', status, startedAt);
    if (result instanceof PassedValue && isOwn) {
      result.applyTo(reply);
      publish(reply.statusCode);
      if (!result.isSent) return result.value;
      void reply.send(result.value);
      return ANSWERED;
    }
    if (outcome === 'MISS') {
      publish(statusOf(result));
      throw result;
    }
    closeLoad(request, openLoadOf(request)); // no validators: there is nothing that a 304 would be about
    const value = await lastValueFrom<unknown, unknown>(next.handle(), { defaultValue: undefined });
    publish(reply.statusCode);
    return valueIn(value);
  }

  /**
   * Hands an error to the exception filters. While the handler still runs, the reply is the handler's: the filters get another
   * one, from Fastify's error handler; those of the route alone, which Fastify does not know, get the handler's own.
   */
  private refuse({ context, applied, startedAt, load }: RouteExchange, error: unknown): unknown {
    const failure = error instanceof AppError ? error.code : 'internal';
    this.publish(context, applied, { outcome: 'ERROR', failure }, 'none', statusOf(error), startedAt);
    const isUnderWay = failure === 'deadline-exceeded' || load.reply.isLoading;
    const isApart = isUnderWay && !applied.way.isHandedOn && !hasOwnFilters(context);
    if (isUnderWay && !isApart) load.reply.share();
    const reply = isApart ? load.reply.clientReply() : load.reply.reply;
    reply.header('cache-status', cacheStatusOfError(applied.key, failure)).header('x-cache', 'MISS');
    if (!isApart) throw error;
    void reply.send(error);
    return ANSWERED;
  }
}

/** A load that runs on has the reply: the client is answered by another. */
function replyTo({ outcome, isRefreshing }: CacheAnswer, { reply }: HandlerLoad): FastifyReply {
  const isFree = !reply.isLoading && outcome !== 'STALE_ON_ERROR' && isRefreshing !== true;
  return isFree ? reply.reply : reply.clientReply();
}
