import { isFreeText } from './repository-areas';

/** The subject of a path of GitHub's REST API: by the names in it, and by the ids in GitHub's own links. */

/** An account or a repository (`owner/name`) by its name, or by its id. */
export type Named = string | { readonly id: string };

/** A second name in a path: `mona` in `/orgs/acme/members/mona`. */
export type Other =
  | { readonly kind: 'account'; readonly named: Named }
  | { readonly kind: 'repository'; readonly named: Named; readonly owner: string | undefined };

interface AnyPlace {
  /** What follows `below`. */
  readonly rest: readonly string[];
  readonly others: readonly Other[];
}

export type AccountPlace = AnyPlace & {
  readonly kind: 'account';
  readonly named: Named;
  readonly isOrganization: boolean;
  /** The word behind the name: a list; empty for the account itself. */
  readonly below: string;
  /** A team by its id, or by `org/slug`. */
  readonly team: string | undefined;
};

export type RepositoryPlace = AnyPlace & {
  readonly kind: 'repository';
  readonly named: Named;
  /** The owner's name, if the path has it. */
  readonly owner: string | undefined;
  /** The word behind the name: a part; empty for the repository itself. */
  readonly below: string;
  /** Lists of the caller that the path is in, too. */
  readonly lists: readonly string[];
};

export type Place =
  | AccountPlace
  | RepositoryPlace
  | (AnyPlace & { readonly kind: 'team'; readonly id: string })
  | (AnyPlace & { readonly kind: 'enterprise'; readonly name: string; readonly below: string })
  /** `id` is undefined for lists of gists. */
  | (AnyPlace & { readonly kind: 'gist'; readonly id: string | undefined })
  | (AnyPlace & { readonly kind: 'advisories' })
  | (AnyPlace & { readonly kind: 'viewer'; readonly lists: readonly string[] });

const NONE = { rest: [], others: [] };

/** Undefined for a path that names nothing, such as `/search/code` or `/zen`. */
export function placeOf(path: string): Place | undefined {
  const [kind = '', ...words] = path.toLowerCase().split('/').slice(1);
  const [first = '', second = '', ...rest] = words;
  switch (kind) {
    case 'users':
    case 'orgs':
      return first === '' ? undefined : accountAt(first, kind === 'orgs', second, rest);
    case 'organizations':
      if (first === '') return undefined;
      return accountAt(isId(first) ? { id: first } : first, true, second === 'team' ? 'teams' : second, rest);
    case 'repos':
    case 'networks':
      return repositoryAt(first, second, rest);
    case 'repositories':
      if (!isId(first)) return undefined;
      return { ...repositoryPlace({ id: first }, undefined, second, rest), lists: listsBeside(second) };
    case 'agents':
      if (first !== 'repos') return { kind: 'viewer', lists: ['agents'], ...NONE };
      return repositoryAt(second, rest[0] ?? '', ['agents', ...rest.slice(1)], ['agents']);
    case 'teams':
      return isId(first)
        ? { kind: 'team', id: first, rest: words.slice(1), others: othersIn(words.slice(1)) }
        : undefined;
    case 'enterprises':
      if (first === '') return undefined;
      return { kind: 'enterprise', name: first, below: second, rest, others: othersIn([second, ...rest]) };
    case 'gists':
      return { kind: 'gist', id: IS_LIST_OF_GISTS.has(first) ? undefined : first, ...NONE };
    case 'advisories':
      return { kind: 'advisories', ...NONE };
    case 'user':
      return userAt(words);
    default:
      return ofApp(kind, words);
  }
}

const IS_LIST_OF_GISTS: ReadonlySet<string> = new Set(['', 'public', 'starred']);
/** Paths without a name that differ by the caller's credential, and the caller's lists they are in. */
const OF_CALLER: Readonly<Record<string, string>> = {
  app: 'installations',
  issues: 'issues',
  notifications: 'notifications',
  marketplace_listing: 'marketplace_purchases',
  classrooms: 'classrooms',
  assignments: 'classrooms',
};

