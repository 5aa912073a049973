import type { FastifyReply } from 'fastify';
import { ServerResponse } from 'node:http';
import { ownFields, useFields } from './earlier-fields';
import { bodyOf, withCharset } from './handler-response';
import { LoadReply, type ClientReply, type Fields, type LoadFields, type Represented } from './load-reply';

type Mutable = { -readonly [Key in keyof FastifyReply]: FastifyReply[Key] };
/** Methods by which a handler sets something. */
const SETTERS = ['code', 'status', 'header', 'headers', 'removeHeader', 'type'] as const;
const REPLACED = [...SETTERS, 'send'] as const;

/**
 * A load's reply on Fastify: the reply object is the load's, on a response without a connection, and the client is answered by another
 * reply object on the connection.
 */
export class FastifyLoadReply extends LoadReply {
  readonly reachesFilters = true;
  readonly reply: ClientReply;
  /** How the client's side is when it is not the load's turn. */
  private readonly raw: FastifyReply['raw'];
  private readonly status: number;
  private readonly fields: Fields;
  private before: Fields = {};
  /** The load's side: the reply itself, or what stands for it when the reply shows the client's answer. */
  private side: FastifyReply | undefined;
  private other: FastifyReply | undefined;
  private isShared = false;
  private sent: { readonly payload: unknown } | undefined;

  constructor(private readonly own: FastifyReply) {
    super();
    const reply = own;
    this.reply = own;
    this.raw = reply.raw;
    this.status = reply.statusCode;
    this.fields = ownFields(reply);
  }

  get isLoading(): boolean {
    return this.side !== undefined;
  }

  get isAmbiguous(): boolean {
    return this.isShared;
  }

  get hasLostClient(): boolean {
    const { raw, own: reply } = this;
    return !raw.writableFinished && (raw.destroyed || reply.request.raw.socket.destroyed);
  }

  get sentByHandler(): { readonly payload: unknown } | undefined {
    return this.sent;
  }

  begin(): void {
    const { own: reply, raw } = this;
    this.sent = undefined;
    this.before = { ...raw.getHeaders(), ...this.fields };
    const apart = new ServerResponse(reply.request.raw);
    apart.statusCode = this.status;
    for (const [name, value] of Object.entries(this.before)) if (value !== undefined) apart.setHeader(name, value);
    // Shared, the object is in use: a filter may still be about to send.
    this.side = this.isShared ? detachedReply(reply) : reply;
    use(this.side, apart, {});
    if (this.side === reply) this.replace('send', this.onSend);
    if (!raw.writableFinished) raw.prependOnceListener('finish', this.onAnswered);
    else this.onAnswered();
  }

  read(): LoadFields {
    const side = this.side ?? this.own;
    const { before } = this;
    const now = side.raw.getHeaders() as Fields;
    const changed = Object.entries(now).filter(([name, value]) => value !== before[name]);
    const set = { ...Object.fromEntries(changed), ...ownFields(side) };
    const removed = Object.keys(before).filter((name) => now[name] === undefined && set[name] === undefined);
    return { status: side.statusCode, set, before, removed };
  }

  /** JSON as Fastify makes it for the route: by its serializer or schema. */
  represent(value: unknown, named: string | undefined): Represented {
    const serialise = (plain: unknown): string | undefined =>
      (this.side ?? this.own).serialize(plain) as string | undefined;
    const { body, type } = bodyOf(value, serialise);
    return { body, type: named === undefined ? type : withCharset(named, type) };
  }

  end(): void {
    if (this.side === undefined) return;
    this.raw.removeListener('finish', this.onAnswered);
    this.showClient();
    this.side = undefined;
  }

  clientReply(): ClientReply {
    return this.fastifyReply();
  }

  private fastifyReply(): FastifyReply {
    if (this.other) return this.other;
    const { own: reply, raw } = this;
    const Reply = reply.constructor as new (...args: unknown[]) => FastifyReply;
    const other = new Reply(raw, reply.request, reply.log);
    // With what plugins keep on a reply, and Fastify its start time.
    use(Object.assign(other, reply), raw, { ...this.fields });
    reply.hijack(); // neither Nest nor Fastify answers by it
    this.other = other;
    return other;
  }

  share(): void {
    this.isShared = true;
    if (this.side === undefined) return;
    this.side = detachedReply(this.own);
    this.showClient();
  }

  /** The answer is out: hooks see it; what the handler sets from now on is the load's. */
  private readonly onAnswered = (): void => {
    const { own: reply } = this;
    if (this.side === reply) {
      this.side = detachedReply(reply);
      this.showClient();
    }
    const { side } = this;
    if (side === undefined) return;
    for (const name of SETTERS) {
      this.replace(name, (...args) => {
        (side[name] as (...args: unknown[]) => unknown)(...args);
        return reply;
      });
    }
    this.replace('send', this.onSend);
  };

  private readonly onSend = (payload: unknown): FastifyReply => {
    // Fastify's own limit on handlers is for the client.
    if ((payload as { code?: unknown } | undefined)?.code === 'FST_ERR_HANDLER_TIMEOUT')
      void this.fastifyReply().send(payload);
    else this.sent ??= { payload };
    return this.own;
  };

  private replace(name: (typeof REPLACED)[number], value: (...args: unknown[]) => unknown): void {
    Object.defineProperty(this.own, name, { value, configurable: true, writable: true });
  }

  private showClient(): void {
    const { own: reply } = this;
    for (const name of REPLACED) Reflect.deleteProperty(reply, name);
    use(reply, this.raw, this.other ? ownFields(this.other) : this.fields);
  }
}

function use(reply: FastifyReply, raw: FastifyReply['raw'], fields: Fields): void {
  (reply as Mutable).raw = raw;
  useFields(reply, fields);
}

/** Another object with the same response and fields. */
function detachedReply(reply: FastifyReply): FastifyReply {
  return Object.assign(Object.create(Object.getPrototypeOf(reply) as object) as FastifyReply, reply);
}
