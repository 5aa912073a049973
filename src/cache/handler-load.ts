import type { CallHandler, ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom } from 'rxjs';
import { closeLoad, enterCache, setLoadContext, type OpenLoad } from './cache-rule.decorator';
import type { Load, LoadContext, Loaded } from './core/load';
import { DeclinedLoad } from './core/load';
import { NotModified, rewrapped, valueIn } from './handler-answer';
import { isPlainData } from './handed-value';
import { toLoadError } from './handler-error';
import { NegativeAnswer, type HandlerResponse } from './handler-response';
import { LoadReply, type LoadFields } from './load-reply';
import { routeFieldsOf } from './nest-pipeline';
import { neutralise } from './neutral-request';
import { PassedValue, releaseUnsent, whyPassed } from './passed-value';
import type { AppliedRule } from './route-rule.reader';

/**
 * The handler of one request as a load of the cache: it gets a request without this client's conditions and a reply of its own
 * (`LoadReply`), so that what it returns and sets is right for every client.
 */
export class HandlerLoad {
  readonly reply: LoadReply;
  /** What the last load has set. */
  fields: LoadFields | undefined;
  /** What the last load brought that is not for the cache: an error, or a value to pass on. */
  declined: unknown;
  /** What the last load has thrown, where that is kept: its class is not. */
  thrown: unknown;
  /** Why the handler's values cannot be kept, once that is known. */
  whyPassed: string | undefined;
  private previous: Promise<unknown> = Promise.resolve();
  private open: OpenLoad | undefined;
  private isAbandoned = false;
  private hasLeft = false;

  constructor(
    private readonly context: ExecutionContext,
    private readonly next: CallHandler,
    private readonly responses: HandlerResponse,
    private readonly applied: Pick<AppliedRule, 'rule' | 'way'>,
  ) {
    enterCache(context.switchToHttp().getRequest<FastifyRequest>());
    this.reply = new LoadReply(context.switchToHttp().getResponse<FastifyReply>());
  }

  /** One at a time: they have one reply. */
  readonly run: Load = (load) => {
    const loaded = this.previous.then(() => this.load(load));
    this.previous = loaded.catch(() => undefined);
    return loaded;
  };

  /** Nobody takes what the load may still bring. */
  abandon(): void {
    this.isAbandoned = true;
  }

  /** The request is answered otherwise: the reply is not the load's any more. */
  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.abandon();
    closeLoad(this.context.switchToHttp().getRequest(), this.open);
    if (this.reply.isLoading) this.reply.share();
  }

  get isLeft(): boolean {
    return this.hasLeft;
  }

  private async load({ validators, isBackground, isFirst }: LoadContext): Promise<Loaded> {
    const request = this.context.switchToHttp().getRequest<FastifyRequest>();
    const { rule, way } = this.applied;
    // Left, an interceptor around may call the handler for itself: it could not use a 304.
    const open = setLoadContext(request, { validators: this.hasLeft ? undefined : validators, isBackground, isFirst });
    this.open = open;
    const restore = neutralise(request, way.shape.method);
    this.reply.begin();
    try {
      const value = await this.valueOf(open);
      if (value instanceof NotModified) return { kind: 'not-modified', headers: value.headers };
      this.fields = this.reply.read();
      if (value instanceof NegativeAnswer) this.thrown = value.error;
      else this.declineUnkeepable(value, this.fields, isBackground);
      return this.responses.toLoaded(value, {
        fields: this.fields,
        serialise: (plain) => this.reply.serialise(plain),
        isAmbiguous: way.mayTouchReply && this.reply.isAmbiguous,
        isHandedOn: way.isHandedOn,
        routeFields: routeFieldsOf(this.context),
        isMarked: rule.marker !== undefined,
        isKeyed: rule.key !== undefined,
      });
    } finally {
      this.reply.end();
      restore();
      closeLoad(request, open);
    }
  }

  private async valueOf(open: OpenLoad): Promise<unknown> {
    try {
      return await this.responses.negativeOf(
        async () =>
          rewrapped(await lastValueFrom<unknown, unknown>(this.next.handle(), { defaultValue: undefined }), open),
        this.applied.rule,
      );
    } catch (error) {
      const { filters } = this.applied.way;
      const failure = toLoadError(error, { hasLeft: this.reply.hasLostClient, filters });
      if (failure instanceof DeclinedLoad) this.declined = failure.result;
      throw failure;
    }
  }

  private whyNotKept(plain: unknown): string | undefined {
    const why = whyPassed(plain);
    if (why !== undefined || !this.applied.way.isHandedOn || plain === undefined || isPlainData(plain)) return why;
    return 'an interceptor or hook around the cache gets what it returns, which JSON would change (a class instance, a date)';
  }

  /** @throws DeclinedLoad for what can be read only once, and what Nest or Fastify takes for more than a value */
  private declineUnkeepable(value: unknown, fields: LoadFields, isBackground: boolean): void {
    const { sentByHandler } = this.reply;
    const plain = valueIn(value);
    this.whyPassed = sentByHandler ? 'it sends its answer by the reply' : this.whyNotKept(plain);
    if (this.whyPassed === undefined && !(plain instanceof Error)) return;
    const passed = sentByHandler ? sentByHandler.payload : plain;
    if (isBackground || this.isAbandoned) releaseUnsent(passed);
    this.declined = new PassedValue(passed, fields, sentByHandler !== undefined);
    throw new DeclinedLoad(this.declined, false, false);
  }
}
