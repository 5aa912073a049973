import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkedByName } from './github-links';
import { githubTags, githubTagsOfWrite } from './github-tags';
import { KNOWN_EVENTS, tagsOfEvent } from './webhook-events';

const repository = { full_name: 'Redis/Redis', owner: { login: 'Redis' } };
/** All of a repository, and what counts it. */
const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos', 'viewer:profile', 'viewer:repos'];
const about = (more: object = {}) => ({ repository, ...more });

describe('the tags of a path', () => {
  it.each<[string, readonly string[]]>([
    ['/users/Redis', ['account:redis', 'profile:redis']],
    ['/orgs/redis', ['account:redis', 'profile:redis']],
    ['/users/redis/repos', ['account:redis', 'list:redis:repos']],
    ['/repos/Redis/redis', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:self']],
    ['/repos/redis/redis/issues/1/comments', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:issues']],
    ['/repos/redis/redis/commits', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:code']],
    ['/repos/redis/redis/something', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:other']],
    ['/repositories/1081', ['repo:id=1081', 'repo:id=1081:self']],
    ['/repositories/1081/issues', ['repo:id=1081', 'repo:id=1081:issues']],
    ['/organizations/15/repos', ['account:id=15', 'list:id=15:repos']],
    ['/organizations/15/team/5/members', ['account:id=15', 'list:id=15:teams', 'team:5']],
    ['/teams/5/members', ['team:5']],
    ['/teams/devs', []],
    ['/user/15', ['account:id=15', 'profile:id=15']],
    ['/user/starred/Redis/redis', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:stars']],
    ['/user', ['viewer:profile']],
    ['/user/repos', ['viewer:repos']],
    ['/user/starred', ['viewer:starred']],
    ['/installation/repositories', ['viewer:installations', 'viewer:repos']],
    ['/user/installations/3/repositories', ['viewer:installations', 'viewer:repos']],
    ['/user/installations', ['viewer:installations']],
    ['/issues', ['viewer:issues']],
    ['/repositories/7/assignees', ['repo:id=7', 'repo:id=7:issues', 'repo:id=7:people']],
    ['/repositories/7/commits/a/b/status', ['repo:id=7', 'repo:id=7:code', 'repo:id=7:runs']],
    ['/repositories/7/commits/abc/pulls', ['repo:id=7', 'repo:id=7:code', 'repo:id=7:pulls']],
    ['/repositories/7/commits/status', ['repo:id=7', 'repo:id=7:code']],
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
  it.each<[string, readonly string[]]>([
    [
      '/repos/Redis/redis/issues/1/comments',
      [
        ...['repo:redis/redis:issues', 'repo:redis/redis:pulls', 'repo:redis/redis:self'],
        ...['list:redis:repos', 'viewer:repos', 'list:redis:issues', 'viewer:issues'],
      ],
    ],
    ['/repos/redis/redis/releases', ['repo:redis/redis:releases', 'repo:redis/redis:code']],
    ['/repos/redis/redis', gone],
    ['/repos/redis/redis/transfer', gone],
    [
      '/repos/redis/redis/forks',
      ['repo:redis/redis:forks', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos', 'viewer:profile'],
    ],
    ['/repositories/7/actions/runs', ['repo:id=7:runs']],
    ['/orgs/redis/repos', ['profile:redis', 'list:redis:repos', 'viewer:repos']],
    ['/user/repos', ['viewer:profile', 'viewer:repos']],
    ['/user', ['viewer:profile']],
    ['/teams/5/members', ['team:5', 'viewer:teams']],
    [
      '/orgs/redis/memberships/x',
      [
        ...['profile:redis', 'list:redis:memberships', 'list:redis:members', 'list:redis:public_members'],
        'viewer:memberships',
      ],
    ],
    [
      '/user/starred/redis/redis',
      ['repo:redis/redis:stars', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos', 'viewer:starred'],
    ],
    ['/graphql', []],
    ['/markdown', []],
  ])('%s: %j', (path, tags) => {
    expect(githubTagsOfWrite(path)).toEqual(tags);
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
  it.each<[string, unknown, readonly string[] | undefined]>([
    ['ping', { zen: 'x' }, []],
    ['push', about(), ['repo:redis/redis:code', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos']],
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
        ...['list:me:starred', 'list:id=4:starred', 'viewer:starred'],
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
        ...['repo:a/b:code', 'repo:a/b:self', 'repo:id=7:code', 'repo:id=7:self'],
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
    ['constructor', about(), undefined],
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
        ...['viewer:orgs', 'viewer:memberships', 'viewer:teams', 'viewer:repos', 'viewer:installations'],
      ],
    ],
    [
      'organization',
      { action: 'member_added', organization: { login: 'o' }, membership: { user: { login: 'Me' } } },
      [
        ...['profile:o', 'list:o:members', 'list:o:public_members', 'list:o:memberships'],
        ...['list:o:outside_collaborators', 'list:o:invitations', 'list:o:teams', 'list:me:orgs'],
        ...['viewer:orgs', 'viewer:memberships', 'viewer:teams', 'viewer:repos'],
      ],
    ],
    [
      'team',
      { organization: { login: 'o', id: 7 }, team: { id: 5, parent: { id: 6 } } },
      ['list:o:teams', 'list:id=7:teams', 'team:5', 'team:6', 'viewer:teams'],
    ],
    [
      'member',
      { repository: { ...repository, private: true }, member: { login: 'Me' } },
      [
        ...['repo:redis/redis:people', 'repo:redis/redis:self', 'list:redis:repos', 'viewer:repos'],
        ...['repo:redis/redis', 'list:redis:outside_collaborators', 'list:me:repos'],
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
    ['an_event_of_tomorrow', about(), undefined],
    ['push', {}, []],
    ['push', null, []],
    ['push', { repository: { full_name: 5 } }, []],
    ['repository', JSON.parse('{"__proto__":{"repository":{"full_name":"a/b"}}}'), []],
  ])('%s %j: %j', (event, payload, tags) => {
    expect(tagsOfEvent(event, payload)).toEqual(tags);
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

  it('has the areas of a repository as they are', () => {
    const [, table = ''] = page('reference/gateway-rules.md').split('| area |');
    const rows = [...table.matchAll(/^\| `([a-z]+)` \| ([^|]+) \|$/gm)];
    expect(rows).toHaveLength(10);
    for (const [, area, cell] of rows)
      for (const path of wordsIn(cell)) expect(githubTags(`/repos/a/b/${path}`)).toContain(`repo:a/b:${area}`);
  });
});
