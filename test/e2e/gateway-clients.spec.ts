import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ask, start, type Answer } from './ask';

const OWNER = { authorization: 'Bearer ghp_owner_secret' };
const OCTOKIT = { accept: 'application/vnd.github.v3+json' };
const SECRET = { CREDENTIAL_SECRET: 'a-secret-of-the-tests' };

const limitsOf = ({ headers }: Answer): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-ratelimit-')));

describe('the gateway as clients of GitHub expect it', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;
  const get = (path: string, headers: Record<string, string> = {}) => ask(service, `/github${path}`, { headers });

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 50 } });
    service = await start(github, SECRET);
  });
  afterEach(() => {
    github.faults.clear();
    github.requests.reset();
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it('its own problems have the members and the type that GitHub’s errors have', async () => {
    const own = await get('/users/redis?access_token=x');
    expect(own.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(own.json).toMatchObject({
      ...{ status: 400, code: 'request-invalid', documentation_url: 'https://docs.github.com/rest' },
      message: own.json['detail'],
    });
    const asked = await get('/users/redis?access_token=x', OCTOKIT);
    expect([asked.status, asked.headers['content-type']]).toEqual([400, 'application/json; charset=utf-8']);
    const stored = await get('/users/never-asked', { 'cache-control': 'only-if-cached' });
    expect([stored.status, typeof stored.json['message']]).toEqual([504, 'string']);
    expect((await ask(service, '/nowhere')).json).not.toHaveProperty('message');
  });

  it('a secondary limit is told as one each time, with what is left of the primary one', async () => {
    const caller = { authorization: 'Bearer ghp_owner_slow_down' };
    expect((await get('/users/nodejs', caller)).status).toBe(200);
    github.faults.next(1, { kind: 'rate-limited', status: 403, retryAfter: '300' });
    expect((await get('/users/redis', caller)).status).toBe(403);
    github.requests.reset();
    for (const path of ['/users/redis', '/users/redis', '/users/nestjs']) {
      const held = await get(path, { ...caller, ...OCTOKIT });
      expect(held.status).toBe(403);
      expect(Number(held.headers['retry-after'])).toBeGreaterThan(200);
      expect(Number(held.headers['x-ratelimit-remaining'])).toBeGreaterThan(0);
      expect(held.json).toMatchObject({
        message: expect.stringMatching(/^You have exceeded a secondary rate limit/) as string,
        documentation_url: expect.stringMatching(/secondary-rate-limits$/) as string,
      });
    }
    expect(github.requests.count()).toBe(0);
  });

  it('a spent limit is a 403 with nothing left, in GitHub’s words', async () => {
    const caller = { authorization: 'Bearer ghp_owner_spent' };
    github.faults.next(1, { kind: 'rate-limited', status: 403, resetInSeconds: 600 });
    await get('/users/redis', caller);
    for (const path of ['/users/redis', '/users/redis', '/users/nestjs']) {
      const held = await get(path, caller);
      expect([held.status, held.headers['x-ratelimit-remaining']]).toEqual([403, '0']);
      expect(Number(held.headers['x-ratelimit-reset']) * 1_000).toBeGreaterThan(Date.now());
      expect(held.json['message']).toMatch(/^API rate limit exceeded/);
    }
    const other = await get('/users/redis', { authorization: 'Bearer ghp_owner_other' });
    expect(other.status).toBe(200);
  });

  it('hits show the limit as it is now, on the slow path and on the fast one', async () => {
    const first = await get('/users/redis', OWNER);
    const [remaining, used] = [Number(first.headers['x-ratelimit-remaining']), first.headers['x-ratelimit-used']];
    expect(first.headers).not.toHaveProperty('x-from-cache');
    for (let spent = 1; spent <= 3; spent++) {
      await get(`/users/redis/repos?page=${spent}`, OWNER);
      for (let times = 0; times < 3; times++) {
        const hit = await get('/users/redis', OWNER);
        expect(hit.headers).toMatchObject({ 'x-cache': 'HIT', 'x-from-cache': '1' });
        expect(limitsOf(hit)).toMatchObject({
          'x-ratelimit-remaining': String(remaining - spent),
          ...(used !== undefined && { 'x-ratelimit-used': String(Number(used) + spent) }),
          'x-ratelimit-resource': 'core',
        });
      }
    }
    const unchanged = await get('/users/redis', { ...OWNER, 'if-none-match': String(first.headers['etag']) });
    expect([unchanged.status, unchanged.headers['x-ratelimit-remaining']]).toEqual([304, String(remaining - 3)]);
  });

  it('shows the limits from what GitHub’s answers said, once it has shown them itself, to their own caller alone', async () => {
    const caller = { authorization: 'Bearer ghp_owner_overview' };
    const overview = (headers: Record<string, string>) => get('/rate_limit', headers);
    const first = await overview(caller);
    const { rate, resources } = first.json as { rate: object; resources: Record<string, object> };
    expect([github.requests.count(), rate]).toEqual([1, resources['core']]);
    await get('/users/redis?overview', caller);
    github.requests.reset();
    const direct = (
      await request(`${github.url}/rate_limit`, { headers: { ...caller, 'user-agent': 'test' } })
    ).body.toString();
    expect(github.requests.count()).toBe(1);
    const shown = await ask(service, '/api/v3/rate_limit', { headers: caller });
    expect(shown.text).toBe(direct);
    expect(shown.headers).toMatchObject({
      ...{ 'x-cache': 'HIT', 'cache-control': 'no-cache' },
      'x-ratelimit-remaining': String((shown.json['rate'] as { remaining: number }).remaining),
    });
    expect(shown.headers['x-github-media-type']).toBe(first.headers['x-github-media-type']);
    const head = await ask(service, '/github/rate_limit', { method: 'HEAD', headers: caller });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', String(direct.length)]);
    expect(github.requests.count()).toBe(1);
    await overview({ authorization: 'Bearer ghp_owner_other_overview' });
    await overview({});
    expect(github.requests.count()).toBe(3);
    await overview({ ...caller, 'x-github-api-version': '2026-03-10' }); // another version has another form
    await overview({ ...caller, 'cache-control': 'no-cache' });
    expect(github.requests.count()).toBe(5);
    github.faults.next(2, { kind: 'status', status: 401 }); // the token is revoked
    expect([(await get('/user', caller)).status, (await overview(caller)).status]).toEqual([401, 401]);
    expect(await get('/rate_limit', { authorization: 'Bearer bad' })).toMatchObject({ status: 401 });
    expect(await get('/rate_limit', { authorization: 'Bearer bad' })).toMatchObject({ status: 401 });
  });

  it('hits show no limit that another caller has', async () => {
    const seen = await get('/users/redis', { authorization: 'Bearer ghp_owner_alone' });
    await get('/users/redis');
    const mine = await get('/users/redis', { authorization: 'Bearer ghp_owner_alone' });
    expect(mine.headers['x-ratelimit-limit']).toBe(seen.headers['x-ratelimit-limit']);
    expect((await get('/users/redis')).headers['x-ratelimit-limit']).toBe('50');
  });
});

describe('a stored word on a limit whose window is over', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response) => {
      const now = Math.floor(Date.now() / 1_000);
      response.writeHead(200, {
        ...{ 'cache-control': 'max-age=600', 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '0' },
        ...{ 'x-ratelimit-reset': String(now - 3_600), 'x-ratelimit-resource': 'core' },
      });
      response.end('{}');
    });
    service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, ...SECRET } });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it('is not repeated', async () => {
    expect(limitsOf(await ask(service, '/github/a'))).toHaveProperty('x-ratelimit-remaining', '0');
    for (let times = 0; times < 3; times++) expect(limitsOf(await ask(service, '/github/a'))).toEqual({});
  });

  it('fields of GraphQL and of writes reach GitHub, those of the client’s browser and hops do not', async () => {
    const passed = {
      ...{ 'graphql-features': 'sub_issues', 'time-zone': 'Europe/Berlin', 'x-github-otp': '123456' },
      ...{ prefer: 'return=minimal', 'idempotency-key': 'k-1', 'x-github-next-global-id': '1', 'x-unknown': 'yes' },
    };
    const kept = {
      ...{ cookie: 'session=1', 'x-forwarded-for': '203.0.113.1', 'sec-fetch-mode': 'cors', 'x-api-key': 'k' },
      ...{ traceparent: '00-0-0-00', 'x-http-method-override': 'DELETE', referer: 'https://example.test/' },
    };
    for (const [method, path] of [
      ['POST', '/graphql'],
      ['PATCH', '/repos/redis/redis'],
      ['DELETE', '/repos/redis/old'],
    ] as const) {
      origin.hits.length = 0;
      await request(`${service.url}/github${path}`, { method, headers: { ...passed, ...kept } });
      const headers = origin.hits[0]?.headers ?? {};
      expect(headers).toMatchObject(passed);
      expect(Object.keys(headers).filter((name) => name in kept)).toEqual([]);
    }
    origin.hits.length = 0;
    await request(`${service.url}/github/read`, { headers: passed });
    expect(Object.keys(origin.hits[0]?.headers ?? {}).filter((name) => name in passed)).toEqual([]);
  });
});

