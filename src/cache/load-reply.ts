import type { FastifyReply } from 'fastify';
import { ServerResponse } from 'node:http';
import { ownFields, useFields, type Fields } from './earlier-fields';

/** The fields that a handler, and the interceptors behind the cache, set on their reply during a load. */
export interface LoadFields {
  readonly status: number;
  /** The fields that the load has set, names in lower case. */
  readonly set: Fields;
  /** Fields that hooks, guards or middleware set before the load, if they are still set. */
  readonly before: Fields;
  /** Fields that the load has removed. */
  readonly removed: readonly string[];
}

type Mutable = { -readonly [Key in keyof FastifyReply]: FastifyReply[Key] };
/** Methods by which a handler changes the reply. */
const SETTERS = ['code', 'status', 'header', 'headers', 'removeHeader', 'type'] as const;
const REPLACED = [...SETTERS, 'send'] as const;

/**
 * Splits one reply in two: the load's and the client's.
 *
 * Nest hands one reply object to hooks, handler and exception filters. A load may continue after its client got a response (a stale one, a
 * 504), or its client may get another one (a 304), and the fields for this client (a request id that a hook set) do not belong to the
 * load. So while the load runs, the object is the load's: its fields and status go to a response without a connection. The client is
 * answered by `clientReply`, another reply object on the connection.
 *
 *   1. `begin`: the object gets a response of its own, with the fields that were set before
 *   2. the client must be answered before the load ends: `clientReply` is another object; hooks after the answer get the first
 *      one, so when the answer is sent it shows that answer, and fields that the handler sets later are recorded separately
 *   3. `end`: the load's fields are read, the object is the client's again
 *
 * Its one invariant: the load's fields reach the client only by `LoadFields`, and nothing of the client's reaches the load.
 */
export class LoadReply {
  /** The client's side while the load uses the object. */
  private readonly raw: FastifyReply['raw'];
  private readonly status: number;
  private readonly fields: Fields;
  private before: Fields = {};
  /** The load's side: the reply itself, or its substitute when the reply shows the client's answer. */
  private side: FastifyReply | undefined;
  private other: FastifyReply | undefined;
  private isShared = false;
  private sent: { readonly payload: unknown } | undefined;

  constructor(readonly reply: FastifyReply) {
    this.raw = reply.raw;
    this.status = reply.statusCode;
    this.fields = ownFields(reply);
  }

  get isLoading(): boolean {
    return this.side !== undefined;
  }

  /** Whether other code (a filter, Nest) answered by the same object while the load ran: the fields set then may belong to either. */
  get isAmbiguous(): boolean {
    return this.isShared;
  }

  /** Whether the client disconnected before it had its whole response. */
  get hasLostClient(): boolean {
    const { raw, reply } = this;
    return !raw.writableFinished && (raw.destroyed || reply.request.raw.socket.destroyed);
  }

  /** The payload that the handler itself has sent by its reply, if it did. */
  get sentByHandler(): { readonly payload: unknown } | undefined {
    return this.sent;
  }

  begin(): void {
    const { reply, raw } = this;
    this.sent = undefined;
    this.before = { ...raw.getHeaders(), ...this.fields };
    const ownResponse = new ServerResponse(reply.request.raw);
    ownResponse.statusCode = this.status;
    for (const [name, value] of Object.entries(this.before))
      if (value !== undefined) ownResponse.setHeader(name, value);
    // The object is shared: a filter may still be about to send.
    this.side = this.isShared ? detachedReply(reply) : reply;
    use(this.side, ownResponse, {});
    if (this.side === reply) this.replace('send', this.onSend);
    if (!raw.writableFinished) raw.prependOnceListener('finish', this.onAnswered);
    else this.onAnswered();
  }

  /** The fields that the load has set so far. */
  read(): LoadFields {
    const side = this.side ?? this.reply;
    const { before } = this;
    const now = side.raw.getHeaders() as Fields;
    const changed = Object.entries(now).filter(([name, value]) => value !== before[name]);
    const set = { ...Object.fromEntries(changed), ...ownFields(side) };
    const removed = Object.keys(before).filter((name) => now[name] === undefined && set[name] === undefined);
    return { status: side.statusCode, set, before, removed };
  }

  /** As Fastify does it for the route: its serializer or schema, or JSON. */
  serialise(value: unknown): string | undefined {
    return (this.side ?? this.reply).serialize(value) as string | undefined;
  }

  end(): void {
    if (this.side === undefined) return;
    this.raw.removeListener('finish', this.onAnswered);
    this.showClient();
    this.side = undefined;
  }

  /** The reply for the client while the load runs, or may begin at any time. */
  clientReply(): FastifyReply {
    if (this.other) return this.other;
    const { reply, raw } = this;
    const Reply = reply.constructor as new (...args: unknown[]) => FastifyReply;
    const other = new Reply(raw, reply.request, reply.log);
    // With the plugins' properties of a reply, and Fastify's start time.
    use(Object.assign(other, reply), raw, { ...this.fields });
    reply.hijack(); // neither Nest nor Fastify answers by it
    this.other = other;
    return other;
  }

  /** Returns the object to a filter for its answer, while the load continues. */
  share(): void {
    this.isShared = true;
    if (this.side === undefined) return;
    this.side = detachedReply(this.reply);
    this.showClient();
  }

  /** The response is sent: hooks see it; fields that the handler sets from now on belong to the load. */
  private readonly onAnswered = (): void => {
    const { reply } = this;
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
    // Fastify's own limit on handlers applies to the client.
    if ((payload as { code?: unknown } | undefined)?.code === 'FST_ERR_HANDLER_TIMEOUT')
      void this.clientReply().send(payload);
    else this.sent ??= { payload };
    return this.reply;
  };

  private replace(name: (typeof REPLACED)[number], value: (...args: unknown[]) => unknown): void {
    Object.defineProperty(this.reply, name, { value, configurable: true, writable: true });
  }

  private showClient(): void {
    const { reply } = this;
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
