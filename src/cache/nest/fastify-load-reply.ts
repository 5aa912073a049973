import type { FastifyReply } from 'fastify';
import type { ClientReply, Fields } from './client-reply';
import { ownFields, useFields } from './earlier-fields';
import { bodyOf } from '../values/stored-value';
import { withCharset } from './handler-response';
import { changesOf, LoadReply, type LoadFields, type Represented } from './load-reply';

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
  private readonly status: number;
  private readonly fields: Fields;
  private before: Fields = {};
  /** The load's side: the reply itself, or what stands for it when the reply shows the client's answer. */
  private side: FastifyReply | undefined;
  private other: FastifyReply | undefined;

  constructor(private readonly own: FastifyReply) {
    super(own.raw, own.request.raw);
    this.reply = own;
    this.status = own.statusCode;
    this.fields = ownFields(own);
  }

  get isLoading(): boolean {
    return this.side !== undefined;
  }

  begin(): void {
    const { own, raw } = this;
    this.sent = undefined;
    this.before = { ...raw.getHeaders(), ...this.fields };
    // Shared, the object is in use: a filter may still be about to send.
    this.side = this.isShared ? detachedReply(own) : own;
    use(this.side, this.responseApart(this.status, this.before), {});
    if (this.side === own) this.replace('send', this.onSend);
    if (raw.writableFinished) this.onAnswered();
    else raw.prependOnceListener('finish', this.onAnswered);
  }

  read(): LoadFields {
    const side = this.side ?? this.own;
    return changesOf(side.statusCode, this.before, side.raw.getHeaders(), ownFields(side));
  }

  /** JSON as Fastify makes it for the route: by its serializer or schema. */
  represent(value: unknown, named: string | undefined): Represented {
    const side = this.side ?? this.own;
    if (side.statusCode === 204) return { body: Buffer.alloc(0), type: undefined }; // RFC 9110 §15.3.5: "cannot contain content"
    const { body, type } = bodyOf(value, (plain) => side.serialize(plain) as string | undefined);
    return { body, type: named === undefined ? type : withCharset(named, type) };
  }

  end(): void {
    if (this.side === undefined) return;
    this.raw.removeListener('finish', this.onAnswered);
    this.showClient();
    this.side = undefined;
  }

  clientReply(): FastifyReply {
    if (this.other) return this.other;
    const { own, raw } = this;
    const Reply = own.constructor as new (...args: unknown[]) => FastifyReply;
    const other = new Reply(raw, own.request, own.log);
    // With what plugins keep on a reply, and Fastify its start time.
    use(Object.assign(other, own), raw, { ...this.fields });
    own.hijack(); // neither Nest nor Fastify answers by it
    this.other = other;
    return other;
  }

  share(): void {
    this.isShared = true;
    if (this.side !== undefined) this.detach();
  }

  /** The answer is out: hooks see it; what the handler sets from now on is the load's. */
  private readonly onAnswered = (): void => {
    const { own } = this;
    if (this.side === own) this.detach();
    const { side } = this;
    if (side === undefined) return;
    for (const name of SETTERS) {
      this.replace(name, (...args) => {
        (side[name] as (...args: unknown[]) => unknown)(...args);
        return own;
      });
    }
    this.replace('send', this.onSend);
  };

  private readonly onSend = (payload: unknown): FastifyReply => {
    // Fastify's own limit on handlers is for the client.
    if ((payload as { code?: unknown } | undefined)?.code === 'FST_ERR_HANDLER_TIMEOUT')
      void this.clientReply().send(payload);
    else this.sent ??= { payload };
    return this.own;
  };

  /** Moves the load to another object with the same response and fields. */
  private detach(): void {
    this.side = detachedReply(this.own);
    this.showClient();
  }

  private replace(name: (typeof REPLACED)[number], value: (...args: unknown[]) => unknown): void {
    Object.defineProperty(this.own, name, { value, configurable: true, writable: true });
  }

  private showClient(): void {
    const { own, other } = this;
    for (const name of REPLACED) Reflect.deleteProperty(own, name);
    use(own, this.raw, other ? ownFields(other) : this.fields);
  }
}

function use(reply: FastifyReply, raw: FastifyReply['raw'], fields: Fields): void {
  (reply as Mutable).raw = raw;
  useFields(reply, fields);
}

function detachedReply(reply: FastifyReply): FastifyReply {
  return Object.assign(Object.create(Object.getPrototypeOf(reply) as object) as FastifyReply, reply);
}
