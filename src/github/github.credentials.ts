import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { githubConfig } from '../config/slices';
import { ANONYMOUS, headerRules, Partitions } from '../upstream';
import { githubCredentials } from './github-credentials';

/** Who is who towards GitHub, as words that tell of no token. */
@Injectable()
export class GithubCredentials {
  readonly partitions: Partitions;
  /** The service's own: that of `GITHUB_TOKEN`, or that of all who have none. */
  readonly own: string;

  constructor(
    @Inject(githubConfig.KEY) { credentialSecret, token, sharesToken, forwardHeaders }: ConfigType<typeof githubConfig>,
  ) {
    this.partitions = new Partitions(credentialSecret ?? randomBytes(32).toString('hex'), {
      rules: githubCredentials,
      sharedToken: sharesToken ? token : undefined,
      forwards: (name) => headerRules(forwardHeaders).forwards(name, true),
    });
    this.own = token === undefined ? ANONYMOUS : this.partitions.idOf([this.partitions.credentialOf(token)]);
  }
}
