import { request } from '../test/support/raw-http';
import { GithubSimulator } from './github-simulator';

const token = { authorization: 'Bearer ghp_test' };

describe('the GitHub simulator', () => {
  let github: GithubSimulator;
  beforeEach(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
  });
  afterEach(() => github.stop());

  const get = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(`${github.url}${path}`, { redirect: 'manual', ...init, headers: { 'user-agent': 'test', ...headers } });

  it("answers a user in GitHub's shape, with its validators and limits", async () => {
    const response = await get('/users/Redis');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ login: 'redis', type: 'Organization', public_repos: 155 });
    expect(response.headers.get('etag')).toMatch(/^(W\/)?"[0-9a-f]{64}"$/);
    expect(response.headers.get('cache-control')).toBe('public, max-age=60, s-maxage=60');
    expect(response.headers.get('x-ratelimit-remaining')).toBe('59');
    expect(response.headers.get('vary')).toContain('X-GitHub-OTP');
  });

  it('derives any other account from its name, and knows some not', async () => {
    const [one, two] = await Promise.all([
      get('/users/somebody').then((r) => r.json()),
      get('/users/SOMEBODY').then((r) => r.json()),
    ]);
    expect(one).toEqual(two);
    expect((await get('/users/ghost-1')).status).toBe(404);
  });

  it('answers 304 to a matching entity tag, which costs nothing with a token', async () => {
    const first = await get('/users/redis', token);
    const again = await get('/users/redis', { ...token, 'if-none-match': first.headers.get('etag')! });
    expect([again.status, again.headers.get('x-ratelimit-used')]).toEqual([304, '1']);
    const changed = (await get('/users/redis', { 'if-none-match': first.headers.get('etag')! })).status;
    expect(changed).toBe(200); // another credential, another tag
  });

  it('changes the entity tag with the account', async () => {
    const { headers } = await get('/users/redis');
    github.setAccount('redis', { publicRepos: 156 });
    const changed = await get('/users/redis', { 'if-none-match': headers.get('etag')! });
    expect(await changed.json()).toMatchObject({ public_repos: 156 });
  });

  it('refuses with 403 when the limit is spent', async () => {
    const poor = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 1 } });
    const ask = () => fetch(`${poor.url}/users/redis`, { headers: { 'user-agent': 'test' } });
    await ask();
    const refused = await ask();
    expect([refused.status, refused.headers.get('x-ratelimit-remaining')]).toEqual([403, '0']);
    await poor.stop();
  });

  it('pages with absolute links, by id', async () => {
    const response = await get('/users/redis/repos?per_page=50&page=2');
    expect(await response.json()).toHaveLength(50);
    expect(response.headers.get('link')).toBe(
      [
        `<${github.url}/user/1529926/repos?per_page=50&page=1>; rel="prev"`,
        `<${github.url}/user/1529926/repos?per_page=50&page=3>; rel="next"`,
        `<${github.url}/user/1529926/repos?per_page=50&page=4>; rel="last"`,
        `<${github.url}/user/1529926/repos?per_page=50&page=1>; rel="first"`,
      ].join(', '),
    );
    for (const path of ['/user/1529926/repos', '/organizations/1529926/repos'])
      expect(await (await get(`${path}?per_page=50&page=4`)).json()).toHaveLength(5);
    const issues = (await get('/repos/redis/redis/issues')).headers.get('link') ?? '';
    const [, next = ''] = /<([^>]+\/repositories\/\d+\/issues\?page=2)>; rel="next"/.exec(issues) ?? [];
    expect(await (await fetch(next, { headers: { 'user-agent': 'test' } })).json()).toHaveLength(15);
  });

  it('redirects a renamed repository, and hides a private one', async () => {
    const moved = await get('/repos/redis/redis-old');
    expect([moved.status, moved.headers.get('location')]).toEqual([301, expect.stringMatching(/\/repositories\/\d+$/)]);
    expect((await fetch(moved.headers.get('location')!, { headers: { 'user-agent': 'test' } })).status).toBe(200);
    expect((await get('/repos/redis/secret')).status).toBe(404);
    expect((await get('/repos/redis/secret', { authorization: 'token ghp_owner1' })).status).toBe(200);
  });

  it('needs a User-Agent and a version that it knows', async () => {
    expect((await get('/users/redis', { 'x-github-api-version': '1999-01-01' })).status).toBe(400);
    expect((await request(`${github.url}/users/redis`)).status).toBe(403); // node:http names no agent by itself
    expect((await request(`${github.url}/users/redis`, { headers: { 'user-agent': 'test' } })).status).toBe(200);
  });

  it('takes writes with a token, which change what it answers', async () => {
    const made = await get('/repos/redis/redis/issues', token, {
      method: 'POST',
      body: JSON.stringify({ title: 'New' }),
    });
    expect(made.status).toBe(201);
    const { url } = (await made.json()) as { url: string };
    expect(await (await fetch(url, { headers: { 'user-agent': 'test' } })).json()).toMatchObject({
      title: 'New',
      number: 46,
    });
    expect((await get('/repos/redis/redis/issues', {}, { method: 'POST', body: '{}' })).status).toBe(401);
  });

  it('takes GraphQL of callers with a token, whose mutations REST shows', async () => {
    const run = async (query: string, variables = {}) => {
      const answer = await get('/graphql', token, { method: 'POST', body: JSON.stringify({ query, variables }) });
      return (await answer.json()) as { data?: Record<string, Record<string, never>>; errors?: { type?: string }[] };
    };
    const { data } = await run('{ viewer { login } repository(owner: "redis", name: "docs") { id stargazerCount } }');
    const { id, stargazerCount } = data!['repository'] as unknown as { id: string; stargazerCount: number };
    const create = 'mutation M($i: CreateIssueInput!) { createIssue(input: $i) { made: issue { number title } } }';
    const made = await run(create, { i: { repositoryId: id, title: 'By GraphQL' } });
    expect(made).toEqual({ data: { createIssue: { made: { number: 46, title: 'By GraphQL' } } } });
    expect(await (await get('/repos/redis/docs/issues/46')).json()).toMatchObject({ title: 'By GraphQL' });
    await run(`mutation { addStar(input: {starrableId: "${id}"}) { starrable { stargazerCount } } }`);
    expect(await (await get('/repos/redis/docs')).json()).toMatchObject({ stargazers_count: stargazerCount + 1 });
    expect(await run('{ user(login: "nobody") { login } }')).toMatchObject({
      data: { user: null },
      errors: [{ type: 'NOT_FOUND' }],
    });
    expect((await run('{ viewer { login }')).errors).toHaveLength(1);
    expect((await get('/graphql', {}, { method: 'POST', body: '{}' })).status).toBe(401);
  });

  it("shows the caller's rate limits, and repositories page by page", async () => {
    const limits = (await (await get('/rate_limit', token)).json()) as { rate: object; resources: { core: object } };
    expect(limits.resources.core).toEqual(limits.rate);
    expect(limits.rate).toMatchObject({ limit: 5_000, resource: 'core' });
    const page = await get('/user/repos?per_page=1', token);
    const repos = (await page.json()) as { full_name: string }[];
    expect(repos).toEqual([expect.objectContaining({ full_name: expect.stringContaining('/') })]);
    expect(page.headers.get('link')).toMatch(/[?&]page=2>; rel="next"/);
    expect((await get('/user/repos')).status).toBe(401);
  });

  it('counts what it has seen', async () => {
    await Promise.all([get('/users/redis'), get('/users/nodejs'), get('/repos/redis/redis')]);
    expect([github.requests.count(), github.requests.count('/users/{login}'), github.requests.count(/nodejs/)]).toEqual(
      [3, 2, 1],
    );
  });

  it('holds its answers until it is let go', async () => {
    const release = github.hold();
    const answer = get('/users/redis');
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    while (github.inFlight === 0) await turn();
    for (let turns = 0; turns < 100; turns++) await turn();
    expect(github.inFlight).toBe(1);
    release();
    expect((await answer).status).toBe(200);
  });

  it('misbehaves on request', async () => {
    github.faults.next(1, { kind: 'status', status: 503 });
    expect((await get('/users/redis')).status).toBe(503);
    github.faults.next(1, { kind: 'reset' });
    await expect(get('/users/redis')).rejects.toThrow();
    github.faults.next(1, { kind: 'truncated' });
    await expect(get('/users/redis').then((response) => response.text())).rejects.toThrow();
    expect((await get('/users/redis')).status).toBe(200);
  });

  it('goes away and comes back on the same port', async () => {
    await github.stop();
    await expect(get('/users/redis')).rejects.toThrow();
    await github.restart();
    expect((await get('/users/redis')).status).toBe(200);
  });

  it('stands under a base path, as Enterprise Server does', async () => {
    const enterprise = await GithubSimulator.start({ latencyMs: 0, basePath: '/api/v3' });
    expect((await fetch(`${enterprise.url}/users/redis`, { headers: { 'user-agent': 'test' } })).status).toBe(200);
    const headers = { 'user-agent': 'test', authorization: 'Bearer ghp_someone' };
    const graphql = { method: 'POST', headers, body: '{}' };
    expect((await fetch(`${enterprise.url}/graphql`, graphql)).status).toBe(404);
    expect((await fetch(enterprise.url.replace(/v3$/, 'graphql'), graphql)).status).toBe(200);
    await enterprise.stop();
  });
});