describe('a request that asks for a validated response, while the API is down', () => {
  let origin: ScriptedOrigin;
  let isDown = false;
  const services: ServiceProcess[] = [];
  const through = async (env: Record<string, string> = {}) => {
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, ...SECRET, ...env } });
    services.push(service);
    return (directives: string) => ask(service, '/github/x', { headers: { 'cache-control': directives } });
  };
  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response) => {
      response
        .writeHead(isDown ? 503 : 200, { 'cache-control': 'max-age=600', etag: '"1"' })
        .end(isDown ? 'down' : 'up');
    });
  });
  beforeEach(() => {
    isDown = false;
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await origin.stop();
  });

  it('gets the failure, or with stale-if-error what is stored', async () => {
    const get = await through();
    expect((await get('')).text).toBe('up');
    isDown = true;
    for (const directives of ['no-cache', 'max-age=0, no-cache', 'No-Cache'])
      expect((await get(directives)).text).toBe('down');
    for (const directives of ['no-cache, stale-if-error=600', '', 'max-age=600', 'must-revalidate'])
      expect(await get(directives)).toMatchObject({ status: 200, text: 'up' });
  });

  it('gets what is stored with CACHE_STALE_DESPITE_DIRECTIVES=true', async () => {
    const get = await through({ CACHE_STALE_DESPITE_DIRECTIVES: 'true' });
    await get('');
    isDown = true;
    expect(await get('no-cache')).toMatchObject({ status: 200, text: 'up' });
  });
});
