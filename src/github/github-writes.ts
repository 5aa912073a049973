import { mayMutate } from '../upstream';
import { placeOf, type AccountPlace, type Named, type Other, type RepositoryPlace } from './github-places';
import { namesMade, tokensEnded, type NamesMade } from './github-write-bodies';
import {
  accountTag,
  ACCOUNTS_BY_ID,
  ADVISORIES,
  areaTag,
  callersListTags,
  enterpriseListTag,
  enterpriseTag,
  gistTag,
  GISTS,
  listTag,
  profileTag,
  REPOSITORIES_BY_ID,
  repositoryTag,
  settingsTag,
  TEAMS,
  teamTag,
  viewerTag,
} from './github-tags';
import { areasOf, CHANGES, type RepositoryArea } from './repository-areas';

/**
 * The changes of a write, as tags, besides the path itself (RFC 9111 §4.4 requires the path and leaves the rest to the cache).
 *
 * The invariant: after the answer to a write, no response that it has obviously changed is a hit: the thing itself, its parent, the lists
 * that contain it, and where a user's access may have ended, everything loaded with that access, for every caller. A write purges too much
 * rather than too little; the number of tags of one write is bounded by its path.
 */

/** Every response of GitHub: where access ends by an id alone, the responses concerned are unknown. GitHub documents few such paths. */
export const EVERYTHING = '*';

/** Lists of the caller that depend on organizations and teams. */
const CALLERS_MEMBERSHIPS = ['orgs', 'memberships', 'teams', 'repos', 'issues'].map(viewerTag);
/** Words below `/user` whose writes the caller's profile shows: it counts repositories and followed accounts. */
const SHOWN_BY_PROFILE: ReadonlySet<string> = new Set(['', 'email', 'emails', 'following', 'repos']);
/** Lists of an account that show what it belongs to. */
const BELONGS_TO = ['orgs', 'repos', 'events', 'received_events', 'starred', 'subscriptions', 'followers', 'following'];

/** Words of an organization behind which its settings do not lie. */
const NOT_SETTINGS: ReadonlySet<string> = new Set([
  ...['repos', 'teams', 'members', 'memberships', 'public_members', 'outside_collaborators', 'invitations', 'blocks'],
  ...['packages', 'projectsv2', 'migrations', 'hooks', 'docker'],
]);
/** Words after which a write may end a user's access to an organization. */
const ACCESS: ReadonlySet<string> = new Set([
  ...['blocks', 'members', 'memberships', 'organization-roles', 'outside_collaborators', 'personal-access-tokens'],
  ...['personal-access-token-requests', 'security-managers'],
]);
/** Lists of an account that a write to another one changes. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  invitations: ['failed_invitations', 'members'],
  public_members: ['members'],
  teams: ['repos', 'invitations'],
};
/** Lists of the caller that a write below a repository changes. */
const CALLERS_LISTS: Readonly<Record<string, readonly string[]>> = {
  stargazers: ['starred'],
  subscription: ['subscriptions', 'notifications'],
  notifications: ['notifications'],
  forks: ['profile', 'repos'], // the fork is the caller's
  generate: ['profile', 'repos'],
  collaborators: ['repository_invitations', 'repos'],
  invitations: ['repository_invitations'],
  codespaces: ['codespaces'],
  agents: ['agents'],
  pulls: ['codespaces'],
};

/**
 * Writes that change nothing that is stored: they read, or make something that no path shows. Everything else changes what its path
 * says.
 */
const CHANGES_NOTHING: readonly RegExp[] = [
  /^\/markdown(?:\/raw)?$/,
  /^\/(?:orgs|users)\/[^/]+\/attestations\/bulk-list$/,
  /^\/repos\/[^/]+\/[^/]+\/releases\/generate-notes$/,
  /\/actions\/runners\/(?:registration|remove)-token$/,
  /\/hooks\/[^/]+\/(?:pings|tests)$/,
  /^\/app\/installations\/[^/]+\/access_tokens$/,
];

/**
 * Writes that grant or end access to things that their path does not name: of an installation, of a suspended account, of an enterprise's
 * team in all of its organizations, of every token that a user gave an application.
 */
const CHANGES_ANYTHING: readonly RegExp[] = [
  /^\S+ \/app\/installations\/[^/]+(?:\/suspended)?$/,
  /^\S+ \/user\/installations\/[^/]+\/repositories\/[^/]+$/,
  /^DELETE \/applications\/[^/]+\/grant$/,
  /^DELETE \/enterprises\/[^/]+\/teams\/[^/]+$/,
  /^\S+ \/enterprises\/[^/]+\/teams\/[^/]+\/(?:memberships|organizations)(?:\/|$)/,
  /^\S+ \/enterprises\/[^/]+\/apps\//,
  /^\S+ \/scim\/v2\//,
  // of GitHub Enterprise Server
  /^\S+ \/users\/[^/]+\/(?:suspended|site_admin)$/,
  /^\S+ \/admin\/(?:users|organizations)\/[^/]+/,
];

/**
 * @param method of the write, in upper case
 * @param body of the write, where it is small
 */
