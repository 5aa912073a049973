import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable, Writable, pipeline } from 'node:stream';

/*
 * The request and the reply that Nest hands over are the framework's own: Fastify's are wrappers around those of node, Express's
 * are those of node. What the cache needs of them is here.
 */

type IncomingMessage = FastifyRequest['raw'];
type ServerResponse = FastifyReply['raw'];
export type Fields = Readonly<ReturnType<ServerResponse['getHeaders']>>;
export type FieldValue = number | string | string[];

/** What the cache needs of a reply. Fastify's is one as it is; Express's gets a wrapper. */
export interface ClientReply {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  getHeader(name: string): FieldValue | undefined;
  header(name: string, value: FieldValue): this;
  headers(fields: Readonly<Record<string, FieldValue | undefined>>): this;
  removeHeader(name: string): this;
  code(status: number): this;
  send(payload?: unknown): unknown;
}

type ExpressRequest = IncomingMessage & { readonly baseUrl: string; readonly host?: string };

/** @param reply what Nest calls the response */
export function clientReplyOf(reply: object): ClientReply {
  return isOfFastify(reply) ? (reply as unknown as ClientReply) : new ExpressReply(reply as ServerResponse);
}

export function rawRequestOf(request: object): IncomingMessage {
  return isOfFastify(request) ? (request as FastifyRequest).raw : (request as IncomingMessage);
}

/**
 * Host, path and query that lead to the handler: a middleware may have changed the URL that the client sent. The host as it is written: a handler
 * that reads it in another case may find no such tenant, and others would get that answer.
 */
export function targetOf(request: object): string {
  // An Express router moves its own path from `url` to `baseUrl`.
  const { host = '', baseUrl = '', url = '' } = request as Partial<ExpressRequest>;
  return `//${host}${baseUrl}${url}`;
}

/** Fastify numbers its requests; on Express a middleware may. */
export function requestIdOf(request: object): string {
  const { id } = request as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? String(id) : '';
}

export function isOfFastify(one: object): boolean {
  return (one as { raw?: unknown }).raw !== undefined;
}

/** Runs a function with the client's own methods on the response object, which a load may have replaced. */
export type AsClient = <T>(act: () => T) => T;

const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/**
 * A reply on Express. It sends the bytes unchanged: Express's own `send` would compute another entity tag and evaluate the request's
 * conditions again.
 */
export class ExpressReply implements ClientReply {
  constructor(
    readonly raw: ServerResponse,
    private readonly asClient: AsClient = (act) => act(),
  ) {}

  get statusCode(): number {
    return this.asClient(() => this.raw.statusCode);
  }

  getHeader(name: string): FieldValue | undefined {
    return this.asClient(() => this.raw.getHeader(name));
  }

  header(name: string, value: FieldValue): this {
    this.asClient(() => this.raw.setHeader(name, value));
    return this;
  }

  headers(fields: Readonly<Record<string, FieldValue | undefined>>): this {
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) this.header(name, value);
    return this;
  }

  removeHeader(name: string): this {
    this.asClient(() => this.raw.removeHeader(name));
    return this;
  }

  code(status: number): this {
    this.asClient(() => (this.raw.statusCode = status));
    return this;
  }

  /** @param payload bytes, text, a stream, or nothing */
  send(payload?: unknown): this {
    const { raw } = this;
    if (payload instanceof Readable && !BODILESS.has(this.statusCode)) {
      this.pipe(payload);
      return this;
    }
    const body = typeof payload === 'string' ? Buffer.from(payload) : Buffer.isBuffer(payload) ? payload : undefined;
    this.asClient(() => {
      if (!BODILESS.has(raw.statusCode)) raw.setHeader('content-length', body?.length ?? 0);
      raw.end(body);
    });
    return this;
  }

  /** As `pipe`, by which a load's methods would be called. */
  private pipe(body: Readable): void {
    const { raw, asClient } = this;
    const sink = new Writable({
      write: (piece: Buffer, _encoding, done) => {
        if (asClient(() => raw.write(piece))) done();
        else raw.once('drain', () => done());
      },
      final: (done) => {
        asClient(() => raw.end());
        done();
      },
    });
    raw.once('close', () => sink.destroy());
    pipeline(body, sink, () => undefined);
  }
}
