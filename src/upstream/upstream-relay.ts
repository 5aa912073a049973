import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { AppError } from '../kernel/app-error';
import { startDeadline } from '../kernel/deadline';
import { limitPace } from './body-pace';
import { failIfReset, type Agents } from './sockets';
import type { UpstreamApi } from './upstream-api';
import type { UpstreamBreaker } from './upstream-breaker';
import { upstreamFailure } from './upstream-failure';

export interface RelayedRequest {
  readonly method: string;
  /** Path and query, to be added to the base URL's path. Begins with a slash. */
  readonly path: string;
  /** Names and values alternate, sent unchanged. */
  readonly headers: readonly string[];
  readonly body?: Readable | undefined;
  readonly signal: AbortSignal;
  /** Called for interim responses (1xx), except `100 Continue`. */
  readonly onInterim?: (status: number, rawHeaders: readonly string[]) => void;
}

/** The head of an answer, whatever its status, and the body as it comes, in the coding it came in. */
export interface RelayedResponse {
  readonly status: number;
  /** Name and value in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** When the request was sent and when the head came, ms since the epoch. */
  readonly requestedAt: number;
  readonly receivedAt: number;
  readonly body: IncomingMessage;
}

/**
 * Sends one request upstream and returns its response unchanged: it follows no redirect, decodes nothing and does not repeat it.
 *
 * It never leaves the origins that the definition names: the path is only ever a path. It rejects with an `AppError` as `UpstreamFetcher` does, if no head
 * arrived; a body that breaks off fails while it is read.
 */
export class UpstreamRelay {
  private readonly base: URL;
  /** The subtrees of `api.beside`, with a slash at their ends. */
  private readonly subtrees: readonly (readonly [below: string, base: URL])[];

  constructor(
    private readonly api: UpstreamApi,
    private readonly agents: Agents,
    private readonly now: () => number,
    /** Without it every request is sent, however often others failed. */
    private readonly breaker?: UpstreamBreaker,
  ) {
    this.base = new URL(api.baseUrl);
    this.subtrees = [...(api.beside ?? [])]
      .filter(([path]) => path.endsWith('/*'))
      .map(([path, base]) => [path.slice(0, -1), new URL(base, this.base)]);
  }

  send(request: RelayedRequest): Promise<RelayedResponse> {
    return this.breaker ? this.breaker.run(request.path, () => this.sendSafely(request)) : this.sendSafely(request);
  }

  private onWire(target: string): { readonly base: URL; readonly path: string } {
    const [path = ''] = target.split('?', 1);
    const beside = this.api.beside?.get(path);
    if (beside !== undefined) return { base: this.base, path: beside + target.slice(path.length) };
    const [below = '/', base = this.base] = this.subtrees.find(([start]) => target.startsWith(start)) ?? [];
    return { base, path: `${base.pathname.replace(/\/$/, '')}/${target.slice(below.length)}` };
  }