export function githubTagsOfWrite(path: string, method: string, body?: Buffer): readonly string[] {
  if (changesNothing(path, method)) return [];
  const place = placeOf(path);
  const tags = [
    ...(changesAnything(path, method, body) ? [EVERYTHING] : []),
    ...(place === undefined ? [] : [...tagsOf(place, method), ...place.others.flatMap(tagsOfOther)]),
    ...tagsOfMade(namesMade(path, place, body)),
  ];
  return [...new Set(tags)];
}

function changesAnything(path: string, method: string, body: Buffer | undefined): boolean {
  const line = `${method} ${path.toLowerCase().replace(/\/+$/, '')}`;
  return CHANGES_ANYTHING.some((one) => one.test(line)) || tokensEnded(path, method, body) === undefined;
}

function tagsOfMade({ accounts, owners, repositories }: NamesMade): readonly string[] {
  const own = [...accounts.map(accountTag), ...accounts.map(profileTag), ...repositories.map(repositoryTag)];
  return owners.length === 0 ? own : [...own, ...ownedBy(...owners), ACCOUNTS_BY_ID];
}

/** In any spelling: if GitHub accepts it as this path, it is a mutation. */
export const GRAPHQL = /^\/+graphql\/*$/i;
/** Words below a repository behind which a write changes what is stored under the caller's name, which is not known here. */
const CHANGES_CALLER: ReadonlySet<string> = new Set(['stargazers', 'subscription', 'forks', 'generate']);

/**
 * Whether a write may change any answer of its caller: one by GraphQL, one of the caller's own settings and lists, which are at `/users/NAME`
 * too, one that makes a repository of the caller's, and one by an id, which is somewhere by its name.
 *
 * @param body of the write, where it is small
 */
export function changesCaller(path: string, method: string, body: Buffer | undefined): boolean {
  if (GRAPHQL.test(path)) return method === 'POST' && mayMutate(body);
  const place = placeOf(path);
  if (place === undefined || changesNothing(path, method)) return false;
  const isOfCaller = place.kind === 'repository' && CHANGES_CALLER.has(place.below);
  const isById = (place.kind === 'account' || place.kind === 'repository') && typeof place.named !== 'string';
  return place.kind === 'viewer' || place.kind === 'team' || isById || isOfCaller;
}

/** Whether a write only reads. */
export function changesNothing(path: string, method: string): boolean {
  return method === 'POST' && CHANGES_NOTHING.some((one) => one.test(path.toLowerCase()));
}

function tagsOf(place: NonNullable<ReturnType<typeof placeOf>>, method: string): readonly string[] {
  switch (place.kind) {
    case 'viewer':
      return ofViewer(place.lists, place.rest);
    case 'advisories':
      return [ADVISORIES];
    case 'team':
      return [teamTag(place.id), TEAMS, ...CALLERS_MEMBERSHIPS, ...(method === 'DELETE' ? [EVERYTHING] : [])];
    case 'enterprise':
      return [enterpriseTag(place.name), enterpriseListTag(place.below)];
    case 'gist':
      return [
        ...(place.id === undefined ? [] : [gistTag(place.id)]),
        GISTS,
        viewerTag('gists'),
        ...countsGists(method),
      ];
    case 'account':
      return ofAccount(place, method);
    case 'repository':
      return ofRepository(place, method);
  }
}

/** Profiles count the gists of an account, which the path does not name. */
function countsGists(method: string): readonly string[] {
  return method === 'POST' || method === 'DELETE' ? callersListTags('profile') : [viewerTag('profile')];
}

function ofViewer(lists: readonly string[], rest: readonly string[]): readonly string[] {
  const [list = '', kind = '', organization = ''] = rest;
  const beside = list === 'memberships' || list === 'repository_invitations' ? CALLERS_MEMBERSHIPS : [];
  // An accepted or left membership changes the organization's responses for the caller.
  const left = list === 'memberships' && kind === 'orgs' && organization !== '' ? everythingOf(organization) : [];
  const isShown = SHOWN_BY_PROFILE.has(list) && (list !== '' || lists.includes('profile'));
  return [
    ...[viewerTag('profile'), ...(isShown ? callersListTags('profile') : []), ...lists.flatMap(callersListTags)],
    ...[...(list === 'memberships' ? callersListTags('orgs') : []), ...beside, ...left, ACCOUNTS_BY_ID],
  ];
}

