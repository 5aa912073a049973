import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultMode } from './fault-mode';

/** Beyond this the sender is held back. */
const HIGH_WATER_BYTES = 8 * 1024 * 1024;

interface Held {
  /** Undefined stands for the end of the stream. */
  bytes: Buffer | undefined;
  arrivedAt: number;
}

/**
 * One direction of a proxied connection: takes what the source sends, in order, and hands it to the sink as the mode says. A
 * lane that once swallowed bytes stays dead, for a TCP stream never goes on behind a hole.
 */
export class ProxyLane {
  private readonly held: Held[] = [];
  private heldBytes = 0;
  private isDead = false;
  private isFalsified = false;
  private isDraining = false;
  private change = new AbortController();

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly carriesReplies: boolean,
    private mode: FaultMode,
  ) {
    this.isDead = mode.kind === 'halfOpen';
    source.on('data', (bytes: Buffer) => this.take(bytes));
    source.on('end', () => this.take(undefined));
  }

  /** Replies were replaced: the client cannot trust the rest of this connection. */
  get isSpoiled(): boolean {
    return this.isFalsified;
  }

  /** Whether ends and resets of one side must stay hidden from the other. */
  get hidesEnds(): boolean {
    return this.isDead || this.mode.kind === 'stall';
  }

  setMode(mode: FaultMode): void {
    this.mode = mode;
    if (mode.kind === 'halfOpen') this.isDead = true;
    this.change.abort();
    this.change = new AbortController();
    void this.drain();
  }

  private take(bytes: Buffer | undefined): void {
    this.held.push({ bytes, arrivedAt: performance.now() });
    this.heldBytes += bytes?.length ?? 0;
    if (this.heldBytes > HIGH_WATER_BYTES) this.source.pause();
    void this.drain();
  }

  /** Delivers until nothing is held or the mode is to wait; one drain at a time keeps the order. */
  private async drain(): Promise<void> {
    if (this.isDraining) return;
    this.isDraining = true;
    try {
      for (let first = this.held[0]; first !== undefined; first = this.held[0]) {
        if (this.isDead) this.drop(first);
        else if (this.mode.kind === 'stall') return;
        else await this.deliver(first, this.mode);
      }
    } finally {
      this.isDraining = false;
    }
  }

  private async deliver(first: Held, mode: FaultMode): Promise<void> {
    if (mode.kind === 'delay') {
      const remainingMs = first.arrivedAt + mode.ms - performance.now();
      if (remainingMs > 0) {
        await this.pauseUnlessChanged(remainingMs);
        return; // Looks again: the mode may be another one now.
      }
    }
    if (first.bytes === undefined) {
      this.drop(first);
      this.sink.end();
    } else if (mode.kind === 'dribble' && first.bytes.length > mode.bytesPerTick) {
      const piece = first.bytes.subarray(0, mode.bytesPerTick);
      first.bytes = first.bytes.subarray(mode.bytesPerTick);
      this.heldBytes -= piece.length;
      await this.write(piece);
      await this.pauseUnlessChanged(mode.tickMs);
    } else {
      this.drop(first);
      await this.write(
        mode.kind === 'garbage' && this.carriesReplies ? this.falsify(first.bytes, mode.bytes) : first.bytes,
      );
      if (mode.kind === 'dribble') await this.pauseUnlessChanged(mode.tickMs);
    }
  }

  private falsify(bytes: Buffer, replacement: Buffer | undefined): Buffer {
    this.isFalsified = true;
    return replacement ?? randomBytes(bytes.length);
  }

  private drop(first: Held): void {
    this.held.shift();
    this.heldBytes -= first.bytes?.length ?? 0;
    if (this.heldBytes <= HIGH_WATER_BYTES) this.source.resume();
  }

  private async write(bytes: Buffer): Promise<void> {
    if (!this.sink.writable || this.sink.write(bytes)) return;
    const closed = new AbortController();
    const giveUp = () => closed.abort();
    this.sink.once('close', giveUp);
    await once(this.sink, 'drain', { signal: closed.signal }).catch(ignoreAbort);
    this.sink.off('close', giveUp);
  }

  private async pauseUnlessChanged(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.change.signal }).catch(ignoreAbort);
  }
}

/** The wait was cut short on purpose, or the sink broke, which its own 'close' handler deals with. */
function ignoreAbort(): void {
  return undefined;
}
