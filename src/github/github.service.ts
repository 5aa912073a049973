import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { AppError, InjectUpstream, UpstreamClient, type HandlerLoad, type Projected } from '../upstream';
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
  countRepositories(account: string, load: HandlerLoad): Promise<Projected<RepositoryCount>> {
    return this.client.project(load, (source) => {
      if (source.status === 404)
        throw new AppError(
          'account-not-found',
          `GitHub knows no account "${account}". Check the spelling; a new account is seen within a minute.`,
        );
      const { login, public_repos: repos } = source.json(githubUser);
      return { username: login, repos };
    });
  }
}
