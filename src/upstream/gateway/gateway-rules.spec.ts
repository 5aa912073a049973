import { GatewayRules, parseGatewayRules } from './gateway-rules';

const rulesOf = (...rules: readonly object[]): GatewayRules =>
  new GatewayRules(parseGatewayRules(JSON.stringify(rules)), { defaultStaleIfErrorMs: 9_000 }, true);
const withCase = (...rules: readonly object[]): GatewayRules =>
  new GatewayRules(parseGatewayRules(JSON.stringify(rules)), {});

describe("the operator's table", () => {
  it.each([
    ['/users/redis', '/users/:name', true],
    ['/users/Redis', '/USERS/redis', true],
    ['/users/redis/repos', '/users/:name', false],
    ['/users', '/users/:name', false],
    ['/users/', '/users/:name', false],
    ['/search/code', '/search/*', true],
    ['/search/a/b/c', '/search/*', true],
    ['/search', '/search/*', false],
    ['/anything/at/all', '/*', true],
    ['/repos/a/b/releases/latest', '/repos/:owner/:repo/releases/*', true],
    ['/repos/a/b/Releases', '/repos/:owner/:repo/releases', true],
  ])('%s by %s: %s', (path, pattern, isMatch) => {
    const { policy } = rulesOf({ path: pattern, ttl: 5 }).for(path);
    expect(policy).toEqual(isMatch ? { defaultStaleIfErrorMs: 9_000, ttlMs: 5_000 } : { defaultStaleIfErrorMs: 9_000 });
  });

  it.each([
    ['/JSONStream', '/JSONStream', true],
    ['/jsonstream', '/JSONStream', false],
    ['/@scope/name', '/@scope/:name', true],
    ['/@Scope/name', '/@scope/:name', false],
    ['/projects/group%2Fproject', '/projects/group%2fproject', true],
    ['/projects/group%2Fproject', '/projects/:id', true],
    ['/projects/group/project', '/projects/:id', false],
    ['/a+b(c);v=1', '/a+b(c);v=1', true],
    ['/a', '/%61', true],
  ])('knows case where the upstream does, and every character of a path: %s by %s: %s', (path, pattern, isMatch) => {
    expect(withCase({ path: pattern, ttl: 5 }).for(path).policy).toEqual(isMatch ? { ttlMs: 5_000 } : {});
  });

  it('keeps the case of names in tags where the upstream does', () => {
    expect(withCase({ path: '/:name', tags: ['p:{name}'] }).for('/JSONStream').tags).toEqual(['p:JSONStream']);
  });

  it('goes by the first rule that matches', () => {
    const rules = rulesOf({ path: '/users/redis', ttl: 1, bypass: true }, { path: '/users/:name', ttl: 2 });
    expect(rulesOf({ path: '/*', deadline: 0.5 }).for('/a').policy.deadlineMs).toBe(500);
    expect(rulesOf({ path: '/*', defaultTtl: 60 }).for('/a').policy.defaultTtlMs).toBe(60_000);
    expect(rules.for('/users/redis')).toMatchObject({ isBypass: true, policy: { ttlMs: 1_000 } });
    expect(rules.for('/users/nodejs')).toMatchObject({ isBypass: false, policy: { ttlMs: 2_000 } });
  });

  it('fills the names of the path into tags, in lower case', () => {
    const rules = rulesOf({ path: '/repos/:owner/:repo/*', tags: ['mine:{owner}/{repo}', 'all'] });
    expect(rules.for('/repos/Redis/Docs/releases').tags).toEqual(['mine:redis/docs', 'all']);
    expect(rules.for('/users/redis').tags).toEqual([]);
  });

  it.each([
    ['nothing', '', 'is no JSON'],
    ['no list', '{}', 'expected array'],
    ['a path without a slash', '[{"path":"users"}]', 'in rule 1, path: must be like'],
    ['a colon alone', '[{"path":"/:"}]', 'in rule 1, path: must be like'],
    ['a blank', '[{"path":"/a b"}]', 'in rule 1, path: must be like'],
    ['a path above the root', '[{"path":"/.."}]', 'in rule 1, path: The request target climbs over its root'],
    ['a star in the middle', '[{"path":"/a"},{"path":"/*/b"}]', 'in rule 2, path: must be like'],
    ['a negative ttl', '[{"path":"/a","ttl":-1}]', 'in rule 1, ttl: '],
    ['an endless ttl', '[{"path":"/a","ttl":1e300}]', 'in rule 1, ttl: '],
    ['a word too much', '[{"path":"/a","private":true}]', 'in rule 1: '],
    ['a tag of a name that is not there', '[{"path":"/:a","tags":["{b}"]}]', 'in rule 1, tags: name {b}'],
    ['a prototype', '[{"path":"/a","__proto__":{"ttl":1}}]', 'in rule 1: '],
  ])('is refused with %s', (_what, text, problem) => {
    expect(() => parseGatewayRules(text)).toThrow(problem);
  });
});
