import { Inject, Injectable, Logger, type CallHandler, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Observable } from 'rxjs';
import { AppError } from '../../kernel/app-error';
import { retryAfterOf } from '../../kernel/problem-table';
import { AnswerSender, requestedForm, fieldsByName, setField, type RequestedForm } from './answer-sender';
import { RESPONSE_ALREADY_SENT } from './sent-responses';
import { CacheEvents, type CacheEvent } from './cache-events';
import { cacheFields, cacheStatusOf, cacheStatusOfError } from './cache-headers';
import { clientReplyOf, rawRequestOf, requestIdOf } from './client-reply';
import type { ClientReply } from './load-reply';
import { CacheInvalidator } from '../engine/cache-invalidator';
import type { StoredAnswer } from '../model/exchange';
import { valueOf } from '../law/fields';
import { HttpCache } from '../engine/http-cache';
import { Clock } from '../../kernel/clock';
import { handedFields, handedValue } from './handed-value';
import { fromLoadError, statusOf } from './handler-error';
import { applyUnkept, HandlerResponse } from './handler-response';
import { exceptionIn } from './kept-exception';
import { hasOwnFilters } from './nest-pipeline';
import type { PassedValue } from './passed-value';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { RouteFastWay } from './route-fast-way';
import { RouteOrigin, type RouteOriginParts } from './route-origin';
import { RouteRequest } from './route-request';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';
import { UnreadableEntryError } from './unreadable-entry.error';

/** A request of a cached route without a fresh response in memory. */
export interface RouteExchange {
  readonly context: ExecutionContext;
  readonly request: FastifyRequest;
  readonly asked: RouteRequest;
  readonly applied: AppliedRule;
  readonly startedAt: number;
  readonly load: RouteOrigin;
  /** The form that the client asked for: a load removes these fields from the request. */
  readonly form: RequestedForm;
  /** The exception that is the response. */
  thrown?: unknown;
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
  private readonly origin: RouteOriginParts;

  constructor(
    private readonly cache: HttpCache,
    private readonly invalidator: CacheInvalidator,
    private readonly clock: Clock,
    private readonly rules: RouteRuleReader,
    responses: HandlerResponse,
    private readonly sender: AnswerSender,
    private readonly events: CacheEvents,
    private readonly fastWay: RouteFastWay,
    @Inject(RESPONSE_CACHE_OPTIONS) { loadTimeoutMs }: ResponseCacheModuleOptions,
  ) {
    this.origin = { responses, clock, loadTimeoutMs };
  }

  exchange(context: ExecutionContext, applied: AppliedRule, next: CallHandler, startedAt: number): RouteExchange {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const form = requestedForm(rawRequestOf(request));
    const asked = new RouteRequest(request, applied);
    asked.readHeaders(); // before a load takes fields off the request
    return {
      context,
      request,
      asked,
      applied,
      startedAt,
      form,
      load: new RouteOrigin(context, next, applied, this.origin),
    };
  }

