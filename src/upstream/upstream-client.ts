import type { HttpService } from '@nestjs/axios';
import type { AxiosResponse } from 'axios';
import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  handleWhen,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { firstValueFrom } from 'rxjs';
import { AppError } from '../kernel/app-error';
import { closeAgents, openAgents, type Agents } from './sockets';
import type { UpstreamDefinition } from './upstream-definition';
import { retryAfterMs } from './retry-after';
import { countsAsDown, upstreamFailure } from './upstream-failure';

/** An answer of the upstream, whatever its status; `body` is decompressed. */
export interface UpstreamResponse {
  readonly status: number;
  /** Names in lower case; repeated fields joined by a comma and a blank. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface UpstreamRequest {
  /** Begins with a slash; added to the base URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const MAX_REDIRECTS = 3;

/**
 * Asks one upstream, with time and size limits and a circuit breaker.
 *
 * It never leaves the upstream's origin. What it throws is an `AppError`: `upstream-timeout`, `-unreachable`, `-invalid`
 * (the connection broke within the body), `-too-large`, `-paused` (the breaker is open) or `-error` (5xx).
 */
export class UpstreamClient {
  private readonly agents: Agents;
  private readonly breaker: CircuitBreakerPolicy;

  constructor(
    private readonly http: HttpService,
    private readonly definition: UpstreamDefinition,
  ) {
    const { connectTimeoutMs, breakerFailures, breakerPauseMs } = definition.limits;
    this.agents = openAgents(connectTimeoutMs);
    this.breaker = circuitBreaker(handleWhen(countsAsDown), {
      halfOpenAfter: breakerPauseMs,
      breaker: new ConsecutiveBreaker(breakerFailures),
    });
  }

  get name(): string {
    return this.definition.name;
  }

  /** Whether the breaker keeps requests from the upstream now. */
  get isPaused(): boolean {
    return this.breaker.state !== CircuitState.Closed;
  }

  async get(request: UpstreamRequest): Promise<UpstreamResponse> {
    try {
      return await this.breaker.execute(() => this.ask(request));
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      const { breakerPauseMs } = this.definition.limits;
      throw new AppError(
        'upstream-paused',
        `${this.name} failed several times in a row and is not asked for ${breakerPauseMs / 1000} s.`,
        {
          retryAfterMs: breakerPauseMs,
          cause: error,
        },
      );
    }
  }

  close(): void {
    closeAgents(this.agents);
  }

  private async ask({ path, headers, signal }: UpstreamRequest): Promise<UpstreamResponse> {
    const { baseUrl, limits } = this.definition;
    const timeout = AbortSignal.timeout(limits.timeoutMs);
    try {
      const answer = await firstValueFrom(
        this.http.get<Buffer>(`${baseUrl}${path}`, {
          headers: { ...this.definition.headers, ...headers },
          responseType: 'arraybuffer',
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
          httpAgent: this.agents.http,
          httpsAgent: this.agents.https,
          proxy: false,
          maxContentLength: limits.maxResponseBytes,
          maxRedirects: MAX_REDIRECTS,
          beforeRedirect: (options: { href?: string }) => requireSameOrigin(options.href, baseUrl),
          validateStatus: () => true,
        }),
      );
      return this.accepted(answer);
    } catch (error) {
      throw error instanceof AppError ? error : upstreamFailure(error, this.definition, timeout.aborted);
    }
  }

  private accepted({ status, headers, data }: AxiosResponse<Buffer>): UpstreamResponse {
    if (status >= 500) {
      const wait = retryAfterMs(headers['retry-after'], Date.now());
      throw new AppError('upstream-error', `${this.name} answered ${status}. Try again later.`, {
        retryAfterMs: wait ?? 1_000,
      });
    }
    const fields = Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || value === null
        ? []
        : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : String(value)]],
    );
    return { status, headers: Object.fromEntries(fields) as Record<string, string>, body: data };
  }
}

function requireSameOrigin(href: string | undefined, baseUrl: string): void {
  if (href !== undefined && new URL(href).origin === new URL(baseUrl).origin) return;
  throw new AppError('upstream-invalid', 'The upstream redirects to another host, which is not followed.');
}
