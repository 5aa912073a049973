import { ServerResponse } from 'node:http';
import { ExpressReply } from './express-reply';
import {
  LoadReply,
  type ClientReply,
  type Fields,
  type LoadFields,
  type Represented,
  type SendValue,
} from './load-reply';

/** Methods by which a handler reads, sets and sends. */
const READERS = ['getHeader', 'getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'];
const SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'];
const SENDERS = ['writeHead', 'flushHeaders', 'write', 'end'];
const NO_BODY = Buffer.alloc(0);

type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

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
  /** The client's side: methods (a middleware such as compression has its own) and status. */
  private methods: Methods = {};
  private status: number;
  private restore: () => void = () => undefined;
  /** Whether the cache answers the client, at this moment. */
  private isAnswering = false;
  private isShared = false;
  private sent: { readonly payload: unknown } | undefined;
  private fields: LoadFields;

  constructor(private readonly response: ServerResponse) {
    super();
    this.status = response.statusCode;
    this.before = { ...response.getHeaders() };
    this.fields = { status: this.status, set: {}, before: this.before, removed: [] };
    this.reply = new ExpressReply(response, (act) => this.asClient(act));
  }

  get isLoading(): boolean {
    return this.apart !== undefined;
  }

  get isAmbiguous(): boolean {
    return this.isShared;
  }

  get hasLostClient(): boolean {
    const { response } = this;
    return !response.writableFinished && (response.destroyed || response.req.socket.destroyed);
  }

  get sentByHandler(): { readonly payload: unknown } | undefined {
    return this.sent;
  }

  begin(): void {
    this.sent = undefined;
    this.apart = this.responseWith(this.before, this.fields.status);
    this.replaceMembers(this.apart);
  }

  read(): LoadFields {
    const { apart, before } = this;
    if (!apart) return this.fields; // the handler has taken its client's response
    const now: Fields = apart.getHeaders();
    const set = Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== before[name]));
    const removed = Object.keys(before).filter((name) => now[name] === undefined);
    return { status: apart.statusCode, set, before, removed };
  }

  /** By Express itself, as Nest calls it: settings of the application (`json spaces`) count. */
  represent(value: unknown, type: string | undefined, send: SendValue): Represented {
    const response = this.responseWith(type === undefined ? {} : { 'content-type': type }, this.read().status);
    let body: Buffer = NO_BODY;
    response.end = ((chunk?: unknown, encoding?: BufferEncoding) => {
      body = bytesOf(chunk, encoding);
      return response;
    }) as ServerResponse['end'];
    send(response, value);
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
  private responseWith(fields: Fields, status: number): ServerResponse {
    const { response } = this;
    const made = new ServerResponse(response.req);
    Object.setPrototypeOf(made, Object.getPrototypeOf(response) as object);
    Object.assign(made, { locals: (response as { locals?: unknown }).locals });
    made.statusCode = status;
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) made.setHeader(name, value);
    return made;
  }

  private get isClientsTurn(): boolean {
    return this.isAnswering || this.isShared;
  }

  private get isSent(): boolean {
    const isSent: unknown = Reflect.get(ServerResponse.prototype, 'headersSent', this.response);
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
    const response = this.response as ServerResponse & Methods;
    const side = apart as ServerResponse & Methods;
    this.status = response.statusCode;
    this.methods = Object.fromEntries(
      [...READERS, ...SETTERS, ...SENDERS].map((name) => [name, response[name] as Method]),
    );
    const own = Object.entries(Object.getOwnPropertyDescriptors(response)).filter(([name]) => name in this.methods);
    const replace = (name: string, member: PropertyDescriptor): void =>
      void Object.defineProperty(response, name, { ...member, configurable: true });
    const call = (name: string, isClients: boolean, args: unknown[]): unknown => {
      const result = isClients ? this.methods[name]?.apply(response, args) : side[name]?.(...args);
      return result === side ? response : result;
    };
    for (const name of READERS) replace(name, { value: (...args: unknown[]) => call(name, this.readsClient, args) });
    for (const name of SETTERS) replace(name, { value: (...args: unknown[]) => call(name, this.setsClient, args) });
    for (const name of SENDERS)
      replace(name, {
        value: (...args: unknown[]) => (this.isClientsTurn ? call(name, true, args) : this.onSend(name, args)),
      });
    replace('headersSent', { get: () => this.isClientsTurn && this.isSent });
    replace('statusCode', {
      get: () => (this.readsClient ? this.status : side.statusCode),
      set: (status: number) => {
        if (this.setsClient) this.status = status;
        else side.statusCode = status;
      },
    });
    this.restore = () => {
      for (const name of [...Object.keys(this.methods), 'headersSent', 'statusCode'])
        Reflect.deleteProperty(response, name);
      for (const [name, member] of own) Object.defineProperty(response, name, member);
      response.statusCode = this.status;
    };
  }

  /** The handler sends by itself. */
  private onSend(name: string, args: unknown[]): unknown {
    const { apart, response } = this;
    if (!apart) return undefined;
    if (name === 'end') {
      this.sent ??= { payload: bytesOf(...(args as [unknown, BufferEncoding])) };
      return response;
    }
    if (name === 'writeHead') {
      setHead(apart, args);
      return response;
    }
    if (this.isSent) return true; // the client has its answer: this body has no reader
    // A body written in pieces is not stored: it is passed on to the client as it arrives.
    this.fields = this.read();
    this.sent = { payload: undefined };
    this.end();
    const { status, set, removed } = this.fields;
    response.statusCode = status;
    for (const one of removed) response.removeHeader(one);
    for (const [one, value] of Object.entries(set)) if (value !== undefined) response.setHeader(one, value);
    return (response as unknown as Methods)[name]?.(...args);
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
