import { ServerResponse } from 'node:http';
import { ExpressReply, type ClientReply, type Fields } from './client-reply';
import { applyFields, changesOf, LoadReply, type LoadFields, type Represented } from './load-reply';
import { replaceProperty } from './replace-property';

/** Methods by which a handler reads, sets and sends. */
const READERS = ['getHeader', 'getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'];
const SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'];
const SENDERS = ['writeHead', 'flushHeaders', 'write', 'end'];
const NO_BODY = Buffer.alloc(0);

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Sends a value by a response of Express's, as Nest does. */
export type SendValue = (response: object, value: unknown) => unknown;

/**
 * A load's reply on Express, whose response object is the client's connection itself. While a load runs, the methods of the object are
 * replaced by those of a response without a connection; before the client is answered, the original methods are put back.
 */
export class ExpressLoadReply extends LoadReply {
  readonly reply: ClientReply;
  readonly reachesFilters = false;
  private readonly before: Fields;
  /** The load's side, while it runs. */
  private apart: ServerResponse | undefined;
  /** The client's status. */
  private status: number;
  private restore: () => void = () => undefined;
  /** Whether the cache answers the client, at this moment. */
  private isAnswering = false;
  private fields: LoadFields;

  constructor(
    response: ServerResponse,
    private readonly sendValue: SendValue,
  ) {
    super(response, response.req);
    this.status = response.statusCode;
    this.before = { ...response.getHeaders() };
    this.fields = { status: this.status, set: {}, before: this.before, removed: [] };
    this.reply = new ExpressReply(response, (act) => this.asClient(act));
  }

  get isLoading(): boolean {
    return this.apart !== undefined;
  }

  begin(): void {
    this.sent = undefined;
    this.apart = this.responseWith(this.fields.status, this.before);
    this.replaceMembers(this.apart);
  }

  read(): LoadFields {
    const { apart, before } = this;
    // Without it, the handler has taken its client's response.
    return apart ? changesOf(apart.statusCode, before, apart.getHeaders()) : this.fields;
  }

  /** By Express itself, as Nest calls it: settings of the application (`json spaces`) count. */
  represent(value: unknown, type: string | undefined): Represented {
    const response = this.responseWith(this.read().status, type === undefined ? {} : { 'content-type': type });
    // As for GET: of a HEAD Express would end the response without the bytes whose length and tag HEAD tells (RFC 9110 §9.3.2).
    const request = Object.create(response.req, { method: { value: 'GET' } }) as object;
    Object.assign(response, { req: request });
    let body: Buffer = NO_BODY;
    response.end = ((chunk?: unknown, encoding?: BufferEncoding) => {
      body = bytesOf(chunk, encoding);
      return response;
    }) as ServerResponse['end'];
    this.sendValue(response, value);
    return { body, type: response.getHeader('content-type')?.toString() };
  }

  end(): void {
    if (!this.apart) return;
    this.apart = undefined;
    this.restore();
  }

  clientReply(): ClientReply {
    return this.reply;
  }

  share(): void {
    this.isShared = true;
  }

  private asClient<T>(act: () => T): T {
    const outer = this.isAnswering;
    this.isAnswering = true;
    try {
      return act();
    } finally {
      this.isAnswering = outer;
    }
  }

  /** Without a connection, and otherwise as Express makes its own. */
  private responseWith(status: number, fields: Fields): ServerResponse {
    const made = this.responseApart(status, fields);
    Object.setPrototypeOf(made, Object.getPrototypeOf(this.raw) as object);
    return Object.assign(made, { locals: (this.raw as { locals?: unknown }).locals });
  }

  private get isClientsTurn(): boolean {
    return this.isAnswering || this.isShared;
  }

  private get isSent(): boolean {
    const isSent: unknown = Reflect.get(ServerResponse.prototype, 'headersSent', this.raw);
    return isSent === true;
  }

  /** Whether fields are read from the client's response: hooks that run after it has been sent read its fields. */
  private get readsClient(): boolean {
    return this.isClientsTurn || this.isSent;
  }

  /** Whether fields are set on the client's response: a field set after that has been sent belongs to the load. */
  private get setsClient(): boolean {
    return this.isClientsTurn && !this.isSent;
  }

  private replaceMembers(apart: ServerResponse): void {
    const response = this.raw as ServerResponse & Methods;
    const side = apart as ServerResponse & Methods;
    const restorers: (() => void)[] = [];
    const replace = (name: string, member: PropertyDescriptor): void =>
      void restorers.push(replaceProperty(response, name, member));
    const replaceMethods = (
      names: readonly string[],
      isForClient: () => boolean,
      forLoad: (name: string, args: unknown[]) => unknown,
    ): void => {
      for (const name of names) {
        const original = response[name] as Methods[string]; // a middleware such as compression has its own
        const value = (...args: unknown[]): unknown =>
          isForClient() ? original.apply(response, args) : forLoad(name, args);
        replace(name, { value });
      }
    };
    const onSide = (name: string, args: unknown[]): unknown => {
      const result = side[name]?.(...args);
      return result === side ? response : result;
    };
    this.status = response.statusCode;
    replaceMethods(READERS, () => this.readsClient, onSide);
    replaceMethods(SETTERS, () => this.setsClient, onSide);
    replaceMethods(
      SENDERS,
      () => this.isClientsTurn,
      (name, args) => this.onSend(name, args),
    );
    replace('headersSent', { get: () => this.isClientsTurn && this.isSent });
    replace('statusCode', {
      get: () => (this.readsClient ? this.status : side.statusCode),
      set: (status: number) => {
        if (this.setsClient) this.status = status;
        else side.statusCode = status;
      },
    });
    this.restore = () => {
      for (const restore of restorers) restore();
      response.statusCode = this.status;
    };
  }

  /** The handler sends by itself. */
  private onSend(name: string, args: unknown[]): unknown {
    const { apart, raw } = this;
    if (!apart) return undefined;
    if (name === 'end') {
      this.sent ??= { payload: bytesOf(...(args as [unknown, BufferEncoding])) };
      return raw;
    }
    if (name === 'writeHead') {
      setHead(apart, args);
      return raw;
    }
    if (this.isSent) return true; // the client has its answer: this body has no reader
    // A body written in pieces is not stored: it is passed on to the client as it arrives.
    this.fields = this.read();
    this.sent = { payload: undefined };
    this.end();
    applyFields(this.reply, this.fields);
    this.reply.code(this.fields.status);
    return (raw as unknown as Methods)[name]?.(...args);
  }
}

function bytesOf(chunk: unknown, encoding?: BufferEncoding): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8');
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : NO_BODY;
}

/** As `writeHead(status, message?, fields?)`; fields may be a flat list. */
function setHead(response: ServerResponse, [status, ...more]: unknown[]): void {
  response.statusCode = Number(status);
  const fields = more.find((one) => typeof one === 'object' && one !== null);
  if (fields === undefined) return;
  const pairs = Array.isArray(fields)
    ? fields.flatMap((name, at) => (at % 2 === 0 ? [[String(name), fields[at + 1] as string] as const] : []))
    : Object.entries(fields as Record<string, string>);
  for (const [name, value] of pairs) response.setHeader(name, value);
}
