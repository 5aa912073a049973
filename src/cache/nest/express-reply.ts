import type { FastifyReply } from 'fastify';
import { Readable, Writable, pipeline } from 'node:stream';
import type { ClientReply, FieldValue } from './load-reply';

type ServerResponse = FastifyReply['raw'];

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
