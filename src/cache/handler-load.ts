import type { CallHandler, ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom } from 'rxjs';
import { setLoadContext, type RouteRule } from './cache-rule.decorator';
import type { Load, LoadContext, Loaded } from './core/load';
import { NotModified } from './handler-answer';
import type { HandlerResponse } from './handler-response';
import { LoadReply, type LoadFields } from './load-reply';
import { routeFieldsOf } from './nest-pipeline';
import { neutralise } from './neutral-request';

/**
 * The handler of one request as a load of the cache: it gets a request without this client's conditions and a reply of its own
 * (`LoadReply`), so that what it returns and sets is right for every client.
 */
export class HandlerLoad {
  readonly reply: LoadReply;
  /** What the last load has set. */
  fields: LoadFields | undefined;
  private previous: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly context: ExecutionContext,
    private readonly next: CallHandler,
    private readonly responses: HandlerResponse,
    private readonly rule: RouteRule,
  ) {
    this.reply = new LoadReply(context.switchToHttp().getResponse<FastifyReply>());
  }

  /** One at a time: they have one reply. */
  readonly run: Load = (load) => {
    const loaded = this.previous.then(() => this.load(load));
    this.previous = loaded.catch(() => undefined);
    return loaded;
  };

  private async load({ validators, isBackground, isFirst }: LoadContext): Promise<Loaded> {
    const request = this.context.switchToHttp().getRequest<FastifyRequest>();
    const { marker, key } = this.rule;
    setLoadContext(request, { validators, isBackground, isFirst });
    const restore = neutralise(request);
    this.reply.begin();
    try {
      const value: unknown = await this.responses.negativeOf(() =>
        lastValueFrom<unknown, unknown>(this.next.handle(), { defaultValue: undefined }),
      );
      if (value instanceof NotModified) return { kind: 'not-modified', headers: value.headers };
      const fields = (this.fields = this.reply.read());
      return this.responses.toLoaded(value, {
        fields,
        isAmbiguous: this.reply.isAmbiguous,
        routeFields: routeFieldsOf(this.context),
        isMarked: marker !== undefined,
        isKeyed: key !== undefined,
      });
    } finally {
      this.reply.end();
      restore();
    }
  }
}
