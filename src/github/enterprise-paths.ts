import type { Expected } from '../upstream';

/*
 * The paths of GitHub Enterprise Server (https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api/getting-started-with-the-rest-api),
 * where clients look that have the name of a host: `gh` by `GH_HOST`, Terraform, Probot, go-github.
 */

const REST = '/api/v3';
const GRAPHQL = '/api/graphql';
/** Behind the gateway's prefix, too: where `upload_url` points on Enterprise Server. */
const UPLOADS = '/api/uploads';

/** @param isHost whether the host answers as an Enterprise Server does */
export function enterprisePaths(prefix: string, isHost: boolean): Record<string, string> {
  const beside = prefix.endsWith(REST) ? `${prefix.slice(0, -REST.length)}${GRAPHQL}` : undefined;
  return {
    ...(beside !== undefined && { [beside]: '/graphql' }),
    ...(isHost && {
      ...(prefix !== REST && { [REST]: '/', [`${REST}/*`]: '' }),
      [`${REST}${REST}/*`]: '', // by clients that add it to a base URL that has it
      [GRAPHQL]: '/graphql',
      [`${UPLOADS}/*`]: UPLOADS,
    }),
  };
}

/**
 * What clients read of an Enterprise Server's version, and GitHub does not send: `gh` reads `installed_version` of `/meta`; Octokit's plug-in
 * for such servers, Sourcegraph and the CodeQL action the header field.
 */
export function expectedOfHost(path: string, baseUrl: string, version: string): Expected | undefined {
  if (baseUrl.endsWith(REST) || (path !== '/meta' && path !== '/')) return undefined; // a server says its own
  const fields = { 'x-github-enterprise-version': version };
  return path === '/meta' ? { fields, members: { installed_version: version } } : { fields };
}

/** Where uploads and, on Enterprise Server, GraphQL are: beside the base URL of the REST API. */
export function baseUrlsBeside(baseUrl: string, uploadsUrl: string | undefined): Record<string, string> {
  const { origin, pathname, hostname } = new URL(baseUrl);
  const isEnterprise = pathname.endsWith(REST);
  const root = `${origin}${pathname.slice(0, -REST.length)}`;
  const uploads =
    uploadsUrl ??
    (isEnterprise ? `${root}${UPLOADS}` : hostname === 'api.github.com' ? 'https://uploads.github.com' : baseUrl);
  return {
    ...(isEnterprise && { '/graphql': `${pathname.slice(0, -REST.length)}${GRAPHQL}` }),
    ...(uploads !== baseUrl && { [`${UPLOADS}/*`]: uploads.replace(/\/+$/, '') }),
  };
}

/** The path of the REST API that an upload changes. */
export function withoutUploads(path: string): string {
  return path.startsWith(`${UPLOADS}/`) ? path.slice(UPLOADS.length) : path;
}
