import { Injectable, Logger, type CallHandler, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { defer, finalize, from, of, tap, type Observable } from 'rxjs';
import { AppError } from '../../kernel/app-error';
import { retryAfterOf } from '../../kernel/problem-table';
import { CacheInvalidator } from '../engine/cache-invalidator';
import { HttpCache } from '../engine/http-cache';
import { valueOf } from '../law/fields';
import type { StoredAnswer } from '../model/exchange';
import { AnswerSender, fieldsByName, setField } from './answer-sender';
import { CacheEvents, type CacheEvent } from '../engine/cache-events';
import { cacheStatusOfError } from '../law/cache-status';
import { clientReplyOf, requestIdOf, type ClientReply } from './client-reply';
import { handedFields, handedValue } from '../values/handed-value';
import { fromLoadError, statusOf } from '../values/thrown-error';
import { exceptionIn } from './handler-error';
import { applyFields } from './load-reply';
import { RouteOrigins, type PassedValue, type RouteOrigin } from './route-origin';
import { RouteRequest } from './route-request';
import { RouteRuleReader, type AppliedRule } from './route-rule.reader';
import { RESPONSE_ALREADY_SENT } from './sent-responses';
import { orUnreadable, removeUnreadable, UnreadableEntryError } from '../engine/unreadable-entry.error';

const DONE = of(RESPONSE_ALREADY_SENT);

/** The parts that answer the requests of cached routes. */
@Injectable()
export class RouteExchanges {
  readonly logger = new Logger('Cache');

  constructor(
    readonly cache: HttpCache,
    readonly invalidator: CacheInvalidator,
    readonly rules: RouteRuleReader,
    readonly origins: RouteOrigins,
    readonly sender: AnswerSender,
    readonly events: CacheEvents,
  ) {}

  answer(context: ExecutionContext, applied: AppliedRule, next: CallHandler): Observable<unknown> {
    return new RouteExchange(this, context, applied, next).answer();
  }
}

/**
 * One request of a cached route, from the store or its handler to its answer.
 *
 * Its one invariant: each request gets one answer: the entry by the sender, the handler's own value by Nest, or an error by the
 * exception filters.
 */
class RouteExchange {
  private readonly startedAt = performance.now();
  private readonly request: FastifyRequest;
  private readonly asked: RouteRequest;
  /** Absent for a hit in memory. */
  private load: RouteOrigin | undefined;
  /** The exception that is the response. */
  private thrown: unknown;
  private hasRemoved = false;

  constructor(
    private readonly parts: RouteExchanges,
    private readonly context: ExecutionContext,
    private readonly applied: AppliedRule,
    private readonly next: CallHandler,
  ) {
    this.request = context.switchToHttp().getRequest<FastifyRequest>();
    this.asked = new RouteRequest(this.request, applied);
  }

  answer(): Observable<unknown> {
    const hit = this.parts.cache.peek(this.asked);
    if (!hit || this.applied.route.nest.isHandedOn) return this.observe(hit);
    try {
      const sent = this.deliver(hit);
      if (sent === RESPONSE_ALREADY_SENT) return DONE;
      return from((sent as Promise<unknown>).catch((error: unknown) => this.recover(error)));
    } catch (error) {
      return from(this.recover(error));
    }
  }

  private observe(hit: StoredAnswer | undefined): Observable<unknown> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    return defer(() => this.exchange(hit)).pipe(
      tap({ next: settle, error: settle }),
      finalize(() => {
        if (!isSettled) this.load?.leave(); // an interceptor around (a time-out) answers by the same reply instead
      }),
    );
  }

  /** @returns `RESPONSE_ALREADY_SENT`, or a value for Nest to send */
  private async exchange(hit?: StoredAnswer): Promise<unknown> {
    try {
      return await this.deliver(hit ?? (await this.find()));
    } catch (error) {
      return await this.recover(error);
    } finally {
      this.load?.abandon();
    }
  }

  private async find(): Promise<StoredAnswer> {
    const { cache, origins } = this.parts;
    this.load ??= origins.of(this.asked, this.response, this.next);
    const answer = await cache.exchange(this.asked, this.load.produce);
    if (answer.kind !== 'stored') throw new Error('A handler gives whole responses.');
    return answer;
  }

  /** Answers a failed request. A stored body that cannot be unpacked is removed, and the request is answered as a miss. */
  private async recover(error: unknown): Promise<unknown> {
    if (this.load?.isLeft) return RESPONSE_ALREADY_SENT;
    if (error === this.thrown) throw error;
    if (!(error instanceof UnreadableEntryError) || this.hasRemoved) return this.refuse(fromLoadError(error));
    this.hasRemoved = true;
    await removeUnreadable(error, this.parts.invalidator, this.parts.logger);
    return this.exchange();
  }

  /** Where nothing has to be waited for, at once. */
  private deliver(answer: StoredAnswer): unknown {
    const { load, applied, parts } = this;
    if (load?.isLeft) return RESPONSE_ALREADY_SENT;
    if (load?.passed && isOfOwnLoad(answer)) return this.passOn(answer, load, load.passed);
    const exception = exceptionIn(answer.entry);
    if (exception) return this.throwKept(answer, exception);
    if (applied.route.nest.isHandedOn) return this.handOn(answer);
    const isUnderWay = this.isLoadUnderWay(answer);
    const reply = load && isUnderWay ? load.reply.clientReply() : this.reply;
    if (!isUnderWay) this.applyUnkept(reply);
    const sending = parts.sender.send(this.asked, reply, answer);
    if (sending) return sending.then(() => this.publishSent(answer));
    return this.publishSent(answer);
  }

  /** Gives the request the result of its own load, which cannot be stored. */
  private passOn(answer: StoredAnswer, load: RouteOrigin, { value, isSent, why }: PassedValue): unknown {
    const { reply } = load.reply;
    if (why !== undefined) this.parts.rules.leaveOut(this.context, why);
    const isOut = reply.raw.headersSent; // by a handler that writes in pieces, on Express
    if (!isOut) {
      const { age, ...fields } = this.parts.sender.cacheFieldsOf(this.asked, answer);
      reply.headers(fields);
      if (load.fields) applyFields(reply, load.fields);
      if (load.fields) reply.code(load.fields.status);
    }
    this.publish(answer, reply.statusCode);
    if (isOut) return RESPONSE_ALREADY_SENT;
    if (!isSent) return value;
    void reply.send(value);
    return RESPONSE_ALREADY_SENT;
  }

  /** Throws an exception that is the response, for the filters to answer. */
  private throwKept(answer: StoredAnswer, exception: unknown): never {
    const { reply } = this;
    const { age, ...fields } = this.parts.sender.cacheFieldsOf(this.asked, answer);
    const vary = valueOf(answer.entry.headers, 'vary');
    if (vary !== undefined) setField(reply, 'vary', vary);
    reply.headers(answer.stored === false ? fields : { ...fields, age });
    this.publish(answer, answer.entry.status);
    this.thrown = exception;
    throw exception;
  }

  /** Returns the value to the interceptors around, with the handler's fields on the reply. */
  private async handOn(answer: StoredAnswer): Promise<unknown> {
    const { entry } = answer;
    const value = await orUnreadable(this.asked.key, () => handedValue(answer));
    const isUnderWay = this.isLoadUnderWay(answer);
    if (isUnderWay) this.load?.reply.share();
    const { reply } = this;
    if (!isUnderWay) this.applyUnkept(reply);
    for (const [name, fieldValue] of fieldsByName(handedFields(entry))) setField(reply, name, fieldValue);
    reply.headers({ ...this.parts.sender.cacheFieldsOf(this.asked, answer) }).code(entry.status);
    this.publish(answer, entry.status);
    return value;
  }

  /**
   * Passes an error to the exception filters. While the handler still runs, the reply is the handler's: the filters get another one, from
   * Fastify's error handler; filters of the route alone, which Fastify does not know, get the handler's own.
   */
  private refuse(error: unknown): unknown {
    const { load } = this;
    const { nest } = this.applied.route;
    const failure = error instanceof AppError ? error.code : 'internal';
    this.publish({ outcome: 'ERROR', tier: 'none', failure }, statusOf(error));
    const isUnderWay = load !== undefined && (failure === 'deadline-exceeded' || load.reply.isLoading);
    const isApart = isUnderWay && load.reply.reachesFilters && !nest.isHandedOn && !nest.hasOwnFilters;
    if (isUnderWay && !isApart) load.reply.share();
    const reply = isApart ? load.reply.clientReply() : this.reply;
    reply.header('cache-status', cacheStatusOfError(this.applied.key, failure)).header('x-cache', 'MISS');
    // For exception filters of the application's, which do not know the cache's errors.
    const retryAfter = error instanceof AppError ? retryAfterOf(error) : undefined;
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    if (!isApart) throw error;
    void reply.send(error);
    return RESPONSE_ALREADY_SENT;
  }

  private publishSent(answer: StoredAnswer): typeof RESPONSE_ALREADY_SENT {
    this.publish(answer, answer.entry.status);
    return RESPONSE_ALREADY_SENT;
  }

  private publish(
    { outcome, tier, failure }: Pick<CacheEvent, 'outcome' | 'tier' | 'failure'>,
    status: number | undefined,
  ): void {
    const { upstream, key } = this.asked;
    const durationMs = performance.now() - this.startedAt;
    const event = { outcome, tier, upstream, key, status, durationMs, requestId: requestIdOf(this.request) };
    this.parts.events.publish(failure === undefined ? event : { ...event, failure });
  }

  /** The fields for the load's own client in addition to the stored ones. */
  private applyUnkept(reply: ClientReply): void {
    const { set, removed } = this.load?.fields ?? { set: {}, removed: [] };
    const unkept = Object.entries(set).filter(([name]) => name === 'set-cookie' || name === 'vary');
    applyFields(reply, { set: Object.fromEntries(unkept), removed });
  }

  /** Whether a load of this request runs on, or may: then the reply is the load's. */
  private isLoadUnderWay({ outcome, isRefreshing }: StoredAnswer): boolean {
    const { load } = this;
    return load !== undefined && (load.reply.isLoading || isRefreshing === true || outcome === 'STALE_ON_ERROR');
  }

  /** The client's, while no load runs. */
  private get reply(): ClientReply {
    return this.load?.reply.reply ?? clientReplyOf(this.response);
  }

  private get response(): object {
    return this.context.switchToHttp().getResponse<object>();
  }
}

/** Whether the request's own load produced the answer, not one that it joined. */
function isOfOwnLoad({ outcome }: StoredAnswer): boolean {
  return outcome === 'MISS' || outcome === 'BYPASS';
}
