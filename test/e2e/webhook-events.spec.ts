import { createHmac, randomUUID } from 'node:crypto';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ask } from './ask';

const SECRET = 'the-webhook-secret';
const CALLERS: readonly Record<string, string>[] = [{}, { authorization: 'Bearer ghp_somebody' }];

const repository = {
  ...{ id: 77, full_name: 'Acme/Tool', name: 'Tool', private: false },
  owner: { login: 'Acme', id: 7, type: 'Organization' },
};
const organization = { login: 'Acme', id: 7 };
const sender = { login: 'Me', id: 4 };
const team = { id: 5, slug: 'devs' };
const about = (more: object = {}) => ({ repository, organization, sender, ...more });
const ofOrganization = (more: object = {}) => ({ organization, sender, ...more });
const installation = (more: object = {}) => ({ installation: { id: 3, account: organization }, ...more });

const SELF = ['/repos/Acme/Tool', '/repos/acme/tool', '/repositories/77'];
const LISTS = ['/orgs/Acme/repos?per_page=5', '/users/acme/repos', '/organizations/7/repos?page=2', '/user/7/repos'];
const PROFILE = ['/users/acme', '/users/ACME', '/orgs/Acme', '/organizations/7', '/user/7'];
const VIEWER = ['/user', '/user/repos?page=2'];
const ISSUES = [
  ...['/repos/acme/tool/issues?state=open', '/repos/Acme/TOOL/issues/1/comments', '/repositories/77/issues?page=2'],
  ...['/repos/acme/tool/labels', '/repos/acme/tool/milestones'],
];
const LISTS_OF_ISSUES = ['/orgs/acme/issues', '/issues', '/user/issues'];
const PULLS = ['/repos/acme/tool/pulls', '/repositories/77/pulls/1/reviews', '/repos/acme/tool/commits/abc/pulls'];
const CODE = [
  ...['/repos/acme/tool/commits', '/repos/acme/tool/branches', '/repos/acme/tool/contents/a/b?ref=main'],
  ...['/repositories/77/commits?page=2', '/repos/acme/tool/readme', '/repos/acme/tool/topics'],
];
const RELEASES = ['/repos/acme/tool/releases', '/repos/acme/tool/releases/latest', '/repositories/77/releases?page=2'];
const RUNS = [
  ...['/repos/acme/tool/actions/runs', '/repositories/77/actions/runs?page=2', '/repos/acme/tool/check-runs/1'],
  ...[
    '/repos/acme/tool/commits/main/status',
    '/repos/acme/tool/commits/a/b/check-runs',
    '/repos/acme/tool/statuses/abc',
  ],
  ...['/repos/acme/tool/deployments', '/repositories/77/deployments', '/repos/acme/tool/environments'],
];
const PEOPLE = [
  ...['/repos/acme/tool/collaborators', '/repos/acme/tool/collaborators/me/permission'],
  ...['/repositories/77/collaborators', '/repos/acme/tool/assignees'],
];
const TEAMS = [
  ...['/orgs/acme/teams', '/orgs/acme/teams/devs/members', '/organizations/7/team/5', '/organizations/7/teams?page=2'],
  ...['/organizations/7/team/5/members?page=2', '/organizations/7/team/5/repos', '/teams/5', '/teams/5/members'],
  '/user/teams',
];
const SIBLING = ['/repos/acme/tool2', '/repos/acme/tool2/issues', '/repos/acme/tool2/commits'];
/** Of other repositories, accounts and teams. */
const OTHERS = ['/repos/acme2/tool', '/users/zed', '/users/zed/repos', '/organizations/8/repos', '/rate_limit'];
/** By ids that do not show whose they are: they stay unless everything of an organization goes. */
const BY_ID = ['/repositories/78/issues', '/repositories/7/issues', '/teams/6'];
const isOfWholeOrganization = (event: string, action: unknown): boolean =>
  (event === 'organization' && /^(?:renamed|deleted|member_added|member_removed)$/.test(String(action))) ||
  event === 'installation' ||
  event === 'membership';

