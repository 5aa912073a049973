import { Inject, Injectable, type CallHandler } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { lastValueFrom } from 'rxjs';
import { Clock } from '../../kernel/clock';
import { loadTimedOut, within } from '../../kernel/within';
import { valueOf } from '../law/fields';
import { validatorsFrom, type Validators } from '../model/cache-entry';
import type { Origin, OriginRequest, OriginResponse } from '../model/exchange';
import { closeLoad, enterCache, setLoadContext, type OpenLoad } from './cache-rule.decorator';
import { isOfFastify } from './client-reply';
import { ExpressLoadReply, type SendValue } from './express-load-reply';
import { FastifyLoadReply } from './fastify-load-reply';
import { isPlainData } from '../values/handed-value';
import { NotModified, valueIn, type HandlerResult } from './handler-answer';
import { ONE_REQUESTS_REDIRECT, responseOfError } from './handler-error';
import { responseOfValidation, responseOfValue, sharingOf } from './handler-response';
import { rewrapped } from './handler-unwrapper';
import type { LoadFields, LoadReply } from './load-reply';
import { releaseUnsent, whyPassed } from './passed-value';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import type { RouteRequest } from './route-request';

interface RouteOriginParts {
  readonly clock: Clock;
  readonly loadTimeoutMs: number;
  readonly sendValue: SendValue;
}

/** Makes an origin for each request that may load. */
@Injectable()
export class RouteOrigins {
  private readonly parts: RouteOriginParts;

  constructor(
    clock: Clock,
    adapterHost: HttpAdapterHost,
    @Inject(RESPONSE_CACHE_OPTIONS) { loadTimeoutMs }: Pick<ResponseCacheModuleOptions, 'loadTimeoutMs'>,
  ) {
    const sendValue: SendValue = (response, value): unknown => adapterHost.httpAdapter.reply(response, value);
    this.parts = { clock, loadTimeoutMs, sendValue };
  }

  /** @param reply what Nest calls the response */
  of(asked: RouteRequest, reply: object, next: CallHandler): RouteOrigin {
    return new RouteOrigin(asked, reply, next, this.parts);
  }
}

/** A handler's result that the cache cannot store: it goes to the client unchanged. */
export interface PassedValue {
  readonly value: unknown;
  /** Whether the handler has sent it by its reply. */
  readonly isSent: boolean;
  /** Why the handler's values cannot be kept, if it is known. */
  readonly why: string | undefined;
}

/**
 * The handler of one request as an origin of the cache: it gets a request without this client's conditions and a reply of its own
 * (`LoadReply`), so that what it returns and sets is right for every client.
 */
export class RouteOrigin {
  readonly reply: LoadReply;
  /** The fields that the last load has set. */
  fields: LoadFields | undefined;
  /** The last load's result, if the cache cannot store it. */
  passed: PassedValue | undefined;
  private previous: Promise<unknown> = Promise.resolve();
  private open: OpenLoad | undefined;
  private isAbandoned = false;
  private hasLeft = false;

  constructor(
    private readonly asked: RouteRequest,
    reply: object,
    private readonly next: CallHandler,
    private readonly parts: RouteOriginParts,
  ) {
    enterCache(asked.request);
    this.reply = isOfFastify(reply)
      ? new FastifyLoadReply(reply as FastifyReply)
      : new ExpressLoadReply(reply as FastifyReply['raw'], parts.sendValue);
  }

  /** One load at a time: they have one reply. A handler that never answers keeps no request waiting. */
  readonly produce: Origin = (request) => {
    const { loadTimeoutMs } = this.parts;
    const answered = this.previous.then(() => within(this.load(request), loadTimeoutMs, loadTimedOut));
    this.previous = answered.catch(() => undefined);
    return answered;
  };

  /** No request takes what the load may still bring. */
  abandon(): void {
    this.isAbandoned = true;
  }