  /**
   * RFC 9110 §9.2.2, RFC 9112 §9.3.1: a safe request on a connection that the upstream was just closing is sent again. After a pause it may
   * have closed all idle connections, so again on the next, until a new connection is opened.
   */
  private async sendSafely(request: RelayedRequest): Promise<RelayedResponse> {
    const isSafe = (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.sendOnce(request);
      } catch (error) {
        if (!(error instanceof ConnectionClosedError)) throw error;
        if (!isSafe || request.signal.aborted || attempt === MAX_ATTEMPTS) throw error.failure;
      }
    }
  }

  private sendOnce({ method, path, headers, body, signal, onInterim }: RelayedRequest): Promise<RelayedResponse> {
    const { limits } = this.api;
    const { base, path: pathOnWire } = this.onWire(path);
    const isHttps = base.protocol === 'https:';
    const options: RequestOptions = {
      method,
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      path: pathOnWire,
      headers: ['host', base.host, ...headers],
      setHost: false,
      agent: isHttps ? this.agents.https : this.agents.http,
      signal,
    };
    return new Promise((resolve, reject) => {
      const requestedAt = this.now();
      let ended: 'timed-out' | 'by-client' | undefined;
      let answer: IncomingMessage | undefined;
      let cancelDeadline = (): number => 0;
      let receivedBefore = 0;
      const outgoing: ClientRequest = isHttps ? httpsRequest(options) : httpRequest(options);
      outgoing.maxHeadersCount = 0; // their size is bounded; of more than 2,000 node would drop the rest unsaid
      const giveUp = (): void => {
        const isClientsTurn = body !== undefined && !body.readableEnded && outgoing.writableLength === 0;
        ended = isClientsTurn ? 'by-client' : 'timed-out';
        outgoing.destroy(new Error('timed out'));
      };
      const endSlowBody = (response: IncomingMessage): void => {
        response.destroy(upstreamFailure(new Error('the body came too slowly'), this.api, true));
      };
      const startClock = (): void => {
        cancelDeadline();
        if (answer === undefined) cancelDeadline = startDeadline(limits.timeoutMs, giveUp);
      };
      const watchUpload = (): void => {
        const exchanged = bytesOn(outgoing.socket);
        cancelDeadline = startDeadline(limits.timeoutMs, () => {
          if (bytesOn(outgoing.socket) === exchanged) giveUp();
          else watchUpload();
        });
      };
      // The upstream's time begins when it has all of the request.
      if (body === undefined) startClock();
      else {
        watchUpload();
        outgoing.on('finish', startClock);
      }
      if (onInterim)
        outgoing.on('information', ({ statusCode, rawHeaders }) => {
          if (statusCode !== 100) onInterim(statusCode, rawHeaders);
        });
      const fail = (error: Error): void => {
        cancelDeadline();
        if (signal.aborted || ended === 'by-client') reject(new ClientGoneError(error));
        else {
          const failure = upstreamFailure(error, this.api, ended === 'timed-out');
          const isUnanswered = outgoing.reusedSocket && outgoing.socket?.bytesRead === receivedBefore;
          const isClosed = isUnanswered && CLOSED.has((error as NodeJS.ErrnoException).code ?? '');
          reject(isClosed ? new ConnectionClosedError(failure) : failure);
        }
      };
      outgoing.on('upgrade', (_response, socket) => {
        socket.destroy();
        fail(new Error('switched to an unexpected protocol'));
      });
      outgoing.on('response', (response) => {
        const { statusCode: status = 0, rawHeaders } = response;
        if (status < 200) return void outgoing.destroy(new Error(`answered with status ${status}`));
        answer = response;
        failIfReset(outgoing, response);
        const countedMs = cancelDeadline();
        const headMs = body === undefined ? countedMs : 0;
        limitPace(response, { timeoutMs: limits.timeoutMs, headMs, onTooSlow: () => endSlowBody(response) });
        resolve({ status, rawHeaders, requestedAt, receivedAt: this.now(), body: response });
      });
      outgoing.on('socket', ({ bytesRead }) => (receivedBefore = bytesRead));
      outgoing.on('error', fail);
      if (body === undefined) return void outgoing.end();
      body.on('error', (error) => {
        ended ??= 'by-client';
        outgoing.destroy(error);
      });
      body.pipe(outgoing);
      // The rest of a body that the upstream does not read (an early response, a lost connection) would block the client's next request.
      outgoing.on('close', () => body.resume());
    });
  }
}

function bytesOn(socket: ClientRequest['socket']): number {
  return socket ? socket.bytesRead + socket.bytesWritten : 0;
}

/** More than idle connections are kept. */
const MAX_ATTEMPTS = 100;
const CLOSED: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** The client disconnected, or did not send its body: the upstream is not at fault, and no request waits for the response. */
class ClientGoneError extends AppError {
  constructor(cause: unknown) {
    super('request-timeout', 'The rest of the request did not come. Send it again.', { cause });
  }
}

/** A connection that was kept alive has been closed just as it was used again. */
class ConnectionClosedError extends Error {
  constructor(readonly failure: AppError) {
    super(failure.message, { cause: failure });
  }
}
