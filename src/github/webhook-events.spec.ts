import { linkedByName } from './github-links';
import { githubTags, githubTagsOfWrite } from './github-tags';
import { tagsOfEvent } from './webhook-events';

const repository = { full_name: 'Redis/Redis', owner: { login: 'Redis' } };
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
    ['/organizations/15/repos', ['list:id=15:repos']],
    ['/user/15', ['profile:id=15']],
    ['/user/starred/Redis/redis', ['account:redis', 'repo:redis/redis', 'repo:redis/redis:stars']],
    ['/user/repos', []],
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
      ['repo:redis/redis:issues', 'repo:redis/redis:pulls', 'repo:redis/redis:self', 'list:redis:repos'],
    ],
    ['/repos/redis/redis/releases', ['repo:redis/redis:releases', 'repo:redis/redis:code']],
    ['/repos/redis/redis', ['repo:redis/redis', 'profile:redis', 'list:redis:repos']],
    ['/repos/redis/redis/transfer', ['repo:redis/redis', 'profile:redis', 'list:redis:repos']],
    ['/repositories/7/actions/runs', ['repo:id=7:runs', 'repo:id=7:code']],
    ['/orgs/redis/repos', ['profile:redis', 'list:redis:repos']],
    ['/orgs/redis/memberships/x', ['profile:redis', 'list:redis:memberships', 'list:redis:members']],
    ['/user/starred/redis/redis', ['repo:redis/redis:stars', 'repo:redis/redis:self', 'list:redis:repos']],
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
  const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos'];
  it.each<[string, unknown, readonly string[] | undefined]>([
    ['ping', { zen: 'x' }, []],
    ['push', about(), ['repo:redis/redis:code', 'repo:redis/redis:self', 'list:redis:repos']],
    [
      'issues',
      about({ action: 'opened' }),
      ['repo:redis/redis:issues', 'repo:redis/redis:pulls', 'repo:redis/redis:self', 'list:redis:repos'],
    ],
    [
      'star',
      about({ action: 'created', sender: { login: 'me', id: 4 } }),
      ['repo:redis/redis:stars', 'repo:redis/redis:self', 'list:redis:repos', 'list:me:starred', 'list:id=4:starred'],
    ],
    [
      'fork',
      about({ forkee: { owner: { login: 'me' } } }),
      ['repo:redis/redis:forks', 'repo:redis/redis:self', 'list:redis:repos', 'profile:me', 'list:me:repos'],
    ],
    [
      'push',
      { repository: { full_name: 'a/b', id: 7, owner: { login: 'a', id: 8 } } },
      [
        ...['repo:a/b:code', 'repo:a/b:self', 'repo:id=7:code', 'repo:id=7:self'],
        ...['list:a:repos', 'list:id=8:repos'],
      ],
    ],
    [
      'repository',
      { action: 'deleted', repository: { full_name: 'a/b', id: 7, owner: { login: 'a', id: 8 } } },
      [...['repo:a/b', 'repo:id=7', 'profile:a', 'list:a:repos', 'profile:id=8', 'list:id=8:repos']],
    ],
    ['push', { repository: { id: 1.5, full_name: '' } }, []],
    ['constructor', about(), undefined],
    ['release', about(), ['repo:redis/redis:releases', 'repo:redis/redis:code']],
    ['repository', about({ action: 'edited' }), ['repo:redis/redis:self', 'list:redis:repos']],
    ['repository', about({ action: 'created' }), gone],
    ['repository', about({ action: 'privatized' }), gone],
    ['public', about(), gone],
    [
      'repository',
      about({ action: 'renamed', changes: { repository: { name: { from: 'Old' } } } }),
      ['repo:redis/redis', 'repo:redis/old', 'profile:redis', 'list:redis:repos'],
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
      ],
    ],
    ['organization', { organization: { login: 'Redis' } }, ['profile:redis', 'list:redis:members', 'list:redis:teams']],
    ['installation', { installation: { account: { login: 'a' } } }, ['list:a:repos']],
    ['an_event_of_tomorrow', about(), undefined],
    ['push', {}, []],
    ['push', null, []],
    ['push', { repository: { full_name: 5 } }, []],
    ['repository', JSON.parse('{"__proto__":{"repository":{"full_name":"a/b"}}}'), []],
  ])('%s %j: %j', (event, payload, tags) => {
    expect(tagsOfEvent(event, payload)).toEqual(tags);
  });
});
