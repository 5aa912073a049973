import { tagOfAccount } from '../cache';

/*
 * What GitHub's paths speak of, as tags: an event of GitHub names the same things (`webhook-events.ts`). Names know no case.
 */

/** The parts of a repository that change together. */
export type RepositoryArea =
  'self' | 'code' | 'issues' | 'pulls' | 'releases' | 'stars' | 'forks' | 'people' | 'runs' | 'other';

const AREAS: Readonly<Record<string, RepositoryArea>> = {
  ...byArea(
    'code',
    'branches',
    'commits',
    'compare',
    'contents',
    'contributors',
    'git',
    'languages',
    'readme',
    'stats',
  ),
  ...byArea('code', 'tags', 'topics', 'tarball', 'zipball', 'license', 'comments', 'merges', 'merge-upstream'),
  ...byArea('code', 'rules', 'rulesets'),
  ...byArea('issues', 'issues', 'labels', 'milestones'),
  ...byArea('pulls', 'pulls'),
  ...byArea('releases', 'releases'),
  ...byArea('stars', 'stargazers', 'subscribers', 'subscription'),
  ...byArea('forks', 'forks'),
  ...byArea('people', 'collaborators', 'teams', 'keys', 'hooks', 'invitations'),
  ...byArea(
    'runs',
    'actions',
    'check-runs',
    'check-suites',
    'deployments',
    'environments',
    'pages',
    'statuses',
    'dispatches',
  ),
};

/** Who may be assigned is who collaborates. */
const ASSIGNEES: readonly RepositoryArea[] = ['issues', 'people'];

/** What is told of a commit beside its code, by the last word of `commits/REF/WORD`; the ref may itself be a path. */
const OF_COMMIT: Readonly<Record<string, RepositoryArea>> = {
  ...byArea('runs', 'status', 'statuses', 'check-runs', 'check-suites'),
  ...byArea('pulls', 'pulls'),
};

/** What else changes with an area: a comment counts in its issue, a pull request is an issue too, a merge is a commit. */
export const CHANGES: Readonly<Record<Exclude<RepositoryArea, 'other'>, readonly RepositoryArea[]>> = {
  self: ['self'],
  code: ['code', 'self'],
  issues: ['issues', 'pulls', 'self'],
  pulls: ['pulls', 'issues', 'code', 'self'],
  releases: ['releases', 'code'],
  stars: ['stars', 'self'],
  forks: ['forks', 'self'],
  people: ['people'],
  runs: ['runs'],
};

/** An account or a repository (`owner/name`) by its name, or by its id, by which GitHub's own links name it. */
export type Named = string | { readonly id: string };

/** The account itself, with the number of its repositories. */
export function profileTag(account: Named): string {
  return `profile:${wordOf(account)}`;
}

/** A list of an account, such as `repos` or `members`. */
export function listTag(account: Named, list: string): string {
  return `list:${wordOf(account)}:${list.toLowerCase()}`;
}

/** Everything that is stored of an account and of its repositories, as far as the path names it so. */
export function accountTag(account: Named): string {
  return tagOfAccount(wordOf(account));
}

/** A team by its id; by its name it is in its organization's list `teams`. */
export function teamTag(id: string): string {
  return `team:${id}`;
}

/** A list of whoever asks (`/user/repos`), or `profile`. Of each caller there is one, and it is not told apart whose it is. */
export function viewerTag(list: string): string {
  return `viewer:${list}`;
}

/** Everything that is stored of a repository. */
export function repositoryTag(repository: Named): string {
  return `repo:${wordOf(repository)}`;
}

export function areaTag(repository: Named, area: RepositoryArea): string {
  return `repo:${wordOf(repository)}:${area}`;
}

function wordOf(named: Named): string {
  return typeof named === 'string' ? named.toLowerCase() : `id=${named.id}`;
}

/** The tags of what GitHub has under a path. */
export function githubTags(path: string): readonly string[] {
  const place = placeOf(path);
  switch (place?.kind) {
    case undefined:
      return [];
    case 'viewer':
      return place.lists.map(viewerTag);
    case 'team':
      return [teamTag(place.id)];
    case 'account': {
      const { named, below, teamId } = place;
      const teams = teamId === undefined ? [] : [teamTag(teamId)];
      return [accountTag(named), below === '' ? profileTag(named) : listTag(named, below), ...teams];
    }
    case 'repository': {
      const { named, account, below, rest } = place;
      const accounts = account === undefined ? [] : [accountTag(account)];
      return [...accounts, repositoryTag(named), ...areasOf(below, rest).map((area) => areaTag(named, area))];
    }
  }
}

/**
 * The tags of what a write under a path changes, beside the path itself: a new issue is in the list of issues, and in the
 * repository's number of open ones.
 */
