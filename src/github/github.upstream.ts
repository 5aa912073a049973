import type { UpstreamDefinition, UpstreamLimits } from '../upstream';

export interface GithubSettings {
  readonly apiUrl: string;
  readonly token?: string | undefined;
  readonly apiVersion: string;
}

/** Where GitHub Enterprise Server has its REST API, and where clients that were told of such a server look for it. */
export const ENTERPRISE_PATH = '/api/v3';

/** The path of GraphQL beside the one of REST (https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql). */
export function enterpriseGraphql(restPath: string): string {
  return `${restPath.slice(0, -ENTERPRISE_PATH.length)}/api/graphql`;
}

/** GitHub's REST API as an upstream (https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api). */
export function githubUpstream(
  { apiUrl, token, apiVersion }: GithubSettings,
  limits: UpstreamLimits,
): UpstreamDefinition {
  const { pathname } = new URL(apiUrl);
  const isEnterprise = pathname.endsWith(ENTERPRISE_PATH);
  return {
    name: 'github',
    baseUrl: apiUrl,
    ...(isEnterprise ? { beside: new Map([['/graphql', enterpriseGraphql(pathname)]]) } : {}),
    headers: {
      accept: 'application/vnd.github+json',
      'user-agent': 'larder',
      'x-github-api-version': apiVersion,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    limits,
  };
}
