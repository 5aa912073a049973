import { gunzipSync } from 'node:zlib';
import { rawRequest, request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { StackExchangeApi } from '../support/stackexchange-api';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask } from './ask';

const SECRETS = { key: 'k3y-of-the-service', access: 's3cret-access-token', other: 's3cret-of-another' };
const SITE = 'site=stackoverflow';

describe.each([['memory'], ['redis']])('Stack Exchange, with the store in %s', (kind) => {
  let origin: ScriptedOrigin;
  let redis: RedisProcess | undefined;
  let services: ServiceProcess[];
  let api: StackExchangeApi;
  let prefixes = 0;

  const start = async (env: Record<string, string> = {}) => {
    const service = await ServiceProcess.start({
      env: {
        ...{
          STACKEXCHANGE_API_URL: `${origin.url}/2.3`,
          STACKEXCHANGE_SETTLE_SECONDS: '0',
          ADMIN_TOKEN: 'test-admin-token',
        },
        ...{ CREDENTIAL_SECRET: 'of-the-tests', LOG_LEVEL: 'debug', UPSTREAM_BREAKER_FAILURES: '1000' },
        ...(redis && { REDIS_ENDPOINT_URI: redis.uri, REDIS_KEY_PREFIX: `p${++prefixes}` }),
        ...env,
      },
    });
    services.push(service);
    if (redis) await service.untilRedisIsUp();
    return service;
  };
  /** The API compresses whatever the client accepts. */
  const get = async (service: ServiceProcess, path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await request(`${service.url}${path}`, { headers });
    const text = (fields['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
    const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status, headers: fields, text, json, cache: fields['x-cache'] };
  };
  const gateway = (service: ServiceProcess, path: string) => get(service, `/stackexchange${path}`);
  const purge = (service: ServiceProcess, tag: string) =>
    ask(service, `/admin/cache/tags/${encodeURIComponent(tag)}`, { method: 'DELETE', headers: ADMIN });

  beforeAll(async () => {
    redis = kind === 'redis' ? await RedisProcess.start() : undefined;
  });
  beforeEach(async () => {
    services = [];
    origin = await ScriptedOrigin.start();
    api = StackExchangeApi.of(origin);
  });
  afterEach(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await origin.stop();
  });
  afterAll(() => redis?.stop());

  it('counts the questions of a tag, out of the gateway’s response where that is stored', async () => {
    const service = await start();
    expect((await get(service, '/tags/redis')).json).toEqual({ tag: 'redis', questions: 25_431, cached: false });
    expect((await get(service, '/tags/redis')).json).toEqual({ tag: 'redis', questions: 25_431, cached: true });
    expect(origin.hits.map(({ url }) => url)).toEqual([`/2.3/tags/redis/info?${SITE}`]);
    const fields = { accept: 'application/json', 'accept-encoding': 'gzip' };
    const stored = async () => (await get(service, `/stackexchange/tags/c%23/info?${SITE}`, fields)).cache === 'HIT';
    await waitUntil(stored, { what: 'the stored response' });
    expect((await get(service, '/tags/c%23')).json).toEqual({ tag: 'c#', questions: 1_625_117, cached: true });
    expect(origin.hits).toHaveLength(2);
    api.tags.get('redis')!.count = 25_432;
    await purge(service, 'stackexchange:tag:redis');
    expect((await get(service, '/tags/redis')).json).toMatchObject({ questions: 25_432, cached: false });
  });

  it('knows the case of tags, and refuses what is none', async () => {
    const service = await start();
    expect((await get(service, '/tags/Case')).json).toMatchObject({ tag: 'Case', questions: 7 });
    expect(await get(service, '/tags/case')).toMatchObject({ status: 404, json: { code: 'tag-not-found' } });
    for (const wrong of ['redis;lua', 'a%2Fb', 'x'.repeat(36), 'a%20b'])
      expect([wrong, Math.floor((await get(service, `/tags/${wrong}`)).status / 100)]).toEqual([wrong, 4]);
    const dots = await rawRequest(service.port, 'GET /tags/%2E%2E HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(dots.toString()).toMatch(/^HTTP\/1.1 40[04]/);
    expect(await get(service, '/tags/redis/info')).toMatchObject({ status: 404, json: { code: 'route-not-found' } });
    expect(origin.hits).toHaveLength(2);
  });

  it('shares what is public, though all of it is marked private, and passes errors on', async () => {
    const service = await start();
    const page = (at: number) => gateway(service, `/tags?page=${at}&pagesize=2&${SITE}`);
    expect([(await page(1)).cache, (await page(1)).cache, (await page(2)).cache]).toEqual(['MISS', 'HIT', 'MISS']);
    expect([(await page(1)).json['has_more'], (await page(2)).json['has_more']]).toEqual([true, false]);
    for (let times = 1; times <= 2; times++) {
      expect(await gateway(service, `/nothing?${SITE}`)).toMatchObject({
        status: 400,
        json: { error_name: 'no_method' },
      });
      expect(await gateway(service, '/tags')).toMatchObject({ status: 400, json: { error_name: 'bad_parameter' } });
    }
    expect((await ask(service, '/stackexchange-budget', { headers: ADMIN })).json).toMatchObject({
      credentials: [{ resources: { quota: { limit: 10_000, remaining: 9_998 } } }],
    });
  });

  it('keeps callers apart by their token, and shows it in no key, log line, metric or header field', async () => {
    const service = await start({ STACKEXCHANGE_TOKEN: SECRETS.key });
    const me = (token: string) => gateway(service, `/me?${SITE}&key=app&access_token=${token}`);
    const seen = [
      await me(SECRETS.access),
      await me(SECRETS.other),
      await me(SECRETS.access),
      await get(service, '/tags/redis'),
    ];
    expect(seen.map(({ cache }) => cache)).toEqual(['MISS', 'MISS', 'HIT', 'MISS']);
    expect(seen[0]!.text).not.toBe(seen[1]!.text);
    expect(origin.hits.map(({ url }) => url)).toEqual([
      `/2.3/me?${SITE}&key=app&access_token=${SECRETS.access}`,
      `/2.3/me?${SITE}&key=app&access_token=${SECRETS.other}`,
      `/2.3/tags/redis/info?${SITE}&key=${SECRETS.key}`,
    ]);
    const inPath = await gateway(service, `/access-tokens/${SECRETS.access}?${SITE}`);
    const doubled = await gateway(service, `//access-tokens/${SECRETS.access}?${SITE}`);
    expect([inPath.status, doubled.status, origin.hits.length]).toEqual([400, 400, 3]);
    const shown = await Promise.all(
      [
        '/metrics',
        '/admin/cache/entries?match=*',
        '/stackexchange-budget',
        '/admin/audit',
        '/health',
        '/page.json',
      ].map((path) => get(service, path, ADMIN)),
    );
    const keys = redis ? await redis.cli('--scan') : '';
    const values = redis
      ? await redis.cli(
          'EVAL',
          "local out = '' for _, k in ipairs(redis.call('KEYS', '*')) do out = out .. (redis.call('DUMP', k) or '') end return out",
          '0',
        )
      : '';
    const everything = [
      ...[...seen, inPath, doubled, ...shown].map(({ headers, text }) => JSON.stringify(headers) + text),
      ...[service.stdout(), service.stderr(), keys, values],
    ].join('\n');
    expect(everything).toContain('stackexchange:');
    for (const secret of Object.values(SECRETS)) expect(everything).not.toContain(secret);
  });

  it('waits as long as a body says with that method alone, on every replica, and serves what is stored', async () => {
    const one = await start();
    api.backoff = 600;
    await gateway(one, `/questions/11227809?${SITE}`);
    const held = await gateway(one, `/questions/1?${SITE}`);
    expect(held).toMatchObject({ status: 429, json: { code: 'upstream-rate-limited' } });
    expect(Number(held.headers['retry-after'])).toBeGreaterThan(500);
    expect((await gateway(one, `/questions/11227809?${SITE}`)).cache).toBe('HIT');
    api.backoff = undefined;
    expect((await gateway(one, `/tags?${SITE}`)).status).toBe(200);
    expect(origin.hits).toHaveLength(2);
  });

  it('serves what is stored while a limit is violated or the API is down', async () => {
    const service = await start();
    await waitUntil(async () => (await get(service, '/tags/redis')).json['cached'] === true, {
      what: 'the tag stored',
    });
    await waitUntil(async () => (await gateway(service, `/tags?${SITE}`)).cache === 'HIT', { what: 'the list stored' });
    const stale = async (path: string) => {
      await ask(service, '/admin/cache/invalidations', {
        ...{ method: 'POST', headers: { ...ADMIN, 'content-type': 'application/json' } },
        body: JSON.stringify({ tags: ['upstream:stackexchange'], mode: 'stale' }),
      });
      return get(service, path);
    };
    api.error = { id: 503, name: 'temporarily_unavailable', message: 'try again later' };
    expect((await stale(`/stackexchange/tags?${SITE}`)).json['items']).toHaveLength(2);
    api.error = {
      id: 502,
      name: 'throttle_violation',
      message: 'too many requests, more requests available in 900 seconds',
    };
    expect((await stale('/tags/redis')).json).toMatchObject({ questions: 25_431 });
    const refused = await get(service, '/tags/c%23');
    expect(refused).toMatchObject({ status: 429, json: { code: 'upstream-rate-limited' } });
    api.error = undefined;
    api.isDown = true;
    expect((await stale('/tags/redis')).json).toMatchObject({ questions: 25_431 });
    expect((await stale(`/stackexchange/tags?${SITE}`)).status).toBe(200);
  });

  it('removes what a write has changed', async () => {
    const service = await start();
    const question = async () =>
      (await gateway(service, `/questions/11227809?${SITE}`)).json['items'] as { title: string }[];
    const edit = (path: string, title: string) =>
      request(`${service.url}/stackexchange${path}`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        body: `${SITE}&key=app&access_token=${SECRETS.access}&title=${title}`,
      });
    await question();
    await gateway(service, `/tags?${SITE}`);
    await edit('/questions/11227809/edit', 'one');
    expect((await question())[0]?.title).toBe('one');
    await edit('/answers/11227902/edit', 'two');
    expect((await question())[0]?.title).toBe('two');
    expect((await gateway(service, `/tags?${SITE}`)).cache).toBe('MISS');
  });

  if (kind === 'redis')
    it('honours a backoff that another replica has seen', async () => {
      const shared = { REDIS_KEY_PREFIX: 'shared' };
      const [one, other] = [await start(shared), await start(shared)];
      api.backoff = 600;
      await gateway(one, `/questions/11227809?${SITE}`);
      expect((await gateway(other, `/questions/11227809?${SITE}`)).cache).toBe('HIT');
      expect((await gateway(other, `/questions/1?${SITE}`)).status).toBe(429);
      expect(origin.hits).toHaveLength(1);
    });
});
