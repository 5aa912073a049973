import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface OriginHit {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Answers one request; `count` is how many there have been, this one included. */
export type OriginScript = (response: ServerResponse, hit: OriginHit, count: number) => void;

/** An HTTP server that answers as a test says, and remembers what it was asked. */
export class ScriptedOrigin {
  readonly hits: OriginHit[] = [];
  /** How many answers were cut off by the one who asked. */
  aborted = 0;
  private readonly sockets = new Set<Socket>();
  private waitsForBody = true;

  private constructor(
    private readonly server: Server,
    private script: OriginScript,
  ) {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.answer(request, response));
  }

  static async start(script: OriginScript = (response) => response.end('hello')): Promise<ScriptedOrigin> {
    const server = createServer();
    const origin = new ScriptedOrigin(server, script);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on answers so, and has not been asked yet. */
  answerBy(script: OriginScript, { waitsForBody = true } = {}): void {
    this.script = script;
    this.waitsForBody = waitsForBody;
    this.hits.length = 0;
    this.aborted = 0;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('close', () => {
      if (!response.writableFinished) this.aborted += 1;
    });
    const body = this.waitsForBody ? await wholeBody(request) : Buffer.alloc(0);
    if (body === undefined) return;
    const { method = '', url = '', headers, rawHeaders } = request;
    const hit = { method, url, headers, rawHeaders, body };
    this.hits.push(hit);
    this.script(response, hit, this.hits.length);
  }
}

/** Undefined for a request that breaks off: it is as if it had not been sent. */
async function wholeBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}
