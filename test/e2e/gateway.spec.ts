import { GithubSimulator } from '../../simulator';
import { everythingLogged } from '../support/everything-logged';
import { request, type HttpAnswer } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { ADMIN, ask, start } from './ask';

const OWNER = { authorization: 'Bearer ghp_owner_secret' };
const OTHER = { authorization: 'Bearer ghp_other_secret' };
const BASE = '/github';

const outcomeOf = ({ headers }: Pick<HttpAnswer, 'headers'>): string | undefined =>
  /detail=([A-Z_]+)/.exec(String(headers['cache-status']))?.[1];

describe('in front of GitHub', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;
  const through = (path: string, options: Parameters<typeof request>[1] = {}) =>
    request(`${service.url}${BASE}${path}`, options);
  const directly = (path: string, headers: Record<string, string> = {}) =>
    request(`${github.url}${path}`, { headers: { 'user-agent': 'test', ...headers } });

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000 } });
    service = await start(github, { CREDENTIAL_SECRET: 'a-secret-of-the-tests' });
  });
  beforeEach(() => github.requests.reset());
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it.each(['/users/redis', '/users/nobody-there', '/users/redis/repos?per_page=5&page=2', '/repos/redis/redis/readme'])(
    'answers %s as GitHub does, and then without it',
    async (path) => {
      const direct = await directly(path);
      const [first, second] = [await through(path), await through(path)];
      for (const answer of [first, second]) {
        expect([answer.status, answer.body]).toEqual([direct.status, direct.body]);
        for (const name of ['etag', 'content-type', 'cache-control', 'vary', 'last-modified', 'x-github-media-type'])
          expect([name, answer.headers[name]]).toEqual([name, direct.headers[name]]);
      }
      expect([outcomeOf(first), outcomeOf(second)]).toEqual(['MISS', 'HIT']);
      expect(github.requests.count()).toBe(2);
    },
  );

  it('loads once for a crowd', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => through('/users/nestjs')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(github.requests.count()).toBe(1);
  });

  it('keeps pagination and redirects inside', async () => {
    const page = await through('/users/redis/repos?per_page=5');
    const [, next] = /<([^>]+)>; rel="next"/.exec(String(page.headers.link)) ?? [];
    expect(next).toMatch(`${service.url}${BASE}/`);
    expect((await request(next!)).status).toBe(200);
    const moved = await through('/repos/redis/redis-old');
    expect([moved.status, String(moved.headers.location)]).toEqual([
      301,
      expect.stringContaining(`${service.url}${BASE}/`),
    ]);
  });

  it('separates callers, and reveals no token', async () => {
    const path = '/repos/redis/secret';
    for (let times = 0; times < 2; times++) {
      const statuses = await Promise.all([
        through(path, { headers: OWNER }),
        through(path, { headers: OTHER }),
        through(path),
      ]);
      expect(statuses.map(({ status }) => status)).toEqual([200, 404, 404]);
    }
    expect(github.requests.count()).toBe(3);
    const { text } = await ask(service, '/admin/cache/entries?limit=1000', { headers: ADMIN });
    const metrics = await ask(service, '/metrics');
    for (const where of [text, metrics.text, await everythingLogged(service)]) expect(where).not.toContain('_secret');
  });

  it('passes writes on and forgets what they have changed', async () => {
    const path = '/repos/nestjs/nest/issues';
    for (const expected of ['MISS', 'HIT']) expect(outcomeOf(await through(path, { headers: OWNER }))).toBe(expected);
    const body = JSON.stringify({ title: 'new' });
    const headers = { ...OWNER, 'content-type': 'application/json' };
    const written = await through(path, { method: 'POST', headers, body });
    expect([written.status, outcomeOf(written)]).toEqual([201, 'BYPASS']);
    const after = await through(path, { headers: OWNER });
    expect(outcomeOf(after)).toBe('MISS');
  });

  it('never stores GraphQL', async () => {
    const query = {
      method: 'POST',
      headers: { ...OWNER, 'content-type': 'application/json' },
      body: '{"query":"{viewer{login}}"}',
    };
    for (let times = 0; times < 2; times++) expect(outcomeOf(await through('/graphql', query))).toBe('BYPASS');
    expect(github.requests.count()).toBe(2);
  });

  it('answers 304 to a client that has it already', async () => {
    const { headers } = await through('/users/octocat');
    const again = await through('/users/octocat', { headers: { 'if-none-match': String(headers.etag) } });
    expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, headers.etag]);
    expect(github.requests.count()).toBe(1);
  });

  it.each(['/repos/redis/redis?per_page=5', '/repos/redis/a%252Fb', '/repos/redis/a%2fb?q=%7Ba%7D'])(
    'shows and invalidates %s by its key, copied into a URL unchanged, or encoded',
    async (path) => {
      const admin = (method: string, key: string) =>
        ask(service, `/admin/cache/entries/${key}`, { method, headers: ADMIN });
      for (const written of [(key: string) => key, encodeURIComponent]) {
        const [, key = ''] = /key="([^"]+)"/.exec(String((await through(path)).headers['cache-status'])) ?? [];
        expect(await admin('GET', written(key))).toMatchObject({ status: 200, json: { key, kind: 'index' } });
        expect((await through(path)).headers['x-cache']).toBe('HIT');
        expect((await admin('DELETE', written(key))).json['invalidated']).toBe(1);
        expect((await admin('GET', written(key))).status).toBe(404);
      }
    },
  );

  it('lists what each entry is', async () => {
    await through('/users/redis');
    const { json } = await ask(service, '/admin/cache/entries?match=github:-:/users/redis*', { headers: ADMIN });
    const kinds = (json['entries'] as { key: string; kind: string }[]).map(({ key, kind }) => [
      key.includes('|'),
      kind,
    ]);
    expect(kinds).toEqual(expect.arrayContaining([...[[false, 'index']], ...[[true, 'variant']]]));
  });

  it('is invalidated by key and by account', async () => {
    const account = (method: string, path: string) => ask(service, path, { method, headers: ADMIN });
    await through('/users/torvalds');
    expect(outcomeOf(await through('/users/torvalds'))).toBe('HIT');
    await account('DELETE', '/admin/cache/entries/github%3A-%3A%2Fusers%2Ftorvalds');
    expect(outcomeOf(await through('/users/torvalds'))).toBe('MISS');
    expect(outcomeOf(await through('/users/torvalds'))).toBe('HIT');
    await account('DELETE', '/admin/cache/accounts/torvalds');
    expect(outcomeOf(await through('/users/torvalds'))).toBe('MISS');
    expect(outcomeOf(await through('/users/torvalds'))).toBe('HIT');
  });
});
