import { ClientRequest, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { HttpService } from '@nestjs/axios';
import type { AxiosResponse } from 'axios';
import { AppError } from '../kernel/app-error';
import { startDeadline } from '../kernel/deadline';
import { failIfReset, type Agents } from './sockets';
import type { UpstreamApi } from './upstream-api';
import { retryAfterMs } from './retry-after';
import type { UpstreamBreaker } from './upstream-breaker';
import { upstreamFailure } from './upstream-failure';
import { ACCEPTED_CODINGS, wholeBody } from './whole-body';

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

/** Loaded at the first request: a service whose clients use the gateway alone does not load its 70 modules. */
let loading: Promise<HttpService> | undefined;
const httpService = (): Promise<HttpService> =>
  (loading ??= import('@nestjs/axios').then(({ HttpService }) => new HttpService()));

export const MAX_REDIRECTS = 3;
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends requests to one upstream without the cache, with time and size limits and a circuit breaker.
 *
 * It never leaves the upstream's origin. It throws an `AppError`: `upstream-timeout`, `-unreachable`, `-invalid` (the connection broke
 * within the body), `-too-large`, `-paused` (the breaker is open) or `-error` (5xx).
 */
export class UpstreamFetcher {
  constructor(
    private readonly api: UpstreamApi,
    private readonly agents: Agents,
    private readonly breaker: UpstreamBreaker,
  ) {}

  get(request: UpstreamRequest): Promise<UpstreamResponse> {
    return this.breaker.run(request.path, () => this.fetch(request));
  }

  private async fetch({ path, headers, signal }: UpstreamRequest): Promise<UpstreamResponse> {
    const { baseUrl, limits } = this.api;
    const late = new AbortController();
    const cancelDeadline = startDeadline(limits.timeoutMs, () => late.abort());
    const fields = { ...this.api.headers, 'accept-encoding': ACCEPTED_CODINGS, ...headers };
    try {
      return await this.follow(
        `${baseUrl}${path}`,
        fields,
        signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      );
    } catch (error) {
      throw error instanceof AppError ? error : upstreamFailure(error, this.api, late.signal.aborted);
    } finally {
      cancelDeadline();
    }
  }

  /** The answer at the end of a few redirects, all of them on the upstream's own origin. */
  private async follow(
    from: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<UpstreamResponse> {
    let url = from;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const answer = await this.send(url, headers, signal);
      const location: unknown = answer.headers['location'];
      if (!REDIRECTS.has(answer.status) || typeof location !== 'string') return this.accepted(answer);
      answer.data.destroy();
      url = onSameOrigin(location, url);
    }
    throw new AppError('upstream-invalid', `${this.api.name} redirects more than ${MAX_REDIRECTS} times.`);
  }

  private async send(
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<AxiosResponse<Readable>> {
    const { axiosRef } = await httpService();
    // What axios would do beside sending is done here, for it takes longer there: redirects, unpacking, limits.
    return axiosRef.request<Readable>({
      ...{ url, headers, signal, httpAgent: this.agents.http, httpsAgent: this.agents.https, proxy: false },
      ...{ responseType: 'stream', decompress: false, maxRedirects: 0, validateStatus: null },
    });
  }

  private async accepted({ status, headers, data, request }: AxiosResponse<Readable>): Promise<UpstreamResponse> {
    if (request instanceof ClientRequest && data instanceof IncomingMessage) failIfReset(request, data);
    const coding: unknown = headers['content-encoding'];
    const { maxResponseBytes } = this.api.limits;
    const body = await wholeBody(data, typeof coding === 'string' ? coding : undefined, maxResponseBytes);
    if (status >= 500) {
      const wait = retryAfterMs(headers['retry-after'], Date.now(), headers['date']);
      throw new AppError('upstream-error', `${this.api.name} answered ${status}. Try again later.`, {
        retryAfterMs: wait ?? 1_000,
      });
    }
    const fields: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined && value !== null)
        fields[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : String(value);
    return { status, headers: fields, body };
  }
}

function onSameOrigin(location: string, url: string): string {
  const to = URL.canParse(location, url) ? new URL(location, url) : undefined;
  if (to?.origin === new URL(url).origin) return to.href;
  throw new AppError('upstream-invalid', 'The upstream redirects to another host, which is not followed.');
}