function ofAccount({ named, isOrganization, below, team, rest }: AccountPlace, method: string): readonly string[] {
  const isGone = below === '' && method === 'DELETE';
  const [, kind = ''] = rest;
  // A team has what its parent has, and a PATCH may give it another parent.
  const isOfTeam = below === 'teams' && rest.length > 0 && (method === 'DELETE' || method === 'PATCH' || kind !== '');
  const whole = isOrganization && (isGone || ACCESS.has(below) || isOfTeam) ? everythingOf(named) : [];
  const lists = below === '' ? [] : [below, ...(BESIDE[below] ?? [])];
  const isSettings = isOrganization && !NOT_SETTINGS.has(below);
  // An organization's list of repositories to migrate, to lock: `migrations/5/repos/NAME/lock`.
  const locked = below === 'migrations' && kind === 'repos' && typeof named === 'string' ? rest[2] : undefined;
  return [
    ...[profileTag(named), ...lists.map((list) => listTag(named, list)), viewerTag(below === '' ? 'profile' : below)],
    ...(typeof named === 'string' ? [ACCOUNTS_BY_ID] : [accountTag(named)]),
    ...(isSettings ? [settingsTag(named)] : []),
    ...(below === '' || below === 'repos' ? [listTag(named, 'repos'), viewerTag('orgs'), viewerTag('repos')] : []),
    ...(below === 'teams' ? [TEAMS] : []),
    ...(team === undefined ? [] : [teamTag(team)]),
    ...(locked === undefined || typeof named !== 'string' ? [] : [repositoryTag(`${named}/${locked}`)]),
    ...whole,
    ...(whole.length > 0 && typeof named !== 'string' ? [EVERYTHING] : []),
  ];
}

function ofRepository({ named, owner, below, rest }: RepositoryPlace, method: string): readonly string[] {
  const [area = 'other'] = areasOf(below, rest);
  const withdraws = (below === 'collaborators' || below === 'teams') && method === 'DELETE';
  const isWhole = below === '' || area === 'other' || withdraws;
  const areas: readonly RepositoryArea[] = area === 'other' ? [] : [...CHANGES[area], ...alsoChanged(below, area)];
  const beside = below === '' ? [] : [below, ...(below === 'collaborators' ? ['outside_collaborators'] : [])];
  return [
    ...(isWhole ? [repositoryTag(named), ...ownedBy(owner), ACCOUNTS_BY_ID] : repositoryChange([named], areas, owner)),
    // Lists of the organization, of all enterprises and of the caller show what its repositories have.
    ...(owner === undefined ? [] : beside.map((list) => listTag(owner, list))),
    ...(area === 'security' ? [enterpriseListTag(below)] : []),
    ...(CALLERS_LISTS[below] ?? []).flatMap(callersListTags),
    ...(owner === undefined ? [] : [REPOSITORIES_BY_ID]),
    ...(owner === undefined && method === 'DELETE' && (withdraws || below === '') ? [EVERYTHING] : []),
  ];
}

/** What decides the `mergeable_state` of a pull request. */
const SHOWN_BY_PULLS: ReadonlySet<string> = new Set([
  'statuses',
  'check-runs',
  'check-suites',
  'deployments',
  'actions',
]);

/** A tag may have a release; a page is shown by the repository itself, as `has_pages`. */
function alsoChanged(below: string, area: RepositoryArea): readonly RepositoryArea[] {
  if (below === 'git') return ['releases'];
  if (SHOWN_BY_PULLS.has(below)) return ['pulls', 'self'];
  return area === 'runs' || area === 'people' || area === 'releases' ? ['self'] : [];
}

/** The tags of a write's second name: members, and the repositories of a team. */
function tagsOfOther(other: Other): readonly string[] {
  if (other.kind === 'repository') return [repositoryTag(other.named), ...ownedBy(other.owner), REPOSITORIES_BY_ID];
  return [profileTag(other.named), ...BELONGS_TO.map((list) => listTag(other.named, list))];
}

/**
 * Everything stored for accounts and their repositories, for every caller: the user whose access ended is unknown here. Responses by the
 * id of a repository or a team do not show the owner, so they are removed, too.
 */
export function everythingOf(...accounts: readonly Named[]): readonly string[] {
  const hasId = accounts.some((account) => typeof account !== 'string');
  return [
    ...[...accounts.map(accountTag), ...CALLERS_MEMBERSHIPS, TEAMS, REPOSITORIES_BY_ID],
    ...(hasId ? [] : [ACCOUNTS_BY_ID]),
  ];
}

/**
 * The tags of a change in areas of a repository. The repository's own data are in lists of repositories too, and its issues in lists of
 * issues: its owner's, and the callers'.
 */
export function repositoryChange(
  names: readonly Named[],
  areas: readonly RepositoryArea[],
  ...owners: readonly (Named | undefined)[]
): readonly string[] {
  if (names.length === 0) return [];
  const lists = [...(areas.includes('self') ? ['repos'] : []), ...(areas.includes('issues') ? ['issues'] : [])];
  const known = owners.filter((owner) => owner !== undefined);
  return [
    ...names.flatMap((named) => areas.map((area) => areaTag(named, area))),
    ...lists.flatMap((list) => [...known.map((owner) => listTag(owner, list)), viewerTag(list)]),
  ];
}

/** What shows the repositories of accounts: their profiles count them, and the caller may be their owner. */
export function ownedBy(...owners: readonly (Named | undefined)[]): readonly string[] {
  const known = owners.filter((owner) => owner !== undefined);
  return [
    ...known.flatMap((owner) => [profileTag(owner), listTag(owner, 'repos')]),
    ...['profile', 'repos'].map(viewerTag),
  ];
}
