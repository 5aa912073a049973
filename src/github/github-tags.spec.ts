import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkedByName } from './github-links';
import { githubTags } from './github-tags';
import { githubTagsOfWrite } from './github-writes';

/** All of a repository, and what counts it. */
const gone = ['repo:redis/redis', 'profile:redis', 'list:redis:repos', 'viewer:profile', 'viewer:repos'];

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

describe('the documentation', () => {
  const page = (name: string) => readFileSync(join(__dirname, '../../docs', name), 'utf8');
  const wordsIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

  it('has the areas of a repository unchanged', () => {
    const [, table = ''] = page('reference/gateway-rules.md').split('| area |');
    const rows = [...table.matchAll(/^\| `([a-z]+)` \| ([^|]+) \|$/gm)];
    expect(rows).toHaveLength(11);
    for (const [, area, cell] of rows)
      for (const path of wordsIn(cell)) expect(githubTags(`/repos/a/b/${path}`)).toContain(`repo:a/b:${area}`);
  });
});
