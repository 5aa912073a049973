import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkedByName } from './github-links';
import { githubTags } from './github-tags';
import { githubTagsOfWrite } from './github-writes';
import { CHANGES_NOTHING, effectOf, KNOWN_EVENTS } from './webhook-events';

const repository = { full_name: 'Redis/Redis', owner: { login: 'Redis' } };
/** All of a repository, and what counts it. */
const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos', 'viewer:profile', 'viewer:repos'];
const about = (more: object = {}) => ({ repository, ...more });

describe('the tags of a path', () => {
  it.each<[string, readonly string[]]>([
    ['/users/Redis', ['account:redis', 'profile:redis', 'anyone:profile']],
    ['/orgs/redis', ['account:redis', 'profile:redis', 'anyone:profile']],
    ['/users/redis/repos', ['account:redis', 'list:redis:repos', 'anyone:repos']],
    ['/repos/Redis/redis', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:self']],
    ['/repos/redis/redis/issues/1/comments', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:issues']],
    ['/repos/redis/redis/commits', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:code']],
    ['/repos/redis/redis/something', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:other']],
    ['/repositories/1081', ['repo:by-id', 'repo:id=1081', 'repo:id=1081:self']],
    ['/repositories/1081/issues', ['repo:by-id', 'repo:id=1081', 'repo:id=1081:issues']],
    ['/organizations/15/repos', ['account:id=15', 'list:id=15:repos', 'anyone:repos', 'account:by-id']],
    ['/organizations/15/team/5/members', ['account:id=15', 'list:id=15:teams', 'account:by-id', 'teams', 'team:5']],
    ['/teams/5/members', ['team:5', 'teams']],
    ['/teams/devs', []],
    ['/user/15', ['account:id=15', 'profile:id=15', 'anyone:profile', 'account:by-id']],
    ['/user/starred/Redis/redis', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:stars', 'viewer:starred']],
    ['/user', ['viewer:profile']],
    ['/user/repos', ['viewer:repos']],
    ['/user/starred', ['viewer:starred']],
    ['/installation/repositories', ['viewer:installations', 'viewer:repos']],
    ['/user/installations/3/repositories', ['viewer:installations', 'viewer:repos']],
    ['/user/installations', ['viewer:installations']],
    ['/issues', ['viewer:issues']],
    ['/repositories/7/assignees', ['repo:by-id', 'repo:id=7', 'repo:id=7:issues', 'repo:id=7:people']],
    ['/repositories/7/commits/a/b/status', ['repo:by-id', 'repo:id=7', 'repo:id=7:code', 'repo:id=7:runs']],
    ['/repositories/7/commits/abc/pulls', ['repo:by-id', 'repo:id=7', 'repo:id=7:code', 'repo:id=7:pulls']],
    ['/repositories/7/commits/status', ['repo:by-id', 'repo:id=7', 'repo:id=7:code']],
    ['/repos/a/b/constructor', ['account:a', 'repo:a/b', 'repo:a/b:other']],
    ['/repositories/redis', []],
    ['/repos/redis', []],
    ['/rate_limit', []],
    ['/', []],
  ])('%s: %j', (path, tags) => {
    expect(githubTags(path)).toEqual(tags);
  });
});

describe('the tags of what a write changes', () => {
  it.each<[string, string, readonly string[]]>([
    [
      'POST',
      '/repos/Redis/redis/issues/1/comments',
      [
        ...['repo:redis/redis:issues', 'repo:redis/redis:pulls', 'repo:redis/redis:self'],
        ...['list:redis:repos', 'viewer:repos', 'list:redis:issues', 'viewer:issues', 'repo:by-id'],
      ],
    ],
    ['POST', '/repos/redis/redis/transfer', [...gone, 'account:by-id', 'list:redis:transfer', 'repo:by-id']],
    ['PATCH', '/repos/redis/redis', [...gone, 'account:by-id', 'repo:by-id']],
    ['POST', '/repositories/7/actions/runs', ['repo:id=7:runs', 'repo:id=7:pulls', 'repo:id=7:self', 'viewer:repos']],
    ['POST', '/user/repos', ['viewer:profile', 'anyone:profile', 'viewer:repos', 'anyone:repos', 'account:by-id']],
    ['PATCH', '/user', ['viewer:profile', 'anyone:profile', 'account:by-id']],
    ['POST', '/graphql', []],
    ['POST', '/markdown', []],
  ])('%s %s: %j', (method, path, tags) => {
    expect(githubTagsOfWrite(path, method)).toEqual(tags);
  });
});

describe('a link', () => {
  it.each<[string, string, string]>([
    ['/repositories/7/issues', '/repos/a/b/issues', '/repos/a/b/issues'],
    ['/user/7/repos', '/users/a/repos', '/users/a/repos'],
    ['/organizations/7/repos', '/orgs/a/repos', '/orgs/a/repos'],
    ['/organizations/7/repos', '/users/a/repos', '/users/a/repos'],
    ['/repositories/7/issues', '/repos/a/b/pulls', '/repositories/7/issues'],
    ['/repositories/7/repos', '/users/a/repos', '/repositories/7/repos'],
    ['/user/7/b/issues', '/repos/a/b/issues', '/user/7/b/issues'],
    ['/repositories/7/issues', '/repositories/7/issues', '/repositories/7/issues'],
    ['/repos/a/b/issues', '/repos/a/b/issues', '/repos/a/b/issues'],
    ['/repositories/7', '/repos/a/b', '/repositories/7'],
    ['/search/code', '/search/code', '/search/code'],
  ])('to %s on %s is called %s', (path, asked, called) => {
    expect(linkedByName(path, asked)).toBe(called);
  });
});

describe('what an event changes', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['ping', { zen: 'x' }, []],
    [
      'push',
      about(),
      [
        ...['repo:redis/redis:code', 'repo:redis/redis:pulls', 'repo:redis/redis:self'],
        ...['list:redis:repos', 'viewer:repos'],
      ],
    ],
    ['gollum', about(), ['repo:redis/redis:code', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos']],
    [
      'issues',
      about({ action: 'opened' }),
      [
        ...['repo:redis/redis:issues', 'repo:redis/redis:pulls', 'repo:redis/redis:self'],
        ...['list:redis:repos', 'viewer:repos', 'list:redis:issues', 'viewer:issues'],
      ],
    ],
    [
      'star',
      about({ action: 'created', sender: { login: 'me', id: 4 } }),
      [
        ...['repo:redis/redis:stars', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos'],
        ...['list:me:starred', 'list:me:subscriptions', 'list:id=4:starred', 'list:id=4:subscriptions'],
        ...['viewer:starred', 'viewer:subscriptions'],
      ],
    ],
    [
      'fork',
      about({ forkee: { full_name: 'me/Redis', id: 90, owner: { login: 'me' } } }),
      [
        ...['repo:redis/redis:forks', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos'],
        ...['repo:me/redis', 'repo:id=90', 'profile:me', 'list:me:repos', 'viewer:profile'],
      ],
    ],
    [
      'push',
      { repository: { full_name: 'a/b', id: 7, owner: { login: 'a', id: 8 } } },
      [
        ...['repo:a/b:code', 'repo:a/b:pulls', 'repo:a/b:self'],
        ...['repo:id=7:code', 'repo:id=7:pulls', 'repo:id=7:self'],
        ...['list:a:repos', 'list:id=8:repos', 'viewer:repos'],
      ],
    ],
    [
      'repository',
      { action: 'deleted', repository: { full_name: 'a/b', id: 7, owner: { login: 'a', id: 8 } } },
      [
        ...['repo:a/b', 'repo:id=7', 'profile:a', 'list:a:repos', 'profile:id=8', 'list:id=8:repos'],
        ...['viewer:profile', 'viewer:repos'],
      ],
    ],
    ['push', { repository: { id: 1.5, full_name: '' } }, []],
    ['constructor', about(), ['repo:redis/redis']],
    ['release', about(), ['repo:redis/redis:releases', 'repo:redis/redis:code']],
    ['repository', about({ action: 'edited' }), ['repo:redis/redis:self', 'list:redis:repos', 'viewer:repos']],
    [
      'repository',
      about({ action: 'edited', changes: { default_branch: { from: 'master' }, description: { from: 'x' } } }),
      ['repo:redis/redis:self', 'repo:redis/redis:code', 'list:redis:repos', 'viewer:repos'],
    ],
    ['repository', about({ action: 'created' }), gone],
    ['repository', about({ action: 'privatized' }), gone],
    ['public', about(), gone],
    [
      'repository',
      about({ action: 'renamed', changes: { repository: { name: { from: 'Old' } } } }),
      ['repo:redis/redis', 'repo:redis/old', 'profile:redis', 'list:redis:repos', 'viewer:profile', 'viewer:repos'],
    ],
    [
      'repository',
      about({ action: 'transferred', changes: { owner: { from: { user: { login: 'antirez' } } } } }),
      [
        'repo:redis/redis',
        'repo:antirez/redis',
        'profile:redis',
        'list:redis:repos',
        'profile:antirez',
        'list:antirez:repos',
        'viewer:profile',
        'viewer:repos',
      ],
    ],
    [
      'organization',
      { action: 'renamed', organization: { login: 'New', id: 7 }, changes: { login: { from: 'Old' } } },
      [
        ...['account:new', 'account:id=7', 'account:old'],
        ...['viewer:orgs', 'viewer:memberships', 'viewer:teams', 'viewer:repos', 'viewer:issues'],
        ...['teams', 'repo:by-id', 'viewer:installations'],
      ],
    ],
    [
      'organization',
      { action: 'member_added', organization: { login: 'o' }, membership: { user: { login: 'Me' } } },
      [
        ...['profile:o', 'list:o:members', 'list:o:public_members', 'list:o:memberships'],
        ...['list:o:outside_collaborators', 'list:o:invitations', 'list:o:failed_invitations', 'list:o:teams'],
        ...['list:o:blocks', 'list:o:organization-roles', 'profile:me', 'list:me:orgs', 'list:me:repos'],
        ...['viewer:orgs', 'viewer:memberships', 'viewer:teams', 'viewer:repos', 'viewer:issues'],
        ...['account:o', 'teams', 'repo:by-id', 'account:by-id'],
      ],
    ],
    [
      'team',
      { organization: { login: 'o', id: 7 }, team: { id: 5, slug: 'Devs', parent: { id: 6 } } },
      ['list:o:teams', 'list:id=7:teams', 'team:5', 'team:6', 'team:o/devs', 'viewer:teams'],
    ],
    [
      'member',
      { repository: { ...repository, private: true }, member: { login: 'Me' } },
      [
        ...['repo:redis/redis:people', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos'],
        ...['repo:redis/redis', 'list:redis:outside_collaborators', 'list:me:repos', 'viewer:repository_invitations'],
      ],
    ],
    [
      'installation_repositories',
      {
        installation: { account: { login: 'a' } },
        repositories_added: [{ id: 7, full_name: 'a/b' }, null, 'a/c'],
        repositories_removed: {},
      },
      [
        ...['list:a:repos', 'list:a:installation', 'list:a:installations'],
        ...['viewer:installations', 'viewer:repos', 'repo:a/b', 'repo:id=7'],
      ],
    ],
    ['deployment_review', about(), ['repo:redis/redis:runs']],
    ['an_event_of_tomorrow', about(), ['repo:redis/redis']],
    ['an_event_of_tomorrow', { organization: { login: 'O', id: 7 } }, ['account:o', 'account:id=7']],
    ['an_event_of_tomorrow', {}, []],
    ['push', {}, []],
    ['push', null, []],
    ['push', { repository: { full_name: 5 } }, []],
    ['repository', JSON.parse('{"__proto__":{"repository":{"full_name":"a/b"}}}'), []],
  ])('%s %j: %j', (event, payload, tags) => {
    expect(effectOf(event, payload).tags).toEqual(tags);
  });
});

interface Example {
  readonly name: string;
  readonly examples: readonly Record<string, unknown>[];
}

const WITHDRAWN = [
  ...['/repos/acme/secret/contents/key', '/repos/acme/secret', '/orgs/acme/repos', '/orgs/acme/members/mona'],
  ...['/user/repos', '/user/orgs', '/repositories/9/contents/key', '/organizations/7/repos', '/teams/5/members'],
];
const CODE = [
  'activity',
  'community/profile',
  'codeowners/errors',
  'dependency-graph/sbom',
  'actions/workflows',
  'pulls/1',
].map((path) => `/repos/acme/secret/${path}`);

describe("GitHub's own events", () => {
  const examples = jest.requireActual<readonly Example[]>('@octokit/webhooks-examples');
  const { webhooks } = jest.requireActual<{
    readonly webhooks: Readonly<Record<string, { readonly post: { 'x-github': { readonly subcategory: string } } }>>;
  }>('@octokit/openapi-webhooks/generated/api.github.com.json');
  const described = Object.values(webhooks).map(({ post }) => post['x-github'].subcategory.replaceAll('-', '_'));
  const payloads = examples.flatMap(({ name, examples: ofKind }) => ofKind.map((payload) => ({ name, payload })));

  it('all have a row, and there is none without an event', () => {
    const kinds = [...new Set([...described, ...examples.map(({ name }) => name)])].sort();
    expect([...KNOWN_EVENTS].sort()).toEqual(kinds);
  });

  it('change something in each real payload, except events known to change nothing', () => {
    expect(payloads).toHaveLength(329);
    const idle = payloads.filter(({ name, payload }) => effectOf(name, payload).tags.length === 0);
    expect(idle.filter(({ name }) => !Object.hasOwn(CHANGES_NOTHING, name))).toEqual([]);
    expect(new Set(idle.map(({ name }) => name))).toEqual(
      new Set(Object.keys(CHANGES_NOTHING).filter((name) => examples.some((example) => example.name === name))),
    );
  });

  /** What a name of a payload is found by: of a repository its own tags, of an organization that is all it names its own. */
  it('purge something of the repository or the organization that they name', () => {
    const elsewhere = new Set(['github_app_authorization', 'marketplace_purchase', ...Object.keys(CHANGES_NOTHING)]);
    const missed = payloads.filter(({ name, payload }) => {
      const { repository, organization } = payload as Record<
        string,
        { full_name?: string; login?: string } | undefined
      >;
      const { tags } = effectOf(name, payload);
      const ofRepository = `repo:${repository?.full_name?.toLowerCase() ?? ''}`;
      const account = (repository?.full_name?.split('/')[0] ?? organization?.login ?? '').toLowerCase();
      if (elsewhere.has(name) || account === '') return false;
      const isOfRepository = repository !== undefined && !/package|meta|projects_v2/.test(name);
      return isOfRepository
        ? !tags.some((tag) => tag === ofRepository || tag.startsWith(`${ofRepository}:`))
        : !tags.some((tag) => new RegExp(`^(?:account|list|profile|settings):${account}(?::|$)`).test(tag));
    });
    expect(missed.map(({ name }) => name)).toEqual([]);
  });

  it('purge few tags each', () => {
    const most = Math.max(...payloads.map(({ name, payload }) => effectOf(name, payload).tags.length));
    expect(most).toBeLessThanOrEqual(60);
  });

  const repo = { full_name: 'acme/secret', id: 9, private: true, owner: { login: 'acme', id: 7 } };
  const organization = { login: 'acme', id: 7 };
  it.each<[string, object, readonly string[]]>([
    ['organization', { action: 'member_removed', organization, membership: { user: { login: 'mona' } } }, WITHDRAWN],
    [
      'membership',
      { action: 'removed', organization, team: { id: 5, slug: 't' }, member: { login: 'mona' } },
      WITHDRAWN,
    ],
    ['organization', { action: 'member_added', organization, membership: { user: { login: 'mona' } } }, WITHDRAWN],
    ['membership', { action: 'added', organization, team: { id: 5, slug: 't' }, member: { login: 'mona' } }, WITHDRAWN],
    ['team', { action: 'deleted', organization, team: { id: 5, slug: 't' } }, WITHDRAWN],
    ...[
      ...['status', 'check_run', 'check_suite', 'workflow_run', 'deployment_status', 'branch_protection_rule'],
      ...['branch_protection_configuration', 'repository_ruleset'],
    ].map((event): [string, object, string[]] => [
      event,
      { repository: repo },
      ['/repos/acme/secret/pulls/1', '/repositories/9/pulls/1', '/repos/acme/secret/pulls'],
    ]),
    ['org_block', { action: 'blocked', organization, blocked_user: { login: 'mona' } }, WITHDRAWN],
    ['member', { action: 'removed', repository: repo, member: { login: 'mona' } }, ['/repos/acme/secret/contents/key']],
    [
      'team',
      { action: 'removed_from_repository', repository: repo, organization, team: { id: 5 } },
      ['/repos/acme/secret/contents/key'],
    ],
    [
      'repository',
      { action: 'privatized', repository: repo },
      ['/repos/acme/secret/contents/key', '/repositories/9/issues'],
    ],
    [
      'installation',
      { action: 'suspend', installation: { account: organization } },
      ['/repos/acme/secret/contents/key'],
    ],
    ...['created', 'deleted', 'unsuspend', 'new_permissions_accepted'].map((action): [string, object, string[]] => [
      'installation',
      { action, installation: { account: organization }, repositories: [{ full_name: 'acme/named', id: 77 }] },
      ['/repos/acme/unnamed', '/orgs/acme/members', '/orgs/acme/teams', '/repos/acme/named', '/repositories/78'],
    ]),
    [
      'github_app_authorization',
      { action: 'revoked', sender: { login: 'mona' } },
      [
        ...['/user', '/user/repos', '/user/orgs', '/user/teams', '/user/emails', '/user/installations'],
        ...['/user/memberships/orgs/acme', '/user/starred/acme/tool', '/issues', '/notifications', '/gists'],
      ],
    ],
    [
      'issues',
      { action: 'transferred', repository: repo, changes: { new_repository: { full_name: 'o/new' } } },
      ['/repos/o/new/issues', '/repos/acme/secret/issues/1'],
    ],
    ['push', { repository: repo, ref: 'refs/heads/main' }, CODE],
    ['push', { repository: repo, ref: 'refs/tags/v1' }, ['/repos/acme/secret/releases', '/repos/acme/secret/tags']],
    [
      'create',
      { repository: repo, ref: 'v1', ref_type: 'tag' },
      ['/repos/acme/secret/releases', '/repos/acme/secret/activity'],
    ],
    [
      'delete',
      { repository: repo, ref: 'v1', ref_type: 'tag' },
      ['/repos/acme/secret/releases', '/repos/acme/secret/activity'],
    ],
    [
      'membership',
      { action: 'added', organization, member: { login: 'mona' } },
      ['/orgs/acme/memberships/mona', '/user/memberships/orgs'],
    ],
    ['member', { action: 'added', repository: repo, member: { login: 'mona' } }, ['/user/repository_invitations']],
    [
      'workflow_job',
      { repository: repo, organization },
      ['/orgs/acme/actions/runners', '/repos/acme/secret/actions/runs'],
    ],
    [
      'issue_dependencies',
      { repository: repo, blocking_issue_repo: { full_name: 'o/b' } },
      ['/repos/acme/secret/issues/1', '/repos/o/b/issues/2'],
    ],
    ['security_and_analysis', { repository: repo }, ['/repos/acme/secret']],
    [
      'dependabot_alert',
      { repository: repo },
      ['/repos/acme/secret/dependabot/alerts', '/orgs/acme/dependabot/alerts', '/enterprises/e/dependabot/alerts'],
    ],
    ['projects_v2_item', { organization }, ['/orgs/acme/projectsV2', '/orgs/acme/projectsV2/1/items']],
    ['repository_ruleset', { organization }, ['/orgs/acme/rulesets', '/repos/acme/x/rules/branches/main']],
    ['security_advisory', {}, ['/advisories', '/advisories/GHSA-1']],
  ])('%s %j leaves none of %j', (event, payload, changed) => {
    const tags = new Set(effectOf(event, payload).tags);
    expect(changed.filter((path) => !githubTags(path).some((tag) => tags.has(tag)))).toEqual([]);
  });
});

describe('the documentation', () => {
  const page = (name: string) => readFileSync(join(__dirname, '../../docs', name), 'utf8');
  const wordsIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

  it('has every event that is known, and no other', () => {
    const [, table = ''] = page('guides/invalidate.md').split('### What an event removes');
    const told = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) => wordsIn(cell));
    expect([...new Set(told)].sort()).toEqual([...KNOWN_EVENTS].sort());
  });

  it('has the areas of a repository unchanged', () => {
    const [, table = ''] = page('reference/gateway-rules.md').split('| area |');
    const rows = [...table.matchAll(/^\| `([a-z]+)` \| ([^|]+) \|$/gm)];
    expect(rows).toHaveLength(11);
    for (const [, area, cell] of rows)
      for (const path of wordsIn(cell)) expect(githubTags(`/repos/a/b/${path}`)).toContain(`repo:a/b:${area}`);
  });
});