  /** The request is answered otherwise: the reply is not the load's any more. */
  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.abandon();
    closeLoad(this.asked.request, this.open);
    if (this.reply.isLoading) this.reply.share();
  }

  get isLeft(): boolean {
    return this.hasLeft;
  }

  private async load({ headers, isBackground, isNothingStored = false }: OriginRequest): Promise<OriginResponse> {
    const { asked, parts } = this;
    const requestedAt = parts.clock.now();
    // Left, an interceptor around may call the handler for itself: it could not use a 304.
    const validators = this.hasLeft ? undefined : validatorsIn(headers);
    const open = setLoadContext(asked.request, { validators, isBackground, nothingStored: isNothingStored });
    this.open = open;
    this.passed = undefined;
    this.fields = undefined;
    const restore = asked.neutralise();
    this.reply.begin();
    try {
      const response = await this.respond(open);
      return { ...response, requestedAt, receivedAt: parts.clock.now() };
    } finally {
      this.reply.end();
      restore();
      closeLoad(asked.request, open);
    }
  }

  private async respond(open: OpenLoad): Promise<HandlerResult> {
    const { reply, next } = this;
    const { route } = this.asked.applied;
    let value: unknown;
    try {
      value = rewrapped(await lastValueFrom<unknown>(next.handle()), open);
    } catch (error) {
      return this.respondError(error);
    }
    const fields = reply.read();
    this.fields = fields;
    const sharing = sharingOf(fields, route);
    if (value instanceof NotModified) return responseOfValidation(value, { fields, sharing });
    // A status that the handler sets confirms nothing stored: for the cache its 304 is a redirect of this request.
    const status = fields.status === 304 ? ONE_REQUESTS_REDIRECT : fields.status;
    this.passed = this.passedValueOf(value, open.isBackground, status !== fields.status);
    if (this.passed) return { status, headers: [], body: Buffer.alloc(0), isUncacheable: true };
    return responseOfValue(value, { route, reply, fields, sharing });
  }

  private respondError(error: unknown): HandlerResult {
    const { rule, nest } = this.asked.applied.route;
    const { hasLostClient } = this.reply;
    // "Not found" of a resource is the upstream's, and stored as the gateway stores it.
    const keepsNegatives = rule.negativeTtlMs === undefined ? rule.resource !== undefined : rule.negativeTtlMs > 0;
    const fields = this.reply.read();
    const response = responseOfError(error, {
      ...{ nest, hasLostClient, keepsNegatives },
      sharing: sharingOf(fields, { rule, nest }),
    });
    this.fields = fields;
    return response;
  }

  /** Results that can be read only once, and results that Nest or Fastify treats specially, go to their own client unchanged. */
  private passedValueOf(value: unknown, isBackground: boolean, isNotModified: boolean): PassedValue | undefined {
    const { sentByHandler } = this.reply;
    const plain = valueIn(value);
    const why = sentByHandler ? 'it sends its answer by the reply' : this.whyNotKept(plain);
    if (why === undefined && !isNotModified && !(plain instanceof Error)) return undefined;
    const passed = sentByHandler ? sentByHandler.payload : plain;
    if (isBackground || this.isAbandoned) releaseUnsent(passed);
    return { value: passed, isSent: sentByHandler !== undefined, why };
  }

  private whyNotKept(plain: unknown): string | undefined {
    const why = whyPassed(plain);
    const { isHandedOn } = this.asked.applied.route.nest;
    if (why !== undefined || !isHandedOn || plain === undefined || isPlainData(plain)) return why;
    return 'an interceptor or hook around the cache gets what it returns, which JSON would change (a class instance, a date)';
  }
}

/** The conditions that the cache asks by, as what is stored of the upstream's response. */
function validatorsIn(headers: OriginRequest['headers']): Validators | undefined {
  const etag = valueOf(headers, 'if-none-match');
  const lastModified = valueOf(headers, 'if-modified-since');
  if (etag === undefined && lastModified === undefined) return undefined;
  return validatorsFrom(etag, lastModified);
}
