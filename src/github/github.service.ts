import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { HandlerLoad, NotModified, CacheableResult } from '../cache';
import { AppError } from '../kernel/app-error';
import { InjectUpstream, UpstreamClient, type ProjectionSource } from '../upstream';
import { github } from './github.definition';

/** How many public repositories an account has. */
export interface RepositoryCount {
  /** In the case that GitHub writes it. */
  readonly username: string;
  readonly repos: number;
}

const githubUser = z.object({ login: z.string(), public_repos: z.number().int().nonnegative() });

/** The resource that the count is derived from. */
export function userPath(account: string): string {
  return `/users/${account}`;
}

/** Counts repositories by GitHub's REST API. */
@Injectable()
export class GithubService {
  constructor(@InjectUpstream(github) private readonly client: UpstreamClient) {}

  /**
   * `public_repos` of `GET /users/{account}` (https://docs.github.com/en/rest/users/users#get-a-user).
   *
   * @throws AppError `account-not-found`, `upstream-*`
   */
  countRepositories(account: string, load: HandlerLoad): Promise<CacheableResult<RepositoryCount> | NotModified> {
    return this.client.project(userPath(account), load, (source) => {
      if (source.status !== 200) throw failureOf(source, account);
      return countOf(source.body);
    });
  }
}

function countOf(body: Buffer): RepositoryCount {
  try {
    const { login, public_repos: repos } = githubUser.parse(JSON.parse(body.toString('utf8')));
    return { username: login, repos };
  } catch (error) {
    const message =
      'GitHub answered 200 with something that is not a user. Check that GITHUB_API_URL is the base of the REST API.';
    throw new AppError('upstream-invalid', message, { retryAfterMs: 1_000, cause: error });
  }
}

function failureOf({ status, headers, refusal }: ProjectionSource, account: string): AppError {
  if (refusal) {
    const seconds = Math.ceil(refusal.waitMs / 1_000);
    const hint = headers['x-ratelimit-limit'] === '60' ? ' Set GITHUB_TOKEN for a higher limit.' : '';
    const message = `GitHub's rate limit is spent; it may be asked again in ${seconds} s.${hint}`;
    return new AppError('upstream-rate-limited', message, { retryAfterMs: refusal.waitMs });
  }
  if (status === 404)
    return new AppError(
      'account-not-found',
      `GitHub knows no account "${account}". Check the spelling; a new account is seen within a minute.`,
    );
  if (status === 401)
    return new AppError(
      'upstream-unauthorized',
      'GitHub does not accept GITHUB_TOKEN. Set a valid one, or none, and start again.',
    );
  return new AppError('upstream-error', `GitHub answered ${status} for the account "${account}".`, {
    retryAfterMs: 1_000,
  });
}
