import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import {
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  handleWhen,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { AppError } from '../kernel/app-error';
import { closeAgents, openAgents, type Agents } from './sockets';
import type { UpstreamDefinition } from './upstream-definition';
import { countsAsDown, upstreamFailure } from './upstream-failure';

export interface RelayedRequest {
  readonly method: string;
  /** Path and query, to be added to the base URL's path. Begins with a slash. */
  readonly path: string;
  /** Name and value in turn, sent as they are. */
  readonly headers: readonly string[];
  readonly body?: Readable | undefined;
  readonly signal: AbortSignal;
  /** Is told of interim responses (1xx), but for `100 Continue`. */
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
 * Hands one request to the upstream and its answer back as it is: nothing is followed, decoded or tried again.
 *
 * It never leaves the upstream's origin: the path is only ever a path. It rejects with an `AppError` as `UpstreamClient` does,
 * where no head came; a body that breaks off fails while it is read.
 */
export class UpstreamRelay {
  private readonly agents: Agents;
  private readonly breaker: CircuitBreakerPolicy;
  private readonly base: URL;

  constructor(
    private readonly definition: UpstreamDefinition,
    private readonly now: () => number,
    /** Without it every request is sent, however often others failed. */
    private readonly hasBreaker = true,
  ) {
    const { connectTimeoutMs, breakerFailures, breakerPauseMs } = definition.limits;
    this.base = new URL(definition.baseUrl);
    this.agents = openAgents(connectTimeoutMs);
    this.breaker = circuitBreaker(handleWhen(countsAsDown), {
      halfOpenAfter: breakerPauseMs,
      breaker: new ConsecutiveBreaker(breakerFailures),
    });
  }

  async send(request: RelayedRequest): Promise<RelayedResponse> {
    if (!this.hasBreaker) return this.ask(request);
    try {
      return await this.breaker.execute(() => this.ask(request));
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      const { name, limits } = this.definition;
      const seconds = limits.breakerPauseMs / 1_000;
      throw new AppError(
        'upstream-paused',
        `${name} failed several times in a row and is not asked for ${seconds} s.`,
        {
          retryAfterMs: limits.breakerPauseMs,
          cause: error,
        },
      );
    }
  }

  close(): void {
    closeAgents(this.agents);
  }

  private pathOnWire(target: string): string {
    const [path = ''] = target.split('?', 1);
    const beside = this.definition.beside?.get(path);
    if (beside !== undefined) return beside + target.slice(path.length);
    return `${this.base.pathname.replace(/\/$/, '')}${target}`;
  }

  private ask({ method, path, headers, body, signal, onInterim }: RelayedRequest): Promise<RelayedResponse> {
    const { limits } = this.definition;
    const isHttps = this.base.protocol === 'https:';
    const options: RequestOptions = {
      method,
      protocol: this.base.protocol,
      hostname: this.base.hostname.replace(/^\[|\]$/g, ''),
      port: this.base.port,
      path: this.pathOnWire(path),
      headers: ['host', this.base.host, ...headers],
      setHost: false,
      agent: isHttps ? this.agents.https : this.agents.http,
      timeout: limits.timeoutMs,
      signal,
    };
    return new Promise((resolve, reject) => {
      const requestedAt = this.now();
      let isTimedOut = false;
      const outgoing: ClientRequest = isHttps ? httpsRequest(options) : httpRequest(options);
      outgoing.maxHeadersCount = 0; // their size is bounded; of more than 2,000 node would drop the rest unsaid
      const giveUp = (): void => {
        isTimedOut = true;
        outgoing.destroy(new Error('timed out'));
      };
      const late = setTimeout(giveUp, limits.timeoutMs);
      outgoing.on('timeout', giveUp); // no byte for so long, in the body too
      if (onInterim)
        outgoing.on('information', ({ statusCode, rawHeaders }) => {
          if (statusCode !== 100) onInterim(statusCode, rawHeaders);
        });
      const fail = (error: Error): void => {
        clearTimeout(late);
        reject(upstreamFailure(error, this.definition, isTimedOut));
      };
      outgoing.on('upgrade', (_response, socket) => {
        socket.destroy();
        fail(new Error('switched to a protocol that nobody asked for'));
      });
      outgoing.on('response', (response) => {
        const { statusCode: status = 0, rawHeaders } = response;
        if (status < 200) return void outgoing.destroy(new Error(`answered with status ${status}`));
        clearTimeout(late);
        resolve({ status, rawHeaders, requestedAt, receivedAt: this.now(), body: response });
      });
      outgoing.on('error', fail);
      if (body === undefined) return void outgoing.end();
      body.on('error', (error) => outgoing.destroy(error)).pipe(outgoing);
      // What an upstream that has answered early, or is gone, does not take any more stands in the way of the client's next request.
      outgoing.on('close', () => body.resume());
    });
  }
}
