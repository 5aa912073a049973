import { BudgetUsers, clientOf, routeOf } from './budget-users';

describe('who spends a budget', () => {
  it.each([
    ['octokit-core.js/6.1 Node.js/20', 'octokit-core.js'],
    ['PyGithub/Python', 'PyGithub'],
    ['curl', 'curl'],
    [undefined, 'none'],
    ['', 'none'],
    ['<script>', 'other'],
    [`a${'b'.repeat(60)}`, 'other'],
    ['a"b} 1', 'other'],
  ])('is the first word of %j: %s', (userAgent, client) => expect(clientOf(userAgent)).toBe(client));

  it('has the beginning of a path’s shape, and no name of a file', () => {
    expect(routeOf('/repos/*/*/contents/secret-plan.md')).toBe('/repos/*/*/contents');
    expect(routeOf('/users/*')).toBe('/users/*');
    expect(routeOf('/repos/*/*/%61"b')).toBe('/repos/*/*/*');
  });

  it('counts a hundred names of each kind, and all others together', () => {
    const users = new BudgetUsers();
    for (let at = 0; at < 1_000; at++) users.add({ client: `c${at}`, route: '/users/*', credential: 'anonymous' });
    users.add({ client: 'c0', route: '/users/*', credential: 'anonymous' });
    const clients = new Map(users.by('client'));
    expect([clients.size, clients.get('c0'), clients.get('other')]).toEqual([101, 2, 900]);
    expect(users.by('route')).toEqual([['/users/*', 1_001]]);
  });
});
