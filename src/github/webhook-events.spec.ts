import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { effectOf, KNOWN_EVENTS } from './webhook-events';

const repository = { full_name: 'Redis/Redis', owner: { login: 'Redis' } };
/** All of a repository, and what counts it. */
const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos', 'viewer:profile', 'viewer:repos'];
const about = (more: object = {}) => ({ repository, ...more });

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

describe('the documentation', () => {
  const page = (name: string) => readFileSync(join(__dirname, '../../docs', name), 'utf8');
  const wordsIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

  it('has every event that is known, and no other', () => {
    const [, table = ''] = page('guides/invalidate.md').split('### What an event removes');
    const told = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) => wordsIn(cell));
    expect([...new Set(told)].sort()).toEqual([...KNOWN_EVENTS].sort());
  });
});
