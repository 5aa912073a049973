import type { FastifyReply, FastifyRequest } from 'fastify';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];
type Socket = RawRequest['socket'];

/** The requests under way on each connection, for one `close` listener a connection however many requests it carries. */
const underWay = new WeakMap<Socket, Set<ClientConnection>>();

export interface ClientConnectionOptions {
  /** Whether `signal` also aborts once the client has its whole response: nothing continues after it. */
  readonly endsWithResponse?: boolean;
}

/**
 * The client of one request, for everything that waits on its behalf.
 *
 * Its one invariant: it notices a disconnect wherever the request is. Node emits `close` on a response only once the response has
 * the socket, and a pipelined one gets it when the response before it has ended (RFC 9112 §9.3.2):
 *
 *   1. a client sends two requests in one write; the first takes long, the second's response has no socket yet
 *   2. the client disconnects: the first response emits `close`, the second never does
 *   3. whatever waits for the second (an upstream's socket, a place in a queue) would wait for ever
 *
 * So it listens to the request's socket, and to the response for its regular end.
 */
export class ClientConnection {
  /** Made when a signal is asked for: most requests are answered without a wait. */
  private aborting: AbortController | undefined;
  private isOver = false;
  private isGone = false;
  private leave: () => void = () => undefined;

  private readonly socket: Socket;

  constructor(
    { socket }: RawRequest,
    private readonly response: RawResponse,
    { endsWithResponse = false }: ClientConnectionOptions = {},
  ) {
    this.socket = socket;
    const requests = requestsOn(socket);
    requests.add(this);
    response.once('close', () => {
      requests.delete(this);
      this.end(endsWithResponse || !response.writableFinished);
    });
    if (isClosed(socket, response)) this.end(true);
  }

  /** Aborts when the client disconnects before it has its whole response. */
  get signal(): AbortSignal {
    this.aborting ??= new AbortController();
    if (this.isGone) this.aborting.abort();
    return this.aborting.signal;
  }

  /** Whether `signal` is aborted, or would be. */
  get hasGone(): boolean {
    return this.isGone;
  }

  /** Whether the client has its whole response, or has disconnected. */
  get hasEnded(): boolean {
    return this.isOver;
  }

  /** Settles when the client has its whole response, or has disconnected. */
  async ended(): Promise<void> {
    await this.race(new Promise<never>(() => undefined));
  }

  /** Closes the connection: the only way to signal a response that cannot be completed. */
  disconnect(): void {
    this.socket.destroy();
  }

  /** The result, or undefined as soon as the client disconnects. Each wait has its own promise: a shared one would keep results. */
  race<T>(result: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.leave = () => resolve(undefined);
      result.then(resolve, reject);
      if (this.isOver) resolve(undefined);
    });
  }

  /** Settles when more may be written, or the client has disconnected. */
  async drained(): Promise<void> {
    let drain: () => void = () => undefined;
    await this.race(
      new Promise<void>((resolve) => {
        drain = resolve;
        this.response.once('drain', drain);
      }),
    );
    this.response.removeListener('drain', drain);
  }

  /** @param hasGone whether the client disconnected without its whole response */
  end(hasGone: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.leave();
    this.isGone = hasGone;
    if (hasGone) this.aborting?.abort();
  }
}

/** Whether the client of a request has disconnected; the response may get no event of it. */
export function isClosed({ destroyed }: Socket, response: RawResponse): boolean {
  return destroyed || response.destroyed;
}

function requestsOn(socket: Socket): Set<ClientConnection> {
  const known = underWay.get(socket);
  if (known) return known;
  const requests = new Set<ClientConnection>();
  underWay.set(socket, requests);
  socket.once('close', () => {
    for (const request of requests) request.end(true);
    requests.clear();
  });
  return requests;
}
