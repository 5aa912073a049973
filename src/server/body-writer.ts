import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { AppError } from '../kernel/app-error';
import type { ClientConnection } from './client-connection';

/** Larger bodies are written in pieces of this size, each when the client has taken the one before. */
export const PIECE_BYTES = 131_072;
/** The limit of all bodies being written, in bytes; a body that several clients read counts once. */
const MAX_HELD_BYTES = 134_217_728;
const PATIENCE_MS = 2_000;

/** Whether the body is sent in pieces: then it must be admitted first. */
export function isLargeBody(body: unknown): body is Buffer {
  return Buffer.isBuffer(body) && body.length > PIECE_BYTES;
}

interface Writing {
  readonly client: ClientConnection;
  /** When the client last took a piece (`performance.now()`). */
  movedAt: number;
  readonly end: () => void;
}

/**
 * Writes large bodies from memory, no faster than their clients read.
 *
 * Its one invariant: all of them together stay within the limit, however many clients do not read. It leaves the deadline for a client
 * that reads nothing at all to `StalledClients`.
 */
export class BodyWriter {
  private readonly writing = new Set<Writing>();
  /** How many responses read each body, by its memory. */
  private readonly readers = new Map<ArrayBufferLike, number>();
  private held = 0;

  constructor(
    private readonly maxHeldBytes = MAX_HELD_BYTES,
    /** How long a client may read nothing before its connection may be closed for others, in milliseconds. */
    public patienceMs = PATIENCE_MS,
  ) {}

  /** The memory of the bodies under way, in bytes. */
  get heldBytes(): number {
    return this.held;
  }

  /** Whether there is room for the body. If not, connections that read nothing lately are closed, the longest-idle first. */
  hasRoomFor(body: Buffer): boolean {
    if (this.readers.has(body.buffer) || this.fits(body)) return true;
    const since = performance.now() - this.patienceMs;
    const idle = [...this.writing].filter(({ movedAt }) => movedAt < since).sort((a, b) => a.movedAt - b.movedAt);
    for (const { client, end } of idle) {
      end();
      client.disconnect();
      if (this.fits(body)) return true;
    }
    return false;
  }

  /** @throws AppError `overloaded`, before anything is written */
  requireRoomFor(body: Buffer): void {
    if (this.hasRoomFor(body)) return;
    const message = 'Too many large responses are waiting for clients that read slowly. Try again shortly.';
    throw new AppError('overloaded', message, { retryAfterMs: 1_000 });
  }

  /** Writes the body, behind a head that has been written or set, and ends the response. */
  write(client: ClientConnection, response: FastifyReply['raw'], body: Buffer): Promise<void> {
    const writing = this.begin(client, body);
    return this.writePieces(writing, response, body).finally(writing.end);
  }

  /** The body for a framework that sends it: counted as by `write`, and in pieces, so that reading clients are recognised. */
  stream(client: ClientConnection, body: Buffer): Readable {
    const writing = this.begin(client, body);
    void client.ended().finally(writing.end);
    let at = 0;
    return new Readable({
      highWaterMark: PIECE_BYTES,
      read() {
        writing.movedAt = performance.now();
        this.push(body.subarray(at, at + PIECE_BYTES));
        at += PIECE_BYTES;
        if (at >= body.length) this.push(null);
      },
    });
  }

  private async writePieces(writing: Writing, response: FastifyReply['raw'], body: Buffer): Promise<void> {
    const { client } = writing;
    for (let at = 0; at < body.length; at += PIECE_BYTES) {
      const piece = body.subarray(at, at + PIECE_BYTES);
      const isLast = at + PIECE_BYTES >= body.length;
      if (isLast) response.end(piece);
      else if (!response.write(piece)) await client.drained();
      if (client.hasEnded) return;
      writing.movedAt = performance.now();
    }
    await client.ended();
  }

  private begin(client: ClientConnection, body: Buffer): Writing {
    const memory = body.buffer;
    const readers = this.readers.get(memory) ?? 0;
    if (readers === 0) this.held += body.length;
    this.readers.set(memory, readers + 1);
    const end = (): void => {
      if (!this.writing.delete(writing)) return;
      const left = (this.readers.get(memory) ?? 1) - 1;
      if (left > 0) this.readers.set(memory, left);
      else {
        this.readers.delete(memory);
        this.held -= body.length;
      }
    };
    const writing: Writing = { client, movedAt: performance.now(), end };
    this.writing.add(writing);
    return writing;
  }

  /** A body larger than the limit may be written alone. */
  private fits({ length }: Buffer): boolean {
    return this.held === 0 || this.held + length <= this.maxHeldBytes;
  }
}

/** The instance of this process: its limit covers all responses. */
export const bodyWriter = new BodyWriter();
