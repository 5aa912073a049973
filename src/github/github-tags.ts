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
  ...byArea('issues', 'assignees', 'issues', 'labels', 'milestones'),
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
  runs: ['runs', 'code'],
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
  if (!place) return [];
  const accounts = place.account === undefined ? [] : [tagOfAccount(place.account)];
  const { named, below } = place;
  if (place.kind === 'account') return [...accounts, below === '' ? profileTag(named) : listTag(named, below)];
  return [...accounts, repositoryTag(named), areaTag(named, areaOf(below))];
}

/**
 * The tags of what a write under a path changes, beside the path itself: a new issue is in the list of issues, and in the
 * repository's number of open ones.
 */
export function githubTagsOfWrite(path: string): readonly string[] {
  const place = placeOf(path);
  if (!place) return [];
  const { named, below, account } = place;
  if (place.kind === 'account') {
    const lists = below === '' ? [] : [below, ...(BESIDE[below] ?? [])];
    return [profileTag(named), ...lists.map((list) => listTag(named, list))];
  }
  const area = areaOf(below);
  if (below !== '' && area !== 'other') return repositoryChange([named], CHANGES[area], account);
  return [repositoryTag(named), ...(account === undefined ? [] : [profileTag(account), listTag(account, 'repos')])];
}

/** The tags of a change in parts of a repository; what the repository tells of itself is told in its owner's list too. */
export function repositoryChange(
  names: readonly Named[],
  areas: readonly RepositoryArea[],
  ...owners: readonly (Named | undefined)[]
): readonly string[] {
  const lists = areas.includes('self') ? owners.filter((owner) => owner !== undefined) : [];
  return [
    ...names.flatMap((named) => areas.map((area) => areaTag(named, area))),
    ...lists.map((owner) => listTag(owner, 'repos')),
  ];
}

/** Lists of an account that a write to another one changes. */
const BESIDE: Readonly<Record<string, readonly string[]>> = { memberships: ['members'], teams: ['repos'] };

interface Place {
  readonly kind: 'account' | 'repository';
  readonly named: Named;
  /** The account's name, if the path tells it. */
  readonly account?: string;
  /** The word behind the name: a list or a part; empty for the thing itself. */
  readonly below: string;
}

/** What a path is about, by the names and by the ids that GitHub's links have. */
function placeOf(path: string): Place | undefined {
  const [kind, first = '', second = '', third = '', fourth = ''] = path.toLowerCase().split('/').slice(1);
  if (first === '') return undefined;
  switch (kind) {
    case 'users':
    case 'orgs':
      return { kind: 'account', named: first, account: first, below: second };
    case 'repos':
      if (second === '') return undefined;
      return { kind: 'repository', named: `${first}/${second}`, account: first, below: third };
    case 'repositories':
      return isId(first) ? { kind: 'repository', named: { id: first }, below: second } : undefined;
    case 'organizations':
      return isId(first) ? { kind: 'account', named: { id: first }, below: second } : undefined;
    case 'user':
      if (isId(first)) return { kind: 'account', named: { id: first }, below: second };
      // the caller stars a repository
      if (first !== 'starred' || third === '' || fourth !== '') return undefined;
      return { kind: 'repository', named: `${second}/${third}`, account: second, below: 'stargazers' };
    default:
      return undefined;
  }
}

function areaOf(below: string): RepositoryArea {
  return below === '' ? 'self' : (AREAS[below] ?? 'other');
}

function isId(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}

function byArea(area: RepositoryArea, ...segments: readonly string[]): Record<string, RepositoryArea> {
  return Object.fromEntries(segments.map((segment) => [segment, area]));
}