  /** @param hit the hit in memory, for a route whose values are handed on */
  observe(exchange: RouteExchange, hit: StoredAnswer | undefined): Observable<unknown> {
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
        if (!isSettled) exchange.load.leave(); // an interceptor around (a time-out) answers by the same reply instead
      };
    });
  }

  /** @returns `RESPONSE_ALREADY_SENT`, or a value for Nest to send */
  async answer(exchange: RouteExchange, mayRepeat = true): Promise<unknown> {
    const { asked, load } = exchange;
    try {
      const answer = await this.cache.exchange(asked, load.produce);
      if (answer.kind !== 'stored') throw new Error('A handler gives whole responses.');
      return await this.deliver(exchange, answer);
    } catch (error) {
      if (load.isLeft) return RESPONSE_ALREADY_SENT;
      if (error instanceof UnreadableEntryError && mayRepeat) return await this.again(exchange, error);
      if (error === exchange.thrown) throw error;
      return this.refuse(exchange, fromLoadError(error));
    } finally {
      load.abandon();
    }
  }

  /** A stored body that cannot be unpacked is removed, and the request is answered as a miss. */
  async again(exchange: RouteExchange, error: unknown): Promise<unknown> {
    if (!(error instanceof UnreadableEntryError)) {
      setRetryAfter(exchange.load.reply.reply, error);
      throw error;
    }
    this.logger.warn(`${error.message} Removed, counts as a miss.`);
    await this.invalidator.invalidate({ kind: 'key', key: exchange.applied.key });
    return this.answer(exchange, false);
  }

  /** Throws an exception that is the response, for the filters to answer. */
  throwKept(exchange: RouteExchange, answer: StoredAnswer, error: unknown): never {
    const { context, applied, startedAt } = exchange;
    const reply = clientReplyOf(context.switchToHttp().getResponse<object>());
    const { age, ...fields } = cacheFields(answer, applied.key, this.clock.now());
    const vary = valueOf(answer.entry.headers, 'vary');
    if (vary !== undefined) setField(reply, 'vary', vary);
    reply.headers(answer.stored === false ? fields : { ...fields, age });
    this.publish(context, applied, answer, answer.tier, answer.entry.status, startedAt);
    exchange.thrown = error;
    throw error;
  }

  publish(
    context: ExecutionContext,
    { rule, key }: AppliedRule,
    { outcome, failure }: Pick<StoredAnswer, 'outcome' | 'failure'>,
    tier: CacheEvent['tier'],
    status: number | undefined,
    startedAt: number,
  ): void {
    const durationMs = performance.now() - startedAt;
    const requestId = requestIdOf(context.switchToHttp().getRequest<object>());
    const event = { outcome, tier, upstream: rule.upstream, key, status, durationMs, requestId };
    this.events.publish(failure === undefined ? event : { ...event, failure });
  }

  private async deliver(exchange: RouteExchange, answer: StoredAnswer): Promise<unknown> {
    const { context, request, applied, startedAt, load, form } = exchange;
    const isRefreshing = answer.isRefreshing === true;
    if (load.isLeft) return RESPONSE_ALREADY_SENT;
    if (load.passed && isOfOwnLoad(answer)) return this.passOn(exchange, answer, load.passed);
    const exception = exceptionIn(answer.entry);
    if (exception) this.throwKept(exchange, answer, exception);
    if (applied.way.isHandedOn) return this.handOn(exchange, answer);
    if (answer.outcome === 'HIT' && !isRefreshing) this.fastWay.remember(context, applied, answer);
    const to = replyTo(answer, load);
    if (load.fields && !isRefreshing && answer.outcome !== 'STALE_ON_ERROR') applyUnkept(to, load.fields);
    await this.sender.send(request, to, answer, applied, form);
    this.publish(context, applied, answer, answer.tier, answer.entry.status, startedAt);
    return RESPONSE_ALREADY_SENT;
  }

  /** Gives the request the result of its own load, which cannot be stored. */
  private passOn(
    { context, applied, startedAt, load }: RouteExchange,
    answer: StoredAnswer,
    passed: PassedValue,
  ): unknown {
    const { reply } = load.reply;
    if (load.whyPassed !== undefined) this.rules.leaveOut(context, load.whyPassed);
    const isOut = reply.raw.headersSent; // by a handler that writes in pieces, on Express
    if (!isOut) {
      reply.header('cache-status', cacheStatusOf(answer, applied.key, this.clock.now())).header('x-cache', 'MISS');
      passed.applyTo(reply);
    }
    this.publish(context, applied, answer, answer.tier, reply.statusCode, startedAt);
    if (isOut) return RESPONSE_ALREADY_SENT;
    if (!passed.isSent) return passed.value;
    void reply.send(passed.value);
    return RESPONSE_ALREADY_SENT;
  }

  /** Returns the value to the interceptors around, with the handler's fields on the reply. */
  private async handOn({ context, applied, startedAt, load }: RouteExchange, answer: StoredAnswer): Promise<unknown> {
    const { entry, isRefreshing } = answer;
    const value = await handedValue(answer);
    if (load.reply.isLoading || isRefreshing === true || answer.outcome === 'STALE_ON_ERROR') load.reply.share();
    const { reply } = load.reply;
    if (load.fields && isRefreshing !== true && answer.outcome !== 'STALE_ON_ERROR') applyUnkept(reply, load.fields);
    for (const [name, fieldValue] of fieldsByName(handedFields(entry))) setField(reply, name, fieldValue);
    reply.headers({ ...cacheFields(answer, applied.key, this.clock.now()) }).code(entry.status);
    this.publish(context, applied, answer, answer.tier, entry.status, startedAt);
    return value;
  }

  /**
   * Passes an error to the exception filters. While the handler still runs, the reply is the handler's: the filters get another one, from
   * Fastify's error handler; filters of the route alone, which Fastify does not know, get the handler's own.
   */
  private refuse({ context, applied, startedAt, load }: RouteExchange, error: unknown): unknown {
    const failure = error instanceof AppError ? error.code : 'internal';
    this.publish(context, applied, { outcome: 'ERROR', failure }, 'none', statusOf(error), startedAt);
    const isUnderWay = failure === 'deadline-exceeded' || load.reply.isLoading;
    const isApart = isUnderWay && load.reply.reachesFilters && !applied.way.isHandedOn && !hasOwnFilters(context);
    if (isUnderWay && !isApart) load.reply.share();
    const reply = isApart ? load.reply.clientReply() : load.reply.reply;
    reply.header('cache-status', cacheStatusOfError(applied.key, failure)).header('x-cache', 'MISS');
    setRetryAfter(reply, error);
    if (!isApart) throw error;
    void reply.send(error);
    return RESPONSE_ALREADY_SENT;
  }
}

/** Whether the request's own load produced the answer, not one that it joined. */
function isOfOwnLoad({ outcome }: StoredAnswer): boolean {
  return outcome === 'MISS' || outcome === 'BYPASS';
}

/** For exception filters of the application's, which do not know the cache's errors. */
function setRetryAfter(reply: ClientReply, error: unknown): void {
  const retryAfter = error instanceof AppError ? retryAfterOf(error) : undefined;
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
}

/** A load that runs on has the reply: the client is answered by another. */
function replyTo({ outcome, isRefreshing }: StoredAnswer, { reply }: RouteOrigin): ClientReply {
  const isFree = !reply.isLoading && outcome !== 'STALE_ON_ERROR' && isRefreshing !== true;
  return isFree ? reply.reply : reply.clientReply();
}
