import { Duplex } from 'node:stream';

/** Addresses of the connection that it stands for. */
export interface Addresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localPort?: number | undefined;
}

type Done = (error?: Error | null) => void;

/**
 * One end of a connection in memory, with what the service reads of a socket.
 *
 * Its one invariant: a write is done when the other end has room for it, as with a socket whose peer reads slowly.
 */
export class StreamSocket extends Duplex {
  readonly encrypted = true;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localPort: number | undefined;
  bytesRead = 0;
  private peer: StreamSocket | undefined;
  private delivered = 0;
  private taken: Done | undefined;

  constructor(socket: Addresses = {}) {
    super({ allowHalfOpen: true });
    ({ remoteAddress: this.remoteAddress, remotePort: this.remotePort, localPort: this.localPort } = socket);
  }

  /** With what waits to be taken, as of a socket. */
  get bytesWritten(): number {
    return this.delivered + this.writableLength;
  }

  connect(peer: StreamSocket): void {
    this.peer = peer;
  }

  /** The time-outs are those of the session. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
    this.end();
  }

  override _read(): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.peer?.receive(chunk, (error) => {
      this.delivered += chunk.length;
      done(error);
    });
  }

  override _final(done: Done): void {
    if (this.peer?.readable === true) this.peer.push(null);
    done();
  }

  /** Bytes written to the end stay readable at the other end; an end that is cut off ends both. */
  override _destroy(error: Error | null, done: Done): void {
    const { peer, taken } = this;
    this.taken = undefined;
    taken?.(new Error('The connection was closed.'));
    if (!this.writableFinished) process.nextTick(() => peer?.destroy());
    done(error);
  }

  private receive(chunk: Buffer, done: Done): void {
    if (this.destroyed) {
      done(new Error('The connection was closed.'));
      return;
    }
    this.bytesRead += chunk.length;
    if (this.push(chunk)) done();
    else this.taken = done;
  }
}

/** A connection in memory, for the client of a socket. */
export function socketPair(socket?: Addresses): readonly [StreamSocket, StreamSocket] {
  const [near, far] = [new StreamSocket(socket), new StreamSocket(socket)];
  near.connect(far);
  far.connect(near);
  // The other end sees the same as `close`.
  for (const one of [near, far]) one.on('error', () => undefined);
  return [near, far];
}
