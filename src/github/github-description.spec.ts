import { readFileSync } from 'node:fs';
import { githubTags } from './github-tags';
import { changesCaller, changesNothing, githubTagsOfWrite } from './github-writes';

/*
 * Walks GitHub's own description of its REST API (`@octokit/openapi-types`): a path of a new release that misses its tags fails here, by
 * its name.
 */

interface Operation {
  readonly method: string;
  /** With the names of parameters, such as `/orgs/{org}`. */
  readonly template: string;
}

function operationsOf(description: string): readonly Operation[] {
  const start = description.indexOf('export interface paths {');
  const paths = description.slice(start, description.indexOf('\n}\n', start));
  return [...paths.matchAll(/^ {2}"(\/[^"]*)": \{\n([^]*?)^ {2}\};/gm)].flatMap(([, template = '', methods = '']) =>
    [...methods.matchAll(/^ {4}(get|put|post|patch|delete): /gm)].map(([, method = '']) => ({
      method: method.toUpperCase(),
      template,
    })),
  );
}

const operations = operationsOf(readFileSync(require.resolve('@octokit/openapi-types/types.d.ts'), 'utf8'));
const reads = operations.filter(({ method }) => method === 'GET');
const writes = operations.filter(({ method }) => method !== 'GET');

const EXAMPLES: Readonly<Record<string, string>> = {
  ...{ owner: 'Acme', org: 'Acme', repo: 'Tool', enterprise: 'Corp', gist_id: 'a1b2', team_slug: 'Devs' },
  ...{ 'enterprise-team': 'Ent', username: 'Mona', assignee: 'Hubot', target_user: 'Lisa', account_id: '77' },
  ...{
    user_id: '78',
    team_id: '5',
    repo_owner: 'Other',
    repo_name: 'Thing',
    template_owner: 'Acme',
    template_repo: 'Tool',
  },
};

/** The path with an example for each name. */
function pathOf(template: string): string {
  return template.replace(/\{([^}]+)\}/g, (_whole, name: string) => EXAMPLES[name] ?? `x-${name}`);
}

