import { githubTags } from './github-tags';
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
    ['/repos/redis', []],
    ['/rate_limit', []],
    ['/', []],
  ])('%s: %j', (path, tags) => {
    expect(githubTags(path)).toEqual(tags);
  });
});

describe('what an event changes', () => {
  const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos'];
  it.each<[string, unknown, readonly string[] | undefined]>([
    ['ping', { zen: 'x' }, []],
    ['push', about(), ['repo:redis/redis:code', 'repo:redis/redis:self']],
    ['issues', about({ action: 'opened' }), ['repo:redis/redis:issues', 'repo:redis/redis:self']],
    ['star', about({ action: 'created' }), ['repo:redis/redis:stars', 'repo:redis/redis:self']],
    ['release', about(), ['repo:redis/redis:releases', 'repo:redis/redis:code']],
    ['repository', about({ action: 'edited' }), ['repo:redis/redis:self']],
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
