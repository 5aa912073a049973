import { connect, type Socket } from 'node:net';
import type { FaultMode } from './fault-mode';
import { ProxyLane } from './proxy-lane';

/** A client's socket, the socket to the server that belongs to it, and a lane each way. */
export class ProxiedConnection {
  private readonly server: Socket;
  private readonly requests: ProxyLane;
  private readonly replies: ProxyLane;

  constructor(
    private readonly client: Socket,
    targetPort: number,
    mode: FaultMode,
    private readonly onClosed: (connection: ProxiedConnection) => void,
  ) {
    this.server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    this.requests = new ProxyLane(client, this.server, false, mode);
    this.replies = new ProxyLane(this.server, client, true, mode);
    this.linkEnds(client, this.server);
    this.linkEnds(this.server, client);
  }

  /** Whether the client still holds it. */
  get isOpen(): boolean {
    return !this.client.destroyed && !this.client.readableEnded;
  }

  /** Bytes that the server has not sent. */
  say(bytes: Buffer): void {
    this.client.write(bytes);
  }

  setMode(mode: FaultMode): void {
    // Replies that were replaced leave the client one answer off: the stream cannot become clean again.
    if (this.replies.isSpoiled && mode.kind !== 'garbage') this.destroy();
    this.requests.setMode(mode);
    this.replies.setMode(mode);
  }

  /** Resets both sides. */
  destroy(): void {
    reset(this.client);
    reset(this.server);
  }

  private linkEnds(socket: Socket, other: Socket): void {
    // 'close' follows, and does what there is to do.
    socket.on('error', () => undefined);
    socket.on('close', (hadError) => {
      if (hadError && !this.requests.hidesEnds) reset(other);
      if (this.client.destroyed && this.server.destroyed) this.onClosed(this);
    });
  }
}

/**
 * Sends RST, except on a socket that has sent its FIN: Node 20 loses a socket that is reset then, and spins for ever when
 * the process ends (libuv's uv_tcp_close_reset refuses after a shutdown, and TCPWrap::Reset does not look).
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