/** The tags of everything that a path names. */
function namedBy(template: string): readonly string[] {
  const tags: string[] = [];
  const names = (...all: readonly string[]): boolean => all.every((name) => template.includes(`{${name}}`));
  if (names('owner')) tags.push('account:acme');
  if (names('org')) tags.push('account:acme');
  if (names('owner', 'repo') && !template.startsWith('/agents/{')) tags.push('repo:acme/tool');
  if (names('repo_owner', 'repo_name')) tags.push('account:other', 'repo:other/thing');
  if (names('enterprise')) tags.push('enterprise:corp');
  if (names('gist_id')) tags.push('gist:a1b2');
  if (names('username')) tags.push('account:mona');
  if (names('assignee')) tags.push('account:hubot');
  if (names('target_user')) tags.push('account:lisa');
  if (names('user_id')) tags.push('account:id=78');
  if (names('account_id')) tags.push('account:id=77');
  if (names('team_id')) tags.push('team:5');
  if (names('team_slug') && names('org')) tags.push('team:acme/devs');
  if (template.startsWith('/gists') && !names('gist_id')) tags.push('gists');
  if (/\bnotifications\b/.test(template)) tags.push('viewer:notifications');
  if (template.startsWith('/user/') && !/^\/user\/\{/.test(template))
    tags.push(`viewer:${template.split('/')[2] ?? ''}`);
  return tags;
}

/** What GitHub has for everybody alike, of which no write and no event tells. */
const NAMES_NOTHING: ReadonlySet<string> = new Set([
  ...['/', '/codes_of_conduct', '/codes_of_conduct/{key}', '/emojis', '/events', '/feeds', '/gitignore/templates'],
  ...['/gitignore/templates/{name}', '/licenses', '/licenses/{license}', '/meta', '/octocat', '/organizations'],
  ...['/rate_limit', '/repositories', '/search/code', '/search/commits', '/search/issues', '/search/labels'],
  ...['/search/repositories', '/search/topics', '/search/users', '/users', '/versions', '/zen', '/apps/{app_slug}'],
]);

/**
 * Writes by paths without a name: they change what no stored answer shows. A code is spent, a token of an application is checked.
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...['POST /app-manifests/{code}/conversions', 'POST /applications/{client_id}/token'],
  'POST /applications/{client_id}/token/scoped',
]);

/** Reads above a write's path, or the caller's of the same word, that are another thing: the write does not change them. */
const UNCHANGED: readonly (readonly [write: RegExp, read: string, reason: string])[] = [
  [/^\S+ \/users\//, '/users', 'lists all accounts there are'],
  [/^\S+ \/user\/starred\//, '/user', 'does not count stars'],
  [
    /^\S+ \/repos\/.*\/interaction-limits/,
    '/user/interaction-limits',
    "limits the caller's own repositories as a whole",
  ],
  [/^\S+ \/repos\/.*\/keys/, '/user/keys', "lists the caller's own keys, not those for deployment"],
];

const label = ({ method, template }: Operation): string => `${method} ${template}`;
const pathTag = (path: string): string => `path:${path}`;
const tagsOfRead = (template: string): readonly string[] => [
  pathTag(pathOf(template)),
  ...githubTags(pathOf(template)),
];
const tagsOfWrite = ({ method, template }: Operation): ReadonlySet<string> =>
  new Set([pathTag(pathOf(template)), ...githubTagsOfWrite(pathOf(template), method)]);

const templates = new Set(reads.map(({ template }) => template));
/** The read of the path itself, and of one to three words less. */
function itselfAndParents(template: string): readonly string[] {
  const words = template.split('/');
  return [0, 1, 2, 3].map((up) => words.slice(0, words.length - up).join('/')).filter((path) => templates.has(path));
}

/** The caller's own list of what a write is about. */
function callersListOf(template: string): readonly string[] {
  const list = template.split('/').at(template.startsWith('/repos/') ? 4 : 3) ?? '';
  const known: Readonly<Record<string, string>> = { subscription: 'subscriptions', stargazers: 'starred' };
  const path = `/user/${known[list] ?? list}`;
  return templates.has(path) && /^\/(?:repos|orgs)\//.test(template) ? [path] : [];
}

describe("GitHub's own description", () => {
  it('is read whole', () => {
    expect([reads.length, writes.length]).toEqual([639, 584]);
  });

  it('has no read that lacks a tag of what its path names', () => {
    const missing = reads.flatMap(({ template }) => {
      const tags = tagsOfRead(template);
      const lacking = namedBy(template).filter((tag) => !tags.includes(tag));
      return lacking.length === 0 ? [] : [`${template}: ${lacking.join(', ')}`];
    });
    expect(missing).toEqual([]);
  });

  it('has tags for every read, except reads without a name', () => {
    const bare = reads.map(({ template }) => template).filter((template) => githubTags(pathOf(template)).length === 0);
    expect(new Set(bare)).toEqual(NAMES_NOTHING);
  });

  it('has no write that leaves its own path, what is above it or the list it is in', () => {
    const left = writes.flatMap((write) => {
      if (changesNothing(pathOf(write.template), write.method)) return [];
      const tags = tagsOfWrite(write);
      const stale = [...itselfAndParents(write.template), ...callersListOf(write.template)].filter(
        (read) =>
          !UNCHANGED.some(([changing, unchanged]) => changing.test(label(write)) && unchanged === read) &&
          !tagsOfRead(read).some((tag) => tags.has(tag)),
      );
      return stale.length === 0 ? [] : [`${label(write)}: ${stale.join(', ')}`];
    });
    expect(left).toEqual([]);
  });

  it('has an effect for every write, except writes known to have none', () => {
    const idle = writes.filter(
      ({ method, template }) =>
        !changesNothing(pathOf(template), method) && githubTagsOfWrite(pathOf(template), method).length === 0,
    );
    expect(new Set(idle.map(label))).toEqual(WITHOUT_EFFECT);
  });

  it('has few writes that only read', () => {
    const idle = writes.filter(({ method, template }) => changesNothing(pathOf(template), method)).map(label);
    expect(idle.sort()).toEqual([
      'POST /app/installations/{installation_id}/access_tokens',
      'POST /markdown',
      'POST /markdown/raw',
      'POST /orgs/{org}/actions/runners/registration-token',
      'POST /orgs/{org}/actions/runners/remove-token',
      'POST /orgs/{org}/attestations/bulk-list',
      'POST /orgs/{org}/hooks/{hook_id}/pings',
      'POST /repos/{owner}/{repo}/actions/runners/registration-token',
      'POST /repos/{owner}/{repo}/actions/runners/remove-token',
      'POST /repos/{owner}/{repo}/hooks/{hook_id}/pings',
      'POST /repos/{owner}/{repo}/hooks/{hook_id}/tests',
      'POST /repos/{owner}/{repo}/releases/generate-notes',
      'POST /users/{username}/attestations/bulk-list',
    ]);
  });

  it('has no write with more than 30 tags', () => {
    const many = writes.filter(({ method, template }) => githubTagsOfWrite(pathOf(template), method).length > 30);
    expect(many.map(label)).toEqual([]);
  });

  // After the write in front, none of the reads behind it is a hit.
  it.each<[string, string, readonly string[]]>([
    ['DELETE', '/orgs/O', ['/repos/O/x', '/repos/O/x/issues', '/orgs/O/repos', '/orgs/O/members', '/repositories/9']],
    ['DELETE', '/repos/o/r/collaborators/mona', ['/repos/o/r/contents/key', '/repositories/9', '/users/mona/repos']],
    ['DELETE', '/orgs/O/members/U', ['/orgs/O/memberships/U', '/orgs/O/public_members', '/repos/O/secret/contents/k']],
    ['DELETE', '/orgs/O/memberships/U', ['/orgs/O/members', '/repos/O/secret', '/users/U/orgs', '/user/orgs']],
    ['PUT', '/orgs/O/outside_collaborators/U', ['/repos/O/secret/issues', '/orgs/O/members/U']],
    ['DELETE', '/orgs/O/outside_collaborators/U', ['/repos/O/secret/issues']],
    ['DELETE', '/orgs/O/teams/T', ['/repos/O/secret/issues', '/orgs/O/teams', '/user/teams', '/teams/5']],
    ['DELETE', '/orgs/O/teams/T/memberships/U', ['/repos/O/secret/contents/k', '/orgs/O/teams/T/members']],
    [
      'PUT',
      '/orgs/O/teams/T/repos/o/r',
      ['/repos/o/r/teams', '/repos/o/r', '/orgs/O/teams/T/repos', '/repositories/9/teams'],
    ],
    ['DELETE', '/orgs/O/teams/T/repos/o/r', ['/repos/o/r/contents/k', '/teams/5/repos']],
    ['PATCH', '/teams/5', ['/orgs/O/teams', '/teams/5', '/user/teams', '/organizations/15/team/5']],
    ['DELETE', '/teams/5/repos/o/r', ['/repos/o/r/contents/k', '/orgs/O/teams/T/repos']],
    ['PATCH', '/organizations/15/team/55', ['/teams/55', '/organizations/15/team/55/members', '/orgs/O/teams']],
    ['PUT', '/repos/o/r/subscription', ['/user/subscriptions', '/repos/o/r/subscribers']],
    [
      'PATCH',
      '/user/memberships/orgs/O',
      ['/user/orgs', '/user/repos', '/user/teams', '/repos/O/x', '/orgs/O/members'],
    ],
    ['PUT', '/repos/o/r/contents/a/b', ['/repos/o/r/pulls/1', '/repos/o/r/pulls/1/files', '/repos/o/r/activity']],
    [
      'PATCH',
      '/repos/o/r/git/refs/heads/x',
      ['/repos/o/r/community/profile', '/repos/o/r/pulls', '/repos/o/r/codeowners/errors'],
    ],
    ['DELETE', '/repos/o/r/git/refs/tags/v1', ['/repos/o/r/releases', '/repos/o/r/tags']],
    [
      'PUT',
      '/repos/o/r/contents/.github/workflows/a.yml',
      ['/repos/o/r/actions/workflows', '/repos/o/r/dependency-graph/sbom'],
    ],
    ['POST', '/repos/o/r/branches/B/rename', ['/repos/o/r/pulls', '/repos/o/r/branches/B']],
    ['PUT', '/gists/G/star', ['/gists/starred', '/gists/G/star']],
    ['PATCH', '/gists/G', ['/gists', '/users/mona/gists', '/gists/public', '/gists/G/commits']],
    ['PUT', '/notifications', ['/repos/o/r/notifications', '/notifications/threads/1']],
    ['PUT', '/repos/o/r/notifications', ['/notifications']],
    ['PATCH', '/enterprises/E/teams/T', ['/enterprises/E/teams', '/enterprises/E/teams/T']],
    ['POST', '/orgs/O/rulesets', ['/repos/O/r/rules/branches/main', '/repos/O/r/rulesets']],
    ['PUT', '/orgs/O/actions/permissions', ['/repos/O/r/actions/permissions']],
    ['PATCH', '/repos/o/r/dependabot/alerts/1', ['/orgs/o/dependabot/alerts', '/enterprises/E/dependabot/alerts']],
    ['PATCH', '/repos/o/r/code-scanning/alerts/1', ['/orgs/o/code-scanning/alerts', '/repos/o/r/code-scanning/alerts']],
    ['PATCH', '/repos/o/r', ['/repositories/9', '/repositories/9/issues']],
    ['POST', '/repos/o/r/issues', ['/repositories/9/issues', '/orgs/o/issues']],
    ['PATCH', '/orgs/O', ['/organizations/15', '/user/orgs']],
    ['POST', '/repos/o/r/pages', ['/repos/o/r', '/repos/o/r/pages/builds']],
    ['DELETE', '/user/following/U', ['/users/U', '/users/U/followers', '/user/following']],
    ['DELETE', '/teams/5/memberships/U', ['/teams/5/members', '/orgs/O/teams/T', '/user/orgs']],
    ...['statuses/abc', 'check-runs', 'check-suites', 'deployments/1/statuses', 'actions/runs/1/rerun'].map(
      (path): [string, string, string[]] => ['POST', `/repos/o/r/${path}`, ['/repos/o/r/pulls/1']],
    ),
    ['PUT', '/repos/o/r/branches/main/protection', ['/repos/o/r/pulls/1']],
    ['POST', '/agents/repos/o/r/tasks', ['/agents/tasks', '/agents/repos/o/r/tasks']],
  ])('%s %s leaves none of %j', (method, path, changed) => {
    const tags = new Set(githubTagsOfWrite(path, method));
    expect(changed.filter((read) => !githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });

  it.each([
    ['DELETE', '/teams/5/memberships/U'],
    ['DELETE', '/teams/5'],
    ['DELETE', '/repositories/9/collaborators/mona'],
    ['DELETE', '/organizations/7/members/mona'],
    ['DELETE', '/app/installations/5'],
    ['PUT', '/app/installations/5/suspended'],
    ['DELETE', '/App/Installations/5/suspended/'],
    ['DELETE', '/user/installations/5/repositories/77'],
    ['DELETE', '/applications/cid/grant'],
    ['PUT', '/users/mona/suspended'],
    ['DELETE', '/admin/users/mona'],
    ['DELETE', '/enterprises/corp/teams/t'],
    ['PUT', '/enterprises/corp/teams/t/memberships/mona'],
    ['POST', '/enterprises/corp/teams/t/memberships/remove'],
    ['DELETE', '/enterprises/corp/teams/t/organizations/acme'],
    ['DELETE', '/scim/v2/organizations/acme/Users/7'],
  ])(
    '%s %s removes every response of GitHub, because it does not name the user whose access has ended',
    (method, path) => {
      expect(githubTagsOfWrite(path, method)).toContain('*');
    },
  );

  it.each<[boolean, string, string]>([
    [true, 'PUT', '/user/starred/o/r'],
    [true, 'DELETE', '/user/starred/o/r'],
    [true, 'PUT', '/repos/o/r/subscription'],
    [true, 'PUT', '/user/subscriptions/o/r'],
    [true, 'POST', '/repos/o/r/forks'],
    [true, 'POST', '/repos/o/r/generate'],
    [true, 'POST', '/GRAPHQL'],
    [true, 'POST', '/graphql/'],
    [true, 'POST', '//GraphQL//'],
    [false, 'POST', '/graphql/x'],
    [false, 'POST', '/repos/o/r/issues'],
    [false, 'PUT', '/repos/o/r/contents/subscription'],
  ])('it is %s that something of the caller changes by %s %s', (changes, method, path) => {
    expect(changesCaller(path, method, Buffer.from('{"query":"mutation { a }"}'))).toBe(changes);
  });

  it.each<[string, string, readonly string[]]>([
    ['POST', '/repos/o/r/releases/generate-notes', ['/repos/o/r', '/repos/o/r/releases']],
    ['POST', '/orgs/O/attestations/bulk-list', ['/orgs/O', '/orgs/O/attestations/x']],
    ['POST', '/repos/o/r/issues', ['/repos/o/r2/issues', '/users/o', '/orgs/o', '/repos/o/r/commits', '/gists/G']],
    ['PUT', '/repos/o/r/contents/members/mona', ['/users/mona', '/users/mona/repos', '/orgs/o/members']],
    ['PATCH', '/gists/G', ['/gists/H', '/users/mona']],
    ['PUT', '/orgs/O/actions/permissions', ['/repos/O/r/issues', '/repos/O/r', '/repos/P/r/actions/permissions']],
  ])('%s %s leaves all of %j', (method, path, kept) => {
    const tags = new Set(githubTagsOfWrite(path, method));
    expect(kept.filter((read) => githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });
});
