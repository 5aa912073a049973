import { write, writeSync } from 'node:fs';

/** Linux writes this much into a pipe in one piece (PIPE_BUF): lines of several processes do not mix. */
const IN_ONE_PIECE_BYTES = 4_096;
const WRITE_AT_BYTES = 2_048;
const WRITE_WITHIN_MS = 100;
const MAX_BUFFERED_BYTES = 8_000_000;
const TRY_AGAIN_MS = 100;
const TRIES_AT_EXIT = 20;
const TRY_AT_EXIT_MS = 10;

/**
 * Writes the lines of a log in batches, by another thread: for a single line a request would wait for that thread to wake up.
 *
 * Its one invariant: no request waits for the reader of the log. If the reader has stopped, lines over 8 MB are lost, and counted; if it
 * has gone, all new lines are. The lines that wait when the process ends are written then.
 */
export class LogOutput {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private lost = 0;
  private isWriting = false;
  private isUrgent = false;
  private hasReader = true;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly descriptor: number) {
    process.once('exit', () => this.writeRest());
  }

  /** @param text a line, with its end */
  write(text: string): void {
    const line = Buffer.from(text);
    if (!this.hasReader) return;
    if (this.waitingBytes + line.length > MAX_BUFFERED_BYTES) {
      this.lost += 1;
      return;
    }
    this.add(line);
    if (this.waitingBytes >= WRITE_AT_BYTES) this.writeNext();
    else this.writeSoon();
  }

  /** Writes the waiting lines at once. */
  flush(): void {
    this.isUrgent = true;
    this.writeNext();
  }

  private add(line: Buffer): void {
    this.waiting.push(line);
    this.waitingBytes += line.length;
  }

  private writeSoon(): void {
    this.timer ??= setTimeout(() => this.flush(), WRITE_WITHIN_MS).unref();
  }

  private writeNext(): void {
    if (this.isWriting) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    const piece = this.takePiece();
    if (piece) {
      this.isWriting = true;
      this.writePiece(piece);
    } else this.isUrgent = false;
  }

  private writePiece(piece: Buffer): void {
    write(this.descriptor, piece, 0, piece.length, null, (error, written) => {
      if (error && isFull(error)) setTimeout(() => this.writePiece(piece), TRY_AGAIN_MS).unref();
      else if (error) this.giveUp();
      else if (written < piece.length) this.writePiece(piece.subarray(written));
      else this.goOn();
    });
  }

  private goOn(): void {
    this.isWriting = false;
    if (this.isUrgent || this.waitingBytes >= WRITE_AT_BYTES) this.writeNext();
    else if (this.waiting.length > 0) this.writeSoon();
    else if (this.lost > 0) this.reportLost();
  }

  /** Whole lines, as many as fit into a pipe in one piece; a longer one is written by itself. */
  private takePiece(): Buffer | undefined {
    let bytes = 0;
    let lines = 0;
    for (const { length } of this.waiting) {
      if (lines > 0 && bytes + length > IN_ONE_PIECE_BYTES) break;
      bytes += length;
      lines += 1;
    }
    this.waitingBytes -= bytes;
    return lines === 0 ? undefined : Buffer.concat(this.waiting.splice(0, lines), bytes);
  }

  private reportLost(): void {
    const msg = `${this.lost} lines of the log are lost: what reads it was too slow.`;
    this.lost = 0;
    this.write(`${JSON.stringify({ level: 'warn', time: new Date().toISOString(), context: 'Log', msg })}\n`);
  }

  private giveUp(): void {
    this.hasReader = false;
    this.waiting = [];
    this.waitingBytes = 0;
  }

  /** The progress of the piece that another thread is writing is unknown. */
  private writeRest(): void {
    let tries = 0;
    for (let rest = this.takePiece(); rest; rest = rest.length > 0 ? rest : this.takePiece()) {
      try {
        rest = rest.subarray(writeSync(this.descriptor, rest));
      } catch (error) {
        if (!isFull(error) || ++tries > TRIES_AT_EXIT) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_AT_EXIT_MS);
      }
    }
  }
}

function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
