/*
 * GitHub's links name a thing by its id: the second page of `/repos/octocat/hello/issues` is `/repositories/1296269/issues?page=2`.
 */

const BY_ID = /^\/(repositories|user|organizations)\/\d+(\/.*)$/;
const BY_NAME = /^\/(?:repos\/[^/]+\/[^/]+|users\/[^/]+|orgs\/[^/]+)/;

/**
 * The path of a link, with the name that the client used, where both mean the same: so all pages of a list are stored and invalidated
 * together, also for clients that construct page URLs themselves.
 */
export function linkedByName(path: string, asked: string): string {
  const [, kind = '', rest = ''] = BY_ID.exec(path) ?? [];
  const [name = ''] = BY_NAME.exec(asked) ?? [];
  const isOfKind = name !== '' && name.startsWith('/repos/') === (kind === 'repositories');
  return kind !== '' && isOfKind && asked === `${name}${rest}` ? asked : path;
}
