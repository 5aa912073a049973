/*
 * The areas of a repository: what changes together below `/repos/OWNER/NAME`.
 */

/** The parts of a repository that change together. */
export type RepositoryArea =
  'self' | 'code' | 'issues' | 'pulls' | 'releases' | 'stars' | 'forks' | 'people' | 'runs' | 'security' | 'other';

const AREAS: Readonly<Record<string, RepositoryArea>> = {
  ...byArea('self', 'events'),
  ...byArea('code', 'activity', 'branches', 'codeowners', 'codespaces', 'commits', 'community', 'compare', 'contents'),
  ...byArea('code', 'contributors', 'dependency-graph', 'git', 'languages', 'readme', 'stats'),
  ...byArea('code', 'tags', 'topics', 'tarball', 'zipball', 'license', 'comments', 'merges', 'merge-upstream'),
  ...byArea('code', 'rules', 'rulesets'),
  ...byArea('issues', 'issues', 'labels', 'milestones'),
  ...byArea('pulls', 'pulls', 'stacks'),
  ...byArea('releases', 'releases'),
  ...byArea('stars', 'stargazers', 'subscribers', 'subscription'),
  ...byArea('forks', 'forks'),
  ...byArea('people', 'collaborators', 'teams', 'keys', 'hooks', 'invitations'),
  ...byArea('runs', 'actions', 'check-runs', 'check-suites', 'deployments', 'environments', 'pages', 'statuses'),
  ...byArea('runs', 'dispatches'),
  ...byArea('security', 'code-quality', 'code-scanning', 'dependabot', 'secret-scanning', 'security-advisories'),
  ...byArea('security', 'automated-security-fixes', 'code-security-configuration', 'private-vulnerability-reporting'),
  ...byArea('security', 'vulnerability-alerts'),
};

/** Assignees are collaborators. */
const ASSIGNEES: readonly RepositoryArea[] = ['issues', 'people'];

/** The data of a commit besides its code, by the last word of `commits/REF/WORD`; the ref may itself be a path. */
const OF_COMMIT: Readonly<Record<string, RepositoryArea>> = {
  ...byArea('runs', 'status', 'statuses', 'check-runs', 'check-suites'),
  ...byArea('pulls', 'pulls'),
};

/**
 * The areas that change with an area: a comment counts in its issue, a pull request is an issue too, a merge is a commit, and a commit
 * changes the pull requests of its branch.
 */
export const CHANGES: Readonly<Record<Exclude<RepositoryArea, 'other'>, readonly RepositoryArea[]>> = {
  self: ['self'],
  code: ['code', 'pulls', 'self'],
  issues: ['issues', 'pulls', 'self'],
  pulls: ['pulls', 'issues', 'code', 'self'],
  releases: ['releases', 'code'],
  stars: ['stars', 'self'],
  forks: ['forks', 'self'],
  people: ['people'],
  runs: ['runs'],
  security: ['security', 'self'],
};

/** Words below a repository whose answers depend on settings of its owner. */
export const OWNER_SETTINGS: ReadonlySet<string> = new Set([
  ...['actions', 'agents', 'branches', 'code-scanning', 'code-security-configuration', 'codespaces', 'copilot'],
  ...['dependabot', 'environments', 'immutable-releases', 'interaction-limits', 'issue-types'],
  ...['private-vulnerability-reporting'],
  ...['properties', 'rules', 'rulesets', 'secret-scanning'],
]);

/** The areas of a word; the one that a write there changes comes first. */
export function areasOf(below: string, rest: readonly string[]): readonly RepositoryArea[] {
  if (below === '') return ['self'];
  if (below === 'assignees') return ASSIGNEES;
  const area = (Object.hasOwn(AREAS, below) ? AREAS[below] : undefined) ?? 'other';
  const also = alsoOf(below, rest);
  return also === undefined ? [area] : [area, also];
}

function alsoOf(below: string, rest: readonly string[]): RepositoryArea | undefined {
  const last = rest.at(-1) ?? '';
  if (below === 'commits' && rest.length >= 2 && Object.hasOwn(OF_COMMIT, last)) return OF_COMMIT[last];
  if (below === 'actions' && rest[0] === 'workflows') return 'code'; // workflows are files
  return undefined;
}

/** Whether what follows a word is free text, such as the path of a file or the name of a branch. */
export function isFreeText(below: string): boolean {
  return (Object.hasOwn(AREAS, below) ? AREAS[below] : undefined) === 'code' || below === 'labels';
}

function byArea(area: RepositoryArea, ...segments: readonly string[]): Record<string, RepositoryArea> {
  return Object.fromEntries(segments.map((segment) => [segment, area]));
}
