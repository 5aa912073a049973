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
  ...byArea('code', 'tags', 'topics', 'tarball', 'zipball', 'license'),
  ...byArea('issues', 'assignees', 'issues', 'labels', 'milestones'),
  ...byArea('pulls', 'pulls'),
  ...byArea('releases', 'releases'),
  ...byArea('stars', 'stargazers', 'subscribers', 'subscription'),
  ...byArea('forks', 'forks'),
  ...byArea('people', 'collaborators', 'teams', 'keys', 'hooks', 'invitations'),
  ...byArea('runs', 'actions', 'check-runs', 'check-suites', 'deployments', 'environments', 'pages', 'statuses'),
};

/** The account itself, with the number of its repositories. */
export function profileTag(account: string): string {
  return `profile:${account.toLowerCase()}`;
}

/** A list of an account, such as `repos` or `members`. */
export function listTag(account: string, list: string): string {
  return `list:${account.toLowerCase()}:${list.toLowerCase()}`;
}

/** Everything that is stored of a repository. */
export function repositoryTag(fullName: string): string {
  return `repo:${fullName.toLowerCase()}`;
}

export function areaTag(fullName: string, area: RepositoryArea): string {
  return `repo:${fullName.toLowerCase()}:${area}`;
}

/** The tags of what GitHub has under a path. */
export function githubTags(path: string): readonly string[] {
  const [kind, first = '', second = '', third = ''] = path.toLowerCase().split('/').slice(1);
  if (first === '') return [];
  if (kind === 'users' || kind === 'orgs')
    return [tagOfAccount(first), second === '' ? profileTag(first) : listTag(first, second)];
  if (kind !== 'repos' || second === '') return [];
  const fullName = `${first}/${second}`;
  const area = third === '' ? 'self' : (AREAS[third] ?? 'other');
  return [tagOfAccount(first), repositoryTag(fullName), areaTag(fullName, area)];
}

function byArea(area: RepositoryArea, ...segments: readonly string[]): Record<string, RepositoryArea> {
  return Object.fromEntries(segments.map((segment) => [segment, area]));
}
