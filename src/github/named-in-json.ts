/*
 * Which repositories a JSON body of GitHub names, wherever it does: as `full_name` or `nameWithOwner`, and in the URLs of what belongs to them.
 *
 * The invariant: nothing is certain of a body, and whatever it is, nothing here throws; the work is bounded.
 */

export interface NamesInJson {
  /** As `owner/name`, in lower case. */
  readonly repositories: ReadonlySet<string>;
  /** The name of each repository that is there with its id. */
  readonly repositoriesById: ReadonlyMap<string, string>;
  /** Whether all of the body was read. */
  readonly isWhole: boolean;
}

const MAX_VALUES = 100_000;
/** GitHub's names are shorter: up to 39 characters of an account, 100 of a repository. */
const REPOSITORY = /^[\w-]{1,100}\/[\w.-]{1,255}$/;
const API_URL = /^https?:\/\/[^/?#]+(?:\/api\/v3)?\/repos\/([^/?#{]+\/[^/?#{]+)/;
/** Browser URLs: `https://github.com/acme/tool/issues/1`, as `url`, or as `resourcePath` without the host. */
const PAGE_URL = /^(?:https?:\/\/[^/?#]+)?\/(?!(?:orgs|users|gist|apps)\/)([^/?#]+\/[^/?#]+)/;
const IS_API_URL = /^(?:.+_)?url$/;

/** @param hasPages whether URLs lead to pages of a browser, as in GraphQL, and not to the API */
export function namesIn(body: unknown, { hasPages = false } = {}): NamesInJson {
  const repositories = new Set<string>();
  const repositoriesById = new Map<string, string>();
  const open: unknown[] = [body];
  let seen = 0;
  for (let value = open.pop(); value !== undefined && seen < MAX_VALUES; value = open.pop()) {
    seen += 1;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      if (typeof member !== 'string') {
        if (typeof member === 'object' && member !== null) open.push(member);
        continue;
      }
      const found = nameIn(name, member, hasPages);
      if (found === undefined) continue;
      repositories.add(found);
      const { id } = value as { readonly id?: unknown };
      if (name === 'full_name' && Number.isSafeInteger(id)) repositoriesById.set(String(id), found);
    }
  }
  return { repositories, repositoriesById, isWhole: seen < MAX_VALUES };
}

/** The name as `owner/name` in lower case, if it is one. */
export function repositoryName(text: string | undefined): string | undefined {
  return text !== undefined && REPOSITORY.test(text) ? text.toLowerCase() : undefined;
}

function nameIn(member: string, text: string, hasPages: boolean): string | undefined {
  if (member === 'full_name' || member === 'nameWithOwner') return repositoryName(text);
  if (!hasPages) return IS_API_URL.test(member) ? repositoryName(API_URL.exec(text)?.[1]) : undefined;
  const isPage = member === 'url' || member === 'resourcePath';
  return isPage ? repositoryName(PAGE_URL.exec(text)?.[1]) : undefined;
}