describe('an event of GitHub removes what it has changed, for every caller, and only that:', () => {
  let github: ScriptedOrigin;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await ScriptedOrigin.start((response) => {
      response.setHeader('cache-control', 'public, max-age=3600');
      response.end('{"public_repos":1}');
    });
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: github.url, GITHUB_WEBHOOK_SECRET: SECRET, GITHUB_SETTLE_SECONDS: '0' },
    });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  const deliver = (event: string, payload: unknown) => {
    const body = JSON.stringify(payload);
    const headers = {
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    };
    return ask(service, '/webhooks/github', { method: 'POST', headers, body });
  };
  /** The paths that are answered out of the store, to any of the callers. */
  const stored = async (paths: readonly string[]): Promise<readonly string[]> => {
    const answers = await Promise.all(
      paths.flatMap((path) =>
        CALLERS.map(async (caller) => {
          const headers = { ...caller, 'cache-control': 'only-if-cached' };
          return (await ask(service, `/github${path}`, { headers })).status === 200 ? [path] : [];
        }),
      ),
    );
    return answers.flat();
  };
  const twice = (paths: readonly string[]) => paths.flatMap((path) => CALLERS.map(() => path));

  it.each<[string, unknown, readonly string[], readonly string[]]>([
    [
      'repository',
      about({ action: 'created' }),
      [...SELF, ...LISTS, ...PROFILE, ...VIEWER, ...ISSUES, ...CODE],
      SIBLING,
    ],
    [
      'repository',
      about({ action: 'deleted' }),
      [...SELF, ...LISTS, ...PROFILE, ...VIEWER, ...PULLS, ...RUNS],
      SIBLING,
    ],
    ['repository', about({ action: 'privatized' }), [...SELF, ...LISTS, ...PROFILE, ...VIEWER, ...RELEASES], SIBLING],
    ['public', about(), [...SELF, ...LISTS, ...PROFILE, ...VIEWER, ...ISSUES], SIBLING],
    [
      'repository',
      about({ action: 'edited', changes: { topics: { from: [] } } }),
      [...SELF, ...LISTS, ...CODE],
      [...PROFILE, ...RELEASES, ...PEOPLE.slice(0, 2)],
    ],
    [
      'repository',
      about({ action: 'renamed', changes: { repository: { name: { from: 'OldTool' } } } }),
      [...SELF, ...LISTS, '/repos/acme/oldtool', '/repos/ACME/OldTool/issues'],
      SIBLING,
    ],
    [
      'repository',
      about({ action: 'transferred', changes: { owner: { from: { user: { login: 'Prev', id: 9 } } } } }),
      [...SELF, ...LISTS, ...PROFILE, '/repos/prev/tool/issues', '/users/prev', '/users/Prev/repos', '/user/9/repos'],
      SIBLING,
    ],
    [
      'push',
      about(),
      [...SELF, ...LISTS, ...CODE, ...PULLS, '/user/repos', '/repos/acme/tool/activity'],
      [...ISSUES, ...RELEASES, ...PROFILE, ...PEOPLE, ...SIBLING],
    ],
    [
      'issues',
      about({ action: 'opened' }),
      [...ISSUES, ...LISTS_OF_ISSUES, ...SELF],
      [...CODE, ...RELEASES, ...PROFILE],
    ],
    ['pull_request', about({ action: 'closed' }), [...PULLS, ...ISSUES], [...CODE, ...RELEASES, ...PROFILE]],
    ['release', about({ action: 'published' }), RELEASES, [...ISSUES, ...PROFILE]],
    [
      'star',
      about({ action: 'created' }),
      [
        ...[
          '/repos/acme/tool/stargazers',
          '/repositories/77/stargazers?page=2',
          '/users/me/starred',
          '/user/4/starred',
        ],
        ...['/user/starred', '/user/starred/acme/tool', ...SELF],
      ],
      [...ISSUES, ...PROFILE],
    ],
    [
      'fork',
      about({ forkee: { id: 90, full_name: 'Me/Tool', owner: sender } }),
      [
        ...['/repos/acme/tool/forks', '/repositories/77/forks', '/repos/me/tool', '/repositories/90', '/users/me'],
        ...['/users/me/repos', '/user/4', ...VIEWER, ...SELF],
      ],
      [...ISSUES, ...PROFILE],
    ],
    [
      'member',
      about({ action: 'added', member: sender }),
      [...PEOPLE, ...SELF, '/users/me/repos'],
      [...CODE, ...PULLS],
    ],
    [
      'member',
      about({ action: 'removed', member: sender, repository: { ...repository, private: true } }),
      [...PEOPLE, ...SELF, ...CODE, ...PULLS],
      PROFILE,
    ],
    [
      'membership',
      ofOrganization({ action: 'added', team, member: sender }),
      [...TEAMS, '/orgs/acme/members', ...SELF, ...CODE, ...LISTS, ...SIBLING],
      [],
    ],
    ['team', ofOrganization({ action: 'edited', team }), TEAMS, [...PROFILE, '/orgs/acme/members']],
    [
      'organization',
      ofOrganization({ action: 'member_added', membership: { user: sender } }),
      [
        ...['/orgs/acme/members', '/orgs/acme/members/me', '/orgs/acme/public_members', '/orgs/acme/memberships/me'],
        ...['/organizations/7/members', '/users/me/orgs', '/user/orgs', '/user/memberships/orgs', '/orgs/acme'],
        ...[...CODE, ...LISTS, ...SIBLING],
      ],
      [],
    ],
    [
      'organization',
      ofOrganization({ action: 'member_removed', membership: { user: sender } }),
      [
        '/repos/acme/tool/contents/key',
        ...SELF,
        ...LISTS,
        ...CODE,
        '/repositories/77/contents/key',
        '/orgs/acme/members',
      ],
      [],
    ],
    [
      'membership',
      ofOrganization({ action: 'removed', team, member: sender }),
      ['/repos/acme/tool/contents/key', ...SELF, ...LISTS, ...CODE, ...TEAMS],
      [],
    ],
    ['push', about({ ref: 'refs/tags/v1' }), [...SELF, ...CODE, ...RELEASES], ISSUES],
    [
      'dependabot_alert',
      about(),
      [...SELF, '/repos/acme/tool/dependabot/alerts', '/orgs/acme/dependabot/alerts'],
      CODE,
    ],
    [
      'organization',
      { organization: { login: 'Newco', id: 7 }, action: 'renamed', changes: { login: { from: 'Acme' } } },
      ['/orgs/Newco', '/users/newco/repos', ...PROFILE, ...LISTS, '/orgs/acme/teams', '/repos/acme/tool/issues'],
      [],
    ],
    ['organization', ofOrganization({ action: 'deleted' }), [...PROFILE, ...LISTS, '/repos/acme/tool/issues'], []],
    [
      'installation_repositories',
      installation({ action: 'added', repositories_added: [{ id: 77, full_name: 'acme/tool', private: true }] }),
      [...SELF, ...CODE, '/installation/repositories', '/user/installations/3/repositories', '/user/installations'],
      PROFILE,
    ],
    [
      'installation',
      installation({ action: 'deleted', repositories: [{ id: 77, full_name: 'acme/tool' }] }),
      [
        ...SELF,
        '/installation/repositories',
        '/app/installations',
        '/orgs/acme/installation',
        '/orgs/acme/repos',
        ...SIBLING,
        '/orgs/acme/members',
        ...PROFILE.slice(0, 3),
      ],
      [],
    ],
    ...['check_run', 'status', 'deployment_status'].map(
      (event): [string, unknown, readonly string[], readonly string[]] => [
        event,
        about(),
        [...RUNS, ...PULLS],
        [...ISSUES, ...CODE, ...SELF],
      ],
    ),
    ...['deployment', 'deployment_review', 'deployment_protection_rule'].map(
      (event): [string, unknown, readonly string[], readonly string[]] => [event, about(), RUNS, [...ISSUES, ...SELF]],
    ),
  ])('%s %j', async (event, payload, gone, kept) => {
    const { action } = payload as { readonly action?: unknown };
    const rest = [...kept, ...OTHERS, ...(isOfWholeOrganization(event, action) ? [] : BY_ID)];
    for (const paths of [gone, rest])
      await Promise.all(paths.flatMap((path) => CALLERS.map((headers) => ask(service, `/github${path}`, { headers }))));
    expect(await stored([...gone, ...rest])).toEqual(twice([...gone, ...rest]));
    expect(await deliver(event, payload)).toMatchObject({ status: 202, json: { status: 'done' } });
    expect(await stored([...gone, ...rest])).toEqual(twice(rest));
  });
});
