import type { UpstreamDefinition, UpstreamLimits } from '../upstream';

export interface GithubSettings {
  readonly apiUrl: string;
  readonly token?: string | undefined;
  readonly apiVersion: string;
}

/** GitHub's REST API as an upstream (https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api). */
export function githubUpstream(
  { apiUrl, token, apiVersion }: GithubSettings,
  limits: UpstreamLimits,
): UpstreamDefinition {
  return {
    name: 'github',
    baseUrl: apiUrl,
    headers: {
      accept: 'application/vnd.github+json',
      'user-agent': 'larder',
      'x-github-api-version': apiVersion,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    limits,
  };
}
