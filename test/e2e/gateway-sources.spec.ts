import { createHmac } from 'node:crypto';
import type { HttpRequestOptions } from '../support/raw-http';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin, type OriginScript } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ADMIN, ask } from './ask';
import { newPath } from './hostile';

const SECRET = 'a-webhook-secret-of-the-tests';
const TOKEN = 'ghp_the_service_itself';
const KEPT = { 'cache-control': 'public, max-age=600' };

jest.setTimeout(120_000); // many processes, one after the other

describe('what decides an answer beside the request keeps what is stored in one Redis apart', () => {
  let redis: RedisProcess;
  let origins: readonly [ScriptedOrigin, ScriptedOrigin];
  let path: string;
  const running: ServiceProcess[] = [];

  const start = async (env: Readonly<Record<string, string>>): Promise<ServiceProcess> => {
    const service = await ServiceProcess.start({
      env: {
        ...{ REDIS_ENDPOINT_URI: redis.uri, GITHUB_WEBHOOK_SECRET: SECRET, ADMIN_TOKEN: 'test-admin-token' },
        ...{ UPSTREAM_BREAKER_FAILURES: '1000', ...env },
      },
    });
    running.push(service);
    await service.untilRedisIsUp();
    return service;
  };
  const get = async (service: ServiceProcess, target = path, options: HttpRequestOptions = {}) => {
    const { status, headers, body } = await request(`${service.url}/github${target}`, options);
    return {
      status,
      cache: headers['x-cache'],
      key: /key="([^"]+)"/.exec(String(headers['cache-status']))?.[1],
      body: body.toString(),
    };
  };
  const named =
    (name: string): OriginScript =>
    (response, { headers, url }) =>
      response
        .writeHead(200, KEPT)
        .end(
          url.startsWith('/users/')
            ? JSON.stringify({ login: name, public_repos: name.length })
            : `${name} to ${headers.authorization ?? 'nobody'}`,
        );

  beforeAll(async () => {
    redis = await RedisProcess.start();
    origins = [await ScriptedOrigin.start(), await ScriptedOrigin.start()];
  });
  beforeEach(() => {
    path = newPath();
    origins[0].answerBy(named('one'));
    origins[1].answerBy(named('other'));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.stop()));
  });
  afterAll(async () => {
    await Promise.all(origins.map((origin) => origin.stop()));
    await redis.stop();
  });

  it('two services with other APIs mix no answers, with or without memory', async () => {
    for (const L1_MAX_BYTES of ['67108864', '0']) {
      const services = await Promise.all(origins.map(({ url }) => start({ GITHUB_API_URL: url, L1_MAX_BYTES })));
      for (let times = 0; times < 3; times++)
        for (const [at, service] of services.entries()) {
          expect((await get(service)).body).toBe(['one to nobody', 'other to nobody'][at]);
          const { json } = await ask(service, `/repos${path}`);
          expect(json).toMatchObject({ username: ['one', 'other'][at], repos: [3, 5][at] });
        }
      const crowd = Array.from({ length: 40 }, (_, at) => get(services[at % 2]!, `${path}/at-once`));
      for (const [at, { body }] of (await Promise.all(crowd)).entries())
        expect(body).toBe(['one to nobody', 'other to nobody'][at % 2]);
    }
  });

  it('a service whose API has moved shows nothing of the old one, and the same one finds its own again', async () => {
    const before = await start({ GITHUB_API_URL: origins[0].url });
    await get(before);
    await before.stop();
    const same = await start({ GITHUB_API_URL: `${origins[0].url}/` });
    expect(await get(same)).toMatchObject({ cache: 'HIT', body: 'one to nobody', key: `github:-:${path}` });
    await same.stop();
    const moved = await start({ GITHUB_API_URL: origins[1].url });
    expect(await get(moved)).toMatchObject({ cache: 'MISS', body: 'other to nobody', key: `github:-:${path}` });
  });

  it('one API’s failures and limits are not the other’s', async () => {
    const [one, other] = await Promise.all(origins.map(({ url }) => start({ GITHUB_API_URL: url })));
    origins[0].answerBy((response) => response.socket!.resetAndDestroy());
    for (let times = 0; times < 5; times++) expect((await get(one!)).status).toBe(502);
    expect((await get(other!)).body).toBe('other to nobody');
    const spent = { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '0', 'x-ratelimit-resource': 'core' };
    const reset = String(Math.floor(Date.now() / 1_000) + 600);
    origins[0].answerBy((response) => response.writeHead(403, { ...spent, 'x-ratelimit-reset': reset }).end('{}'));
    const limited = `${path}/limited`;
    for (let times = 0; times < 2; times++) expect((await get(one!, limited)).status).toBeGreaterThanOrEqual(403);
    expect((await get(other!, limited)).body).toBe('other to nobody');
    const budget = await ask(other!, '/github-budget', { headers: ADMIN });
    expect([budget.status, budget.text]).toEqual([200, expect.not.stringContaining('"remaining":0')]);
    expect((await ask(one!, '/github-budget', { headers: ADMIN })).text).toContain('"remaining":0');
    await redis.command('DEL', 'larder:v4:n:{budget:github}');
  });

  it('a webhook that one has carried out is not the other’s duplicate', async () => {
    const body = JSON.stringify({ action: 'edited', repository: { full_name: 'o/r', owner: { login: 'o' } } });
    const headers = {
      ...{ 'content-type': 'application/json', 'x-github-event': 'repository', 'x-github-delivery': path.slice(1) },
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    };
    const services = await Promise.all(origins.map(({ url }) => start({ GITHUB_API_URL: url })));
    for (const status of ['done', 'duplicate'])
      for (const service of services) {
        const { json } = await ask(service, '/webhooks/github', { method: 'POST', headers, body });
        expect(json['status']).toBe(status);
      }
  });

  it('what a shared token saw is gone for callers without one when it is shared no more', async () => {
    const GITHUB_API_URL = origins[0].url;
    const shared = { GITHUB_API_URL, GITHUB_TOKEN: TOKEN, GITHUB_SHARE_TOKEN: 'true' };
    const [sharing, replica] = await Promise.all([start(shared), start(shared)]);
    const seen = await get(sharing);
    expect(seen).toMatchObject({ body: `one to Bearer ${TOKEN}` });
    expect(seen.key).toMatch(new RegExp(`^github:[\\w-]{16}:${path}$`));
    expect(await get(replica)).toMatchObject({ cache: 'HIT', key: seen.key });
    expect((await get(sharing, path, { headers: { authorization: 'Bearer ghp_another' } })).body).toMatch(/another$/);
    await Promise.all([sharing.stop(), replica.stop()]);
    const cases: [Record<string, string>, string][] = [
      [{ GITHUB_API_URL }, 'one to nobody'],
      [{ ...shared, GITHUB_TOKEN: 'ghp_a_new_one' }, 'one to Bearer ghp_a_new_one'],
      [{ GITHUB_API_URL, GATEWAY_PROFILE: 'rfc' }, 'one to nobody'],
      [{ ...shared, GATEWAY_PROFILE: 'rfc' }, `one to Bearer ${TOKEN}`],
    ];
    const services = await Promise.all(cases.map(([env]) => start(env)));
    for (const [at, [, expected]] of cases.entries()) {
      const service = services[at]!;
      for (let times = 0; times < 2; times++) expect((await get(service)).body).toBe(expected);
      expect((await get(service, path, { headers: { 'cache-control': 'max-stale' } })).body).toBe(expected);
    }
    const keys = await redis.cli('--scan');
    expect(keys).not.toContain(TOKEN);
  });

  it('what the API withdraws at one replica, the other does not serve stale', async () => {
    const GITHUB_API_URL = origins[0].url;
    const [one, other] = await Promise.all([start({ GITHUB_API_URL }), start({ GITHUB_API_URL })]);
    for (const status of [401, 404, 410]) {
      path = newPath();
      const stale = { 'cache-control': 'public, max-age=100', age: '150', etag: '"v1"' };
      origins[0].answerBy((response) => response.writeHead(200, stale).end('old'));
      for (const service of [one, other]) await get(service, path, { headers: { 'cache-control': 'max-stale' } });
      origins[0].answerBy((response) => response.writeHead(status).end());
      expect((await get(one)).status).toBe(status);
      origins[0].answerBy((response) => response.writeHead(503).end());
      for (const headers of [{ 'cache-control': 'max-stale' }, {}])
        expect((await get(other, path, { headers })).status).toBe(status === 401 ? 503 : status); // 404 and 410 are stored
    }
  });
});
