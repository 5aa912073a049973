import type { FastifyReply } from 'fastify';
import { startDeadline } from '../kernel/deadline';

/** What waits for a reader beyond the socket's own buffer is small; more, and the reader is cut off. */
const MAX_WAITING_BYTES = 262_144;
/** So long may a reader take nothing of a history that waits for it, in milliseconds. */
const MAX_STALL_MS = 10_000;
const CHUNK_BYTES = 32_768;

export type EndReason = 'slow-reader' | 'shutdown';

/**
 * One client of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Its one invariant: no more than 256 KiB ever wait for a client. A history goes out by pieces, as the client takes them; a live event for which
 * there is no room ends the stream.
 */
export class EventStream {
  private isClosed = false;

  constructor(private readonly response: FastifyReply['raw']) {
    const close = (): void => {
      this.isClosed = true;
    };
    response.once('close', close).once('error', close);
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  onClose(listener: () => void): void {
    this.response.once('close', listener);
  }

  /** Sends a live event. */
  send(text: string): void {
    if (this.isClosed) return;
    if (this.response.writableLength + text.length > MAX_WAITING_BYTES) this.end('slow-reader');
    else this.response.write(text);
  }

  /** Sends what may be long, as the client takes it. Resolves when all of it is sent, or the stream has ended. */
  async sendPieces(pieces: Iterable<string>): Promise<void> {
    let chunk = '';
    for (const piece of pieces) {
      chunk += piece;
      if (chunk.length < CHUNK_BYTES) continue;
      if (!(await this.flush(chunk))) return;
      chunk = '';
    }
    await this.flush(chunk);
  }

  /** Sends the reason to the client, if it still reads, and ends. */
  end(reason: EndReason): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { response } = this;
    const isTaken = response.writableLength === 0;
    response.end(eventText('end', JSON.stringify({ reason })));
    // A client that takes nothing would keep the connection, and what waits in it, as long as it likes.
    if (!isTaken || reason === 'slow-reader') response.destroy();
  }

  /** @returns whether the client takes more */
  private flush(chunk: string): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    if (chunk === '' || this.response.write(chunk)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const { response } = this;
      const settle = (isOpen: boolean): void => {
        cancelDeadline();
        response.off('drain', onDrain).off('close', onClose);
        resolve(isOpen);
      };
      const onDrain = (): void => settle(!this.isClosed);
      const onClose = (): void => settle(false);
      const cancelDeadline = startDeadline(MAX_STALL_MS, () => this.end('slow-reader'));
      response.on('drain', onDrain).on('close', onClose);
    });
  }
}

/** An event as it is sent; `data` is one line. */
export function eventText(event: string, data: string, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}
