import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { RespError, RespReader, type RespValue } from './resp-reader';

export type RespArgument = string | number | Buffer;

export interface RespTarget {
  port: number;
  username?: string;
  password?: string;
  /** The server's own files: its certificate serves as the client's. */
  tls?: { caFile: string; certFile: string; keyFile: string };
  /** How long a reply may take before the connection is given up. */
  timeoutMs?: number;
}

interface Waiting {
  command: string;
  resolve: (value: RespValue) => void;
  reject: (error: Error) => void;
}

/**
 * One plain connection to a Redis on 127.0.0.1: what a test says to a server must not pass through the client library under
 * test. Replies answer commands in order; what nobody asked for (pushes, pub/sub messages) gathers in `pushes`.
 */
export class RespConnection {
  readonly pushes: RespValue[] = [];
  private readonly reader = new RespReader();
  private readonly waiting: Waiting[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly target: RespTarget,
  ) {
    const timeoutMs = target.timeoutMs ?? 30_000;
    socket.setTimeout(timeoutMs, () => {
      const command = this.waiting[0]?.command;
      if (command !== undefined) this.fail(new Error(`No reply to ${command} within ${timeoutMs} ms`));
    });
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('Redis closed the connection')));
  }

  /** Connects, and authenticates if there is a password. */
  static async open(target: RespTarget): Promise<RespConnection> {
    const connection = new RespConnection(dial(target), target);
    const { username, password } = target;
    if (password !== undefined) {
      await connection.send('AUTH', ...(username === undefined ? [password] : [username, password]));
    }
    return connection;
  }

  /** Resolves with the reply; an error reply rejects. */
  send(...args: RespArgument[]): Promise<RespValue> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new Error(`Not connected to 127.0.0.1:${this.target.port}`));
        return;
      }
      this.waiting.push({ command: args.slice(0, 2).join(' '), resolve, reject });
      this.socket.write(encode(args));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    try {
      for (const { value, isPush } of this.reader.push(chunk)) {
        const asked = isPush ? undefined : this.waiting.shift();
        if (asked === undefined) this.pushes.push(value);
        else if (value instanceof RespError) asked.reject(value);
        else asked.resolve(value);
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private fail(error: Error): void {
    this.socket.destroy();
    const message = `Redis at 127.0.0.1:${this.target.port}: ${error.message}`;
    for (const { reject } of this.waiting.splice(0)) reject(new Error(message, { cause: error }));
  }
}

function dial({ port, tls }: RespTarget): Socket {
  if (tls === undefined) return connectTcp({ port, host: '127.0.0.1' });
  const [ca, cert, key] = [tls.caFile, tls.certFile, tls.keyFile].map((file) => readFileSync(file));
  // The harness talks to its own server, whatever name its certificate bears.
  return connectTls({ port, host: '127.0.0.1', ca, cert, key, checkServerIdentity: () => undefined });
}

function encode(args: readonly RespArgument[]): Buffer {
  const parts = args.flatMap((arg) => {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]);
}
