import { GithubSimulator } from '../../simulator';
import { everythingLogged } from '../support/everything-logged';
import { rawRequest } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

describe.each(['memory', 'redis'] as const)('the account route with the store in %s', (kind) => {
  let github: GithubSimulator;
  let redis: RedisProcess | undefined;
  let service: ServiceProcess;
  let account = 0;
  const name = () => `account-${kind}-${account}`;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000 } });
    redis = kind === 'redis' ? await RedisProcess.start({ password: 'redis-secret' }) : undefined;
    service = await start(github, {
      CACHE_TTL_SECONDS: '600',
      ...(redis
        ? {
            REDIS_ENDPOINT_URI: `127.0.0.1:${redis.port}`,
            REDIS_PASSWORD: 'redis-secret',
          }
        : {}),
    });
    if (redis) await service.waitForLog(/Connected/);
  });
  beforeEach(() => {
    account += 1;
    github.requests.reset();
  });
  afterAll(async () => {
    await service.stop();
    await redis?.stop();
    await github.stop();
  });

  it('answers uncached once, then cached', async () => {
    const first = await ask(service, '/repos/redis');
    expect([first.status, first.text]).toEqual([200, '{"username":"redis","repos":155,"cached":false}']);
    const second = await ask(service, '/repos/redis');
    expect([second.status, second.text]).toEqual([200, '{"username":"redis","repos":155,"cached":true}']);
    expect(github.requests.count()).toBe(1);
  });

  it('says in every answer what the cache did', async () => {
    const miss = await ask(service, `/repos/${name()}`);
    expect(miss.headers['cache-status']).toMatch(
      new RegExp(`^larder; fwd=miss; stored; ttl=(59\\d|600); key="github:-:/users/${name()}"; detail=MISS/upstream$`),
    );
    expect([miss.headers['x-cache'], miss.headers['age']]).toEqual(['MISS', expect.stringMatching(/^\d$/)]);
    const hit = await ask(service, `/repos/${name()}`);
    expect(hit.headers['cache-status']).toMatch(/^larder; hit; ttl=(59\d|600); key=".*"; detail=HIT\/l[12]$/);
    expect(hit.headers).toMatchObject({
      'x-cache': 'HIT',
      age: expect.stringMatching(/^\d+$/),
      etag: miss.headers['etag'],
      'x-response-time': expect.stringMatching(/^\d+\.\d+$/),
      'content-type': 'application/json; charset=utf-8',
      'access-control-expose-headers': expect.stringContaining('X-Response-Time'),
    });
  });

  it('shares the entry between cases, GET and HEAD', async () => {
    await ask(service, `/repos/${name().toUpperCase()}`);
    const head = await ask(service, `/repos/${name()}`, { method: 'HEAD' });
    const get = await ask(service, `/repos/${name()}`);
    expect([head.status, head.text, head.headers['x-cache'], head.headers['content-length']]).toEqual([
      200,
      '',
      'HIT',
      String(get.text.length),
    ]);
    expect(github.requests.count()).toBe(1);
  });

  it('loads on HEAD as on GET', async () => {
    await ask(service, `/repos/${name()}`, { method: 'HEAD' });
    expect((await ask(service, `/repos/${name()}`)).json['cached']).toBe(true);
  });

  it('answers 304 to its entity tag, on a miss and on a hit', async () => {
    const { headers } = await ask(service, `/repos/${name()}`);
    for (const field of [headers['etag']!, '*', `"other", ${headers['etag']!}`]) {
      const answer = await ask(service, `/repos/${name()}`, { headers: { 'if-none-match': field } });
      expect([answer.status, answer.text, answer.headers['etag']]).toEqual([304, '', headers['etag']]);
    }
    const other = await ask(service, `/repos/${name()}`, { headers: { 'if-none-match': '"other"' } });
    expect(other.status).toBe(200);
  });

  it('remembers that an account is unknown', async () => {
    const first = await ask(service, `/repos/ghost-${name()}`);
    expect(first).toMatchObject({
      status: 404,
      json: { code: 'account-not-found', status: 404, instance: expect.any(String) },
    });
    expect(first.headers['content-type']).toContain('application/problem+json');
    const second = await ask(service, `/repos/ghost-${name()}`);
    expect([second.status, second.headers['x-cache']]).toEqual([404, 'HIT']);
    expect(second.json['instance']).toBe(second.headers['x-request-id']);
    expect(second.headers['cache-status']).toMatch(/ttl=(5\d|60);/);
    expect(github.requests.count()).toBe(1);
  });

  it.each(['-a', 'a-', 'a--b', 'x'.repeat(40), '%00', 'a%0d%0ab', '%F0%9F%98%80', '__proto__', 'a%2fb'])(
    'refuses %s without a request upstream',
    async (wrong) => {
      const answer = await ask(service, `/repos/${wrong}`);
      expect([answer.status, answer.json['code']]).toEqual([400, 'account-invalid']);
      expect(github.requests.count()).toBe(0);
    },
  );

  it('refuses dots in a raw target', async () => {
    const answer = await rawRequest(service.port, 'GET /repos/%2e%2e HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 .*"account-invalid"/s);
  });

  it('answers 200 concurrent requests with one call', async () => {
    const release = github.hold();
    const answers = Array.from({ length: 200 }, () => ask(service, `/repos/${name()}`));
    await waitUntil(() => github.inFlight === 1, { what: 'the call' });
    release();
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(github.requests.count()).toBe(1);
  });

  describe('the admin API', () => {
    const admin = (path: string, method = 'DELETE', body?: unknown) =>
      ask(service, `/admin/cache${path}`, {
        method,
        headers: { ...ADMIN, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const isCached = async () => (await ask(service, `/repos/${name()}`)).json['cached'];

    it.each([
      ['a key', () => admin(`/entries/github:-:/users/${name()}`)],
      ['an account', () => admin(`/accounts/${name().toUpperCase()}`)],
      ['a tag', () => admin(`/tags/account:${name()}`)],
      ['a prefix', () => admin(`?prefix=github:-:/users/${name()}`)],
      ['a batch', () => admin('/invalidations', 'POST', { keys: [`github:-:/users/${name()}`] })],
    ])('invalidates by %s', async (_what, invalidate) => {
      await isCached();
      expect(await isCached()).toBe(true);
      const answer = await invalidate();
      expect(answer.status).toBe(200);
      expect(answer.json['invalidated']).toBeGreaterThan(0);
      expect(await isCached()).toBe(false);
    });

    it('invalidates everything', async () => {
      await isCached();
      expect((await admin('?all=true')).json['invalidated']).toBeGreaterThan(0);
      expect(await isCached()).toBe(false);
    });

    it('shows and lists entries', async () => {
      await isCached();
      const shown = await admin(`/entries/github:-:/users/${name()}`, 'GET');
      expect(shown).toMatchObject({
        status: 200,
        json: {
          key: `github:-:/users/${name()}`,
          upstream: 'github',
          status: 200,
          tags: [
            ...['upstream:github', `path:github:/users/${name()}`],
            ...[`account:${name()}`, `profile:${name()}`, 'anyone:profile'],
          ],
          size: expect.any(Number),
          age: expect.any(Number),
          ttl: expect.any(Number),
        },
      });
      const listed = await admin(`/entries?match=*${name()}&limit=10`, 'GET');
      expect(listed.json['entries']).toEqual([expect.objectContaining({ key: `github:-:/users/${name()}` })]);
      expect(await admin('/entries/nothing', 'GET')).toMatchObject({ status: 404, json: { code: 'entry-not-found' } });
    });

    it.each([
      ['/entries?cursor=&match=&limit=', 'GET', 200],
      ['?all=yes', 'DELETE', 400],
      ['', 'DELETE', 400],
      ['?prefix=a&all=true', 'DELETE', 400],
      ['/entries?limit=-1', 'GET', 400],
      ['/entries?cursor=%0a', 'GET', 400],
      ['?all=true', 'GET', 405],
    ])('answers %s by %s with %d', async (path, method, status) => {
      expect((await admin(path, method)).status).toBe(status);
    });

    it('takes a glob in a prefix literally', async () => {
      await isCached();
      expect((await admin('?prefix=*')).json).toEqual({ invalidated: 0 });
      expect(await isCached()).toBe(true);
    });

    it.each([
      ['no token', {}],
      ['a wrong token', { authorization: 'Bearer test-admin-toker' }],
      ['a prefix of the token', { authorization: 'Bearer test-admin' }],
      ['Basic', { authorization: 'Basic dGVzdC1hZG1pbi10b2tlbg==' }],
    ])('refuses %s', async (_name, headers) => {
      const answer = await ask(service, '/admin/cache?all=true&token=test-admin-token', { method: 'DELETE', headers });
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer realm="larder admin"']);
      expect(answer.json['code']).toBe('admin-unauthorized');
    });
  });

  it('keeps its token and its password out of the log', async () => {
    const log = await everythingLogged(service);
    expect(log).not.toContain('test-admin-token');
    expect(log).not.toContain('redis-secret');
  });
});

describe('an entry in Redis', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let services: ServiceProcess[];
  const key = 'larder:v4:e:{github:-:/users/redis}';

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000 } });
    redis = await RedisProcess.start();
    const env = {
      REDIS_ENDPOINT_URI: redis.uri,
      CACHE_TTL_SECONDS: '100',
      CACHE_STALE_IF_ERROR_SECONDS: '50',
    };
    services = await Promise.all([start(github, env), start(github, env)]);
    await Promise.all(services.map((service) => service.waitForLog(/Connected/)));
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await redis.stop();
    await github.stop();
  });

  it('is for a person to see, time and delete by redis-cli, for all replicas', async () => {
    const [one, two] = services as [ServiceProcess, ServiceProcess];
    const cached = async (service: ServiceProcess) => (await ask(service, '/repos/redis')).json['cached'];
    expect(await cached(one)).toBe(false);
    expect([await cached(one), await cached(two), await cached(two)]).toEqual([true, true, true]);
    const keys = (await redis.cli('--scan', '--pattern', 'larder:v4:e:*')).split('\n').sort();
    expect(keys).toEqual([expect.stringMatching(/\{github:-:\/users\/redis\|[\w-]+\|repos\}$/), key]);
    expect(Number(await redis.cli('TTL', key))).toBeGreaterThan(140);
    expect(await redis.cli('DEL', key)).toBe('1');
    await waitUntil(async () => (await cached(two)) === false, { what: 'the miss after DEL' });
    expect(github.requests.count()).toBe(2);
  });

  it("is left alone by an invalidation of everything if it is another application's", async () => {
    await redis.command('SET', 'larder:other', '1');
    await redis.command('SET', 'session:1', '1');
    await ask(services[0]!, '/admin/cache?all=true', { method: 'DELETE', headers: ADMIN });
    expect(await redis.command('EXISTS', 'larder:other', 'session:1')).toBe('2');
    expect(await redis.cli('--scan', '--pattern', 'larder:v4:e:*')).toBe('');
  });
});
