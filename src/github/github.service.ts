import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { z } from 'zod';
import {
  identityBody,
  NotModified,
  Sourced,
  StoredResources,
  type CacheEntry,
  type HandlerLoad,
  type Validators,
} from '../cache';
import { cacheConfig } from '../config/slices';
import { AppError } from '../kernel/app-error';
import { ANONYMOUS, RateBudget, UpstreamClient, type UpstreamResponse } from '../upstream';
import { GithubCredentials } from './github.credentials';

/** How many public repositories an account has. */
export interface RepositoryCount {
  /** In the case that GitHub writes it. */
  readonly username: string;
  readonly repos: number;
}

const githubUser = z.object({ login: z.string(), public_repos: z.number().int().nonnegative() });

/**
 * The resource that the count is made of, as callers of the gateway without a credential get it: nobody learns more here than a
 * public number.
 */
export function userResource(account: string): string {
  return `${ANONYMOUS}:/users/${account}`;
}

/** Asks GitHub's REST API. */
@Injectable()
export class GithubService {
  private readonly ttlMs: number;

  constructor(
    private readonly client: UpstreamClient,
    private readonly budget: RateBudget,
    private readonly credentials: GithubCredentials,
    private readonly resources: StoredResources,
    @Inject(cacheConfig.KEY) { ttlMs }: ConfigType<typeof cacheConfig>,
  ) {
    this.ttlMs = ttlMs;
  }

  /**
   * `public_repos` of `GET /users/{account}` (https://docs.github.com/en/rest/users/users#get-a-user).
   *
   * @param load what is stored of an earlier answer, to ask whether it still holds, and whether somebody waits or anything is stored
   * @throws AppError `account-not-found`, `upstream-*`
   */
  async countRepositories(
    account: string,
    { validators, isBackground, isFirst }: HandlerLoad,
  ): Promise<Sourced<RepositoryCount> | NotModified> {
    const stored = isFirst ? undefined : await this.resources.find('github', userResource(account), this.ttlMs);
    const known = stored && (await countIn(stored.entry));
    if (stored && known) return new Sourced(known, { validators: stored.entry.validators, madeOf: stored });
    const path = `/users/${account}`;
    const { answer: response, refusal } = await this.budget.schedule(
      { credential: this.credentials.own, method: 'GET', path, isBackground },
      () => this.client.get({ path, headers: conditions(validators) }),
      { field: ({ headers }, name) => headers[name], text: ({ body }) => body.subarray(0, 4_096).toString('utf8') },
    );
    if (response.status === 304 && validators) return new NotModified();
    if (response.status !== 200) throw failureOf(response, account, refusal?.waitMs);
    const count = parseUser(response.body);
    const { etag, 'last-modified': lastModified } = response.headers;
    const found = { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
    return new Sourced(count, { validators: found });
  }
}

// RFC 9110 §13.1.3: with If-None-Match, If-Modified-Since is not looked at; servers without entity tags need it.
function conditions(validators: Validators | undefined): Record<string, string> {
  return {
    ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
    ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
  };
}

function parseUser(body: Buffer): RepositoryCount {
  try {
    return countOf(body);
  } catch (error) {
    const message =
      'GitHub answered 200 with something that is not a user. Check that GITHUB_API_URL is the base of the REST API.';
    throw new AppError('upstream-invalid', message, { retryAfterMs: 1_000, cause: error });
  }
}

/** The count in what callers of the gateway got, whatever representation they asked for. */
async function countIn(entry: CacheEntry): Promise<RepositoryCount | undefined> {
  try {
    return countOf(await identityBody(entry));
  } catch {
    return undefined; // another representation than JSON: GitHub is asked for that
  }
}

function countOf(body: Buffer): RepositoryCount {
  const { login, public_repos: repos } = githubUser.parse(JSON.parse(body.toString('utf8')));
  return { username: login, repos };
}

function failureOf({ status, headers }: UpstreamResponse, account: string, waitMs: number | undefined): AppError {
  if (waitMs !== undefined) {
    const seconds = Math.ceil(waitMs / 1_000);
    const hint = headers['x-ratelimit-limit'] === '60' ? ' Set GITHUB_TOKEN for a higher limit.' : '';
    return new AppError(
      'upstream-rate-limited',
      `GitHub's rate limit is spent; it may be asked again in ${seconds} s.${hint}`,
      {
        retryAfterMs: waitMs,
      },
    );
  }
  if (status === 404) {
    return new AppError(
      'account-not-found',
      `GitHub knows no account "${account}". Check the spelling; a new account is seen within a minute.`,
    );
  }
  if (status === 401)
    return new AppError(
      'upstream-unauthorized',
      'GitHub does not accept GITHUB_TOKEN. Set a valid one, or none, and start again.',
    );
  return new AppError('upstream-error', `GitHub answered ${status} for the account "${account}".`, {
    retryAfterMs: 1_000,
  });
}