export function githubTagsOfWrite(path: string): readonly string[] {
  const place = placeOf(path);
  switch (place?.kind) {
    case undefined:
      return [];
    case 'viewer':
      return [...new Set(['profile', ...place.lists])].map(viewerTag);
    case 'team':
      return [teamTag(place.id), viewerTag('teams')];
    case 'account': {
      const { named, below } = place;
      if (below === '') return [profileTag(named)];
      const lists = [below, ...(BESIDE[below] ?? [])];
      return [profileTag(named), ...lists.map((list) => listTag(named, list)), viewerTag(below)];
    }
    case 'repository': {
      const { named, account, below, rest } = place;
      const [area = 'other'] = areasOf(below, rest);
      if (below === '' || area === 'other') return [repositoryTag(named), ...ownedBy(account)];
      return [
        ...repositoryChange([named], CHANGES[area], account),
        ...(area === 'stars' ? [viewerTag('starred')] : []),
        ...(area === 'forks' ? [viewerTag('profile')] : []), // the fork is the caller's
      ];
    }
  }
}

/**
 * The tags of a change in parts of a repository. What the repository tells of itself is told in lists of repositories too, and its
 * issues in lists of issues: its owner's, and those of who asks.
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

/** What tells of the repositories of accounts: their profiles count them, and whoever asks may be their owner. */
export function ownedBy(...owners: readonly (Named | undefined)[]): readonly string[] {
  const known = owners.filter((owner) => owner !== undefined);
  return [
    ...known.flatMap((owner) => [profileTag(owner), listTag(owner, 'repos')]),
    ...['profile', 'repos'].map(viewerTag),
  ];
}

/** Lists of an account that a write to another one changes. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  memberships: ['members', 'public_members'],
  teams: ['repos'],
};

type Place =
  /** `below` is the word behind the name: a list; empty for the account itself. */
  | { readonly kind: 'account'; readonly named: Named; readonly below: string; readonly teamId?: string }
  | {
      readonly kind: 'repository';
      readonly named: Named;
      /** The owner's name, if the path tells it. */
      readonly account?: string;
      /** The word behind the name: a part; empty for the repository itself. */
      readonly below: string;
      /** What follows. */
      readonly rest: readonly string[];
    }
  | { readonly kind: 'team'; readonly id: string }
  | { readonly kind: 'viewer'; readonly lists: readonly string[] };

/** What a path is about, by the names and by the ids that GitHub's links have. */
function placeOf(path: string): Place | undefined {
  const [kind, first = '', second = '', third = '', ...rest] = path.toLowerCase().split('/').slice(1);
  switch (kind) {
    case 'users':
    case 'orgs':
      return first === '' ? undefined : { kind: 'account', named: first, below: second };
    case 'repos':
      if (first === '' || second === '') return undefined;
      return { kind: 'repository', named: `${first}/${second}`, account: first, below: third, rest };
    case 'repositories':
      if (!isId(first)) return undefined;
      return { kind: 'repository', named: { id: first }, below: second, rest: [third, ...rest] };
    case 'organizations': {
      if (!isId(first)) return undefined;
      const account = { kind: 'account', named: { id: first }, below: second } as const;
      return second === 'team' ? { ...account, below: 'teams', ...(isId(third) && { teamId: third }) } : account;
    }
    case 'teams':
      return isId(first) ? { kind: 'team', id: first } : undefined;
    case 'user':
      if (isId(first)) return { kind: 'account', named: { id: first }, below: second };
      if (first === 'starred' && third !== '' && rest.length === 0)
        return { kind: 'repository', named: `${second}/${third}`, account: second, below: 'stargazers', rest };
      return { kind: 'viewer', lists: listsOfViewer(first, third) };
    case 'installation':
      return { kind: 'viewer', lists: listsOfViewer('installations', first) };
    case 'app':
    case 'issues':
      return { kind: 'viewer', lists: [kind === 'app' ? 'installations' : kind] };
    default:
      return undefined;
  }
}

function listsOfViewer(list: string, below: string): readonly string[] {
  if (list === '') return ['profile'];
  return list === 'installations' && below === 'repositories' ? [list, 'repos'] : [list];
}

/** The parts of a repository that tell what is behind its name; the one that a write there is about comes first. */
function areasOf(below: string, rest: readonly string[]): readonly RepositoryArea[] {
  if (below === '') return ['self'];
  if (below === 'assignees') return ASSIGNEES;
  const area = (Object.hasOwn(AREAS, below) ? AREAS[below] : undefined) ?? 'other';
  const last = rest.at(-1) ?? '';
  const also = below === 'commits' && rest.length >= 2 && Object.hasOwn(OF_COMMIT, last) ? OF_COMMIT[last] : undefined;
  return also === undefined ? [area] : [area, also];
}

function isId(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}

function byArea(area: RepositoryArea, ...segments: readonly string[]): Record<string, RepositoryArea> {
  return Object.fromEntries(segments.map((segment) => [segment, area]));
}
