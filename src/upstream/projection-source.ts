import { HttpException } from '@nestjs/common';
import type { z } from 'zod';
import type { CacheableResult, NotModified } from '../cache';
import { AppError } from '../kernel/app-error';
import { parsedJson } from '../kernel/json';
import type { UpstreamResponse } from './upstream-fetcher';
import { settingName } from './upstream-settings';

/** The upstream of the response, for the errors that say what to do. */
export interface SourceOrigin {
  readonly name: string;
  /** The upstream's name in sentences. */
  readonly title: string;
  readonly hasToken: boolean;
  readonly path: string;
}

/** The result of `client.project`, for the cache: the value, or that the stored one still holds. */
export type Projected<T extends object> = CacheableResult<T> | NotModified;

/** Statuses that concern one call of the service's, and not the resource: it timed out, went astray, or came too early or too often. */
const OF_ONE_CALL: ReadonlySet<number> = new Set([407, 408, 421, 425, 429]);

/** The response that a projection is derived from: stored, or new. */
export class ProjectionSource implements UpstreamResponse {
  readonly status: number;
  readonly headers: UpstreamResponse['headers'];
  readonly body: Buffer;

  constructor(
    { status, headers, body }: UpstreamResponse,
    private readonly origin: SourceOrigin,
  ) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /**
   * The JSON of a 200. For a 4xx with a problem of your own, such as 404, check `status` before.
   *
   * @throws HttpException with the upstream's own status, for another 4xx that is its answer
   * @throws AppError `upstream-unauthorized`, `upstream-error`, `upstream-invalid`
   */
  json<T>(schema: z.ZodType<T>): T {
    const { origin, status } = this;
    const { title, path } = origin;
    if (status === 401) throw new AppError('upstream-unauthorized', unauthorized(origin));
    if (status >= 400 && status < 500 && !OF_ONE_CALL.has(status))
      throw new HttpException(`${title} answered ${path} with ${status}.`, status);
    if (status !== 200) throw new AppError('upstream-error', `${title} answered ${status}.`, { retryAfterMs: 1_000 });
    const { data, error } = schema.safeParse(parsedJson(this.body));
    if (error === undefined) return data;
    const setting = settingName(origin, 'API_URL');
    const message = `${title} answered ${path} with something else than expected. Check that ${setting} is the base of its API.`;
    throw new AppError('upstream-invalid', message, { retryAfterMs: 1_000, cause: error });
  }
}

/** The error of a projection whose source is a refusal, because the rate limit is spent. */
export function limitSpent(origin: SourceOrigin, waitMs: number): AppError {
  const { title, hasToken } = origin;
  const hint = hasToken ? '' : ` Set ${settingName(origin, 'TOKEN')} for a higher limit.`;
  const message = `The rate limit of ${title} is spent; it may be asked again in ${Math.ceil(waitMs / 1_000)} s.${hint}`;
  return new AppError('upstream-rate-limited', message, { retryAfterMs: waitMs });
}

function unauthorized(origin: SourceOrigin): string {
  const setting = settingName(origin, 'TOKEN');
  return origin.hasToken
    ? `${origin.title} does not accept ${setting}. Set a valid one, or none, and start again.`
    : `${origin.title} asks for a token. Set ${setting}, and start again.`;
}
