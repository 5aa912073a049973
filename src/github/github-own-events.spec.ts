import { githubTags } from './github-tags';
import { CHANGES_NOTHING, effectOf, KNOWN_EVENTS } from './webhook-events';

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
