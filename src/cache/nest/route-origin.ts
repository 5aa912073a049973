import type { CallHandler, ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom } from 'rxjs';
import type { Clock } from '../../kernel/clock';
import { closeLoad, enterCache, setLoadContext, type OpenLoad } from './cache-rule.decorator';
import { isOfFastify } from './client-reply';
import type { Validators } from '../model/cache-entry';
import type { Origin, OriginRequest, OriginResponse } from '../model/exchange';
import { valueOf } from '../law/fields';
import { loadTimedOut, within } from '../engine/within';
import { ExpressLoadReply } from './express-load-reply';
import { FastifyLoadReply } from './fastify-load-reply';
import { NotModified, rewrapped, valueIn, type HandlerResult } from './handler-answer';
import { isPlainData } from './handed-value';
import { responseOfError } from './handler-error';
import { NegativeAnswer, sharingOf, validationFields, type HandlerResponse } from './handler-response';
import type { LoadFields, LoadReply } from './load-reply';
import { routeFieldsOf } from './nest-pipeline';
import { neutralise } from './neutral-request';
import { PassedValue, releaseUnsent, whyPassed } from './passed-value';
import type { AppliedRule } from './route-rule.reader';

const NO_BODY = Buffer.alloc(0);

/** The dependencies of route origins. */
export interface RouteOriginParts {
  readonly responses: HandlerResponse;
  readonly clock: Clock;
  /** How long a handler may take, in milliseconds. */
  readonly loadTimeoutMs: number;
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
  /** Why the handler's values cannot be kept, once that is known. */
  whyPassed: string | undefined;
  private previous: Promise<unknown> = Promise.resolve();
  private open: OpenLoad | undefined;
  private isAbandoned = false;
  private hasLeft = false;

  constructor(
    private readonly context: ExecutionContext,
    private readonly next: CallHandler,
    private readonly applied: Pick<AppliedRule, 'rule' | 'way'>,
    private readonly parts: RouteOriginParts,
  ) {
    enterCache(this.request);
    this.reply = loadReplyOf(context.switchToHttp().getResponse<object>());
  }

  /** One load at a time: they have one reply. */
  readonly produce: Origin = (asked) => {
    const answered = this.previous.then(() => this.inTime(this.answer(asked)));
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
    closeLoad(this.request, this.open);
    if (this.reply.isLoading) this.reply.share();
  }

  get isLeft(): boolean {
    return this.hasLeft;
  }

  private get request(): FastifyRequest {
    return this.context.switchToHttp().getRequest<FastifyRequest>();
  }

  private async answer({ headers, isBackground, isNothingStored = false }: OriginRequest): Promise<OriginResponse> {
    const requestedAt = this.parts.clock.now();
    const { request } = this;
    // Left, an interceptor around may call the handler for itself: it could not use a 304.
    const validators = this.hasLeft ? undefined : validatorsIn(headers);
    const open = setLoadContext(request, { validators, isBackground, nothingStored: isNothingStored });
    this.open = open;
    this.passed = undefined;
    const restore = neutralise(request, this.applied.way.shape.method);
    this.reply.begin();
    try {
      const response = await this.respond(open);
      return { ...response, requestedAt, receivedAt: this.parts.clock.now() };
    } finally {
      this.reply.end();
      restore();
      closeLoad(request, open);
    }
  }

  private async respond(open: OpenLoad): Promise<HandlerResult> {
    const { rule, way } = this.applied;
    const routeFields = routeFieldsOf(this.context);
    let value: unknown;
    try {
      value = await this.parts.responses.negativeOf(() => this.callHandler(open), rule);
    } catch (error) {
      this.fields = undefined;
      const sharing = sharingOf(this.reply.read(), { vary: rule.vary, routeFields });
      return responseOfError(error, { hasLeft: this.reply.hasLostClient, filters: way.filters, sharing });
    }
    const fields = this.reply.read();
    this.fields = fields;
    if (value instanceof NotModified) {
      const { vary, isForOneClient } = sharingOf(fields, { vary: rule.vary, routeFields });
      const named = value.headers.map(([name, text]) => [name.toLowerCase(), text] as const);
      const headers = [...validationFields({ ...fields.set, vary }), ...named];
      return { status: 304, headers, body: NO_BODY, isUncacheable: isForOneClient };
    }
    this.passed = value instanceof NegativeAnswer ? undefined : this.passedValueOf(value, fields, open.isBackground);
    if (this.passed) return { status: fields.status, headers: [], body: NO_BODY, isUncacheable: true };
    return this.parts.responses.toResponse(value, {
      fields,
      reply: this.reply,
      isAmbiguous: way.mayTouchReply && this.reply.isAmbiguous,
      isHandedOn: way.isHandedOn,
      routeFields,
      isMarked: rule.hitFlagName !== undefined,
      vary: rule.vary,
    });
  }

  private async callHandler(open: OpenLoad): Promise<unknown> {
    return rewrapped(await lastValueFrom<unknown>(this.next.handle()), open);
  }

  /** Results that can be read only once, and results that Nest or Fastify treats specially, go to their own client unchanged. */
  private passedValueOf(value: unknown, fields: LoadFields, isBackground: boolean): PassedValue | undefined {
    const { sentByHandler } = this.reply;
    const plain = valueIn(value);
    this.whyPassed = sentByHandler ? 'it sends its answer by the reply' : this.whyNotKept(plain);
    if (this.whyPassed === undefined && !(plain instanceof Error)) return undefined;
    const passed = sentByHandler ? sentByHandler.payload : plain;
    if (isBackground || this.isAbandoned) releaseUnsent(passed);
    return new PassedValue(passed, fields, sentByHandler !== undefined);
  }

  private whyNotKept(plain: unknown): string | undefined {
    const why = whyPassed(plain);
    if (why !== undefined || !this.applied.way.isHandedOn || plain === undefined || isPlainData(plain)) return why;
    return 'an interceptor or hook around the cache gets what it returns, which JSON would change (a class instance, a date)';
  }

  /** The load, or its time-out: a handler that never answers keeps no request waiting. */
  private inTime(loading: Promise<OriginResponse>): Promise<OriginResponse> {
    return within(loading, this.parts.loadTimeoutMs, loadTimedOut);
  }
}

function loadReplyOf(reply: object): LoadReply {
  return isOfFastify(reply)
    ? new FastifyLoadReply(reply as FastifyReply)
    : new ExpressLoadReply(reply as FastifyReply['raw']);
}

/** The conditions that the cache asks by, as what is stored of the upstream's response. */
function validatorsIn(headers: OriginRequest['headers']): Validators | undefined {
  const etag = valueOf(headers, 'if-none-match');
  const lastModified = valueOf(headers, 'if-modified-since');
  if (etag === undefined && lastModified === undefined) return undefined;
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
}