function ofApp(kind: string, words: readonly string[]): Place | undefined {
  if (kind === 'installation')
    return { kind: 'viewer', lists: listsOfViewer(['installations', '', ...words]), ...NONE };
  const list = Object.hasOwn(OF_CALLER, kind) ? OF_CALLER[kind] : undefined;
  return list === undefined ? undefined : { kind: 'viewer', lists: [list], rest: [], others: othersIn(words) };
}

/** `/user`, which is the caller, and `/user/15`, which is not. */
function userAt(words: readonly string[]): Place {
  const [first = '', second = '', third = '', ...rest] = words;
  if (isId(first)) return accountAt({ id: first }, false, second, [third, ...rest]);
  if ((first === 'starred' || first === 'subscriptions') && third !== '' && rest.length === 0) {
    const below = first === 'starred' ? 'stargazers' : 'subscription';
    return { ...repositoryPlace(`${second}/${third}`, second, below, rest), lists: [first] };
  }
  return { kind: 'viewer', lists: listsOfViewer(words), rest: words, others: othersIn(words) };
}

function accountAt(named: Named, isOrganization: boolean, below: string, rest: readonly string[]): AccountPlace {
  const [slug = ''] = rest;
  const team = below !== 'teams' || slug === '' ? undefined : typeof named === 'string' ? `${named}/${slug}` : slug;
  const others = othersIn([below, ...rest]);
  return { kind: 'account', named, isOrganization, below, team, rest, others };
}

function repositoryAt(
  owner: string,
  name: string,
  [below = '', ...rest]: readonly string[],
  lists: readonly string[] = listsBeside(below),
): RepositoryPlace | undefined {
  if (owner === '' || name === '') return undefined;
  return { ...repositoryPlace(`${owner}/${name}`, owner, below, rest), lists };
}

function repositoryPlace(
  named: Named,
  owner: string | undefined,
  below: string,
  rest: readonly string[],
): Omit<RepositoryPlace, 'lists'> {
  return { kind: 'repository', named, owner, below, rest, others: isFreeText(below) ? [] : othersIn([below, ...rest]) };
}

/** The caller's lists that show a part of a repository. */
function listsBeside(below: string): readonly string[] {
  return below === 'notifications' ? ['notifications'] : [];
}

function listsOfViewer([list = '', , below]: readonly string[]): readonly string[] {
  if (list === '') return ['profile'];
  return list === 'installations' && below === 'repositories' ? [list, 'repos'] : [list];
}

/** Words that the name of an account follows. */
const BEFORE_ACCOUNT: ReadonlySet<string> = new Set([
  ...['accounts', 'assignees', 'blocks', 'collaborators', 'following', 'members', 'memberships'],
  ...['organizations', 'orgs'],
  ...['outside_collaborators', 'public_members', 'user-stats', 'users'],
]);
/** A path names few things; a longer one does not exist. */
const MAX_OTHERS = 4;

function othersIn(words: readonly string[]): readonly Other[] {
  const others: Other[] = [];
  for (let at = 0; at + 1 < words.length && others.length < MAX_OTHERS; at++) {
    const [word = '', next = '', third = ''] = words.slice(at, at + 3);
    if (next === '') continue;
    if (word === 'repos' && third !== '') others.push({ kind: 'repository', named: `${next}/${third}`, owner: next });
    else if (word === 'repositories' && isId(next))
      others.push({ kind: 'repository', named: { id: next }, owner: undefined });
    else if (BEFORE_ACCOUNT.has(word) && !BEFORE_ACCOUNT.has(next)) {
      others.push({ kind: 'account', named: next });
      if (isId(next)) others.push({ kind: 'account', named: { id: next } }); // a login may be a number, too
    }
  }
  return others;
}

export function isId(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}
