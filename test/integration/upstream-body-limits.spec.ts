import { gzipSync } from 'node:zlib';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { CacheEvents } from '../../src/cache';
import {
  bodyLimits,
  defineUpstream,
  getUpstreamToken,
  UpstreamClient,
  UpstreamModule,
  Upstreams,
  type Upstream,
  type LimitReading,
} from '../../src/upstream';
import { request } from '../support/raw-http';
import { ScriptedOrigin, type OriginHit } from '../support/scripted-origin';

/** Different in kind: its credentials are query parameters, its limits are in bodies that are always compressed, its name has a hyphen. */
const questions = defineUpstream({
  name: 'ask-me',
  title: 'Ask Me',
  baseUrl: undefined,
  credentials: {
    query: ['key', 'access_token'],
    send: (value) => ({ in: 'query', name: 'key', value }),
    // The key counts requests, the access token names the caller.
    canonical: ({ name, value }) => (name === 'key' ? 'any key' : `${name} ${value}`),
  },
  rateLimit: bodyLimits({
    shapeOf: (path) => path.split('/', 2).join('/'),
    read: (json, _answer, now): readonly LimitReading[] => {
      const { quota_max: limit = 0, quota_remaining: remaining, backoff } = json as Record<string, number | undefined>;
      const quota = remaining === undefined ? [] : [limited('quota', limit, remaining, now + 86_400_000)];
      return backoff === undefined ? quota : [...quota, limited('backoff', 1, 0, now + backoff * 1_000)];
    },
  }),
});

function limited(resource: string, limit: number, remaining: number, resetAt: number): LimitReading {
  return { resource, limit: { limit, remaining, resetAt }, refusal: undefined };
}

@Module({ imports: [UpstreamModule.register(questions)] })
class QuestionsModule {}

it('two upstreams have two names, and no prefix below the other’s', () => {
  const upstreams = new Upstreams(new CacheEvents());
  const mounted = (name: string, routePrefix: string) =>
    ({ definition: { name }, settings: { routePrefix }, budget: {} }) as unknown as Upstream;
  upstreams.add(mounted('a', '/apis/a'));
  upstreams.add(mounted('b', '/apis/ab'));
  expect(() => upstreams.add(mounted('a', '/c'))).toThrow('The upstream "a" is mounted twice');
  expect(() => upstreams.add(mounted('c', '/apis/A/c'))).toThrow(
    'A_ROUTE_PREFIX is /apis/a and C_ROUTE_PREFIX is /apis/a/c: neither may be the other or below it. Example: A_ROUTE_PREFIX=/a and C_ROUTE_PREFIX=/c',
  );
  expect(() => upstreams.add(mounted('c', '/apis'))).toThrow('C_ROUTE_PREFIX');
});

describe('an upstream with limits in its bodies and credentials in the query', () => {
  let origin: ScriptedOrigin;
  let app: NestFastifyApplication;
  let url: string;
  let client: UpstreamClient;
  let more: object = {};

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    Object.assign(process.env, {
      ...{
        ASK_ME_API_URL: origin.url,
        ASK_ME_TOKEN: 'the+key-of-us',
        ASK_ME_SHARE_TOKEN: 'true',
        SWAGGER_ENABLED: 'false',
      },
      ...{ ADMIN_TOKEN: 'test-admin-token', GITHUB_API_URL: origin.url },
    });
    const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
    const { AppModule } = await import('../../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule, QuestionsModule] }).compile();
    app = setUp(module.createNestApplication<NestFastifyApplication>(createAdapter()));
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    client = app.get(getUpstreamToken(questions.name), { strict: false });
  });
  beforeEach(() => {
    more = {};
    origin.answerBy((response, hit: OriginHit) => {
      const body = {
        items: ['x'.repeat(20_000)],
        url: hit.url.split('?')[0],
        quota_max: 300,
        quota_remaining: 250,
        ...more,
      };
      response
        .writeHead(200, {
          'content-type': 'application/json',
          'content-encoding': 'gzip',
          'cache-control': 'max-age=600',
        })
        .end(gzipSync(JSON.stringify(body)));
    });
  });
  afterAll(async () => {
    await app.close();
    await origin.stop();
  });

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await request(`${url}${path}`, { headers });
    return { status, fields, text: body.toString(), cache: fields['x-cache'] };
  };
  const budget = async () =>
    JSON.parse((await get('/ask-me-budget', { authorization: 'Bearer test-admin-token' })).text) as {
      credentials: { resources: object }[];
    };

  it('hands large compressed bodies on whole, and knows the quota', async () => {
    const before = (await budget()).credentials.length;
    const { text, status } = await get('/ask-me/tags/redis', { 'accept-encoding': 'gzip' });
    expect(status).toBe(200);
    expect(Buffer.byteLength(text)).toBeGreaterThan(0);
    expect((await client.get('/tags/lua')).json()).toMatchObject({ url: '/tags/lua', quota_remaining: 250 });
    const hit = await client.get('/tags/lua');
    expect([hit.outcome, hit.json()]).toEqual(['HIT', expect.objectContaining({ url: '/tags/lua' })]);
    expect(origin.hits[1]?.url).toBe('/tags/lua?key=the%2Bkey-of-us');
    expect((await budget()).credentials.length).toBeLessThanOrEqual(before + 1); // anonymous callers are served with the service's own key
    for (const { resources } of (await budget()).credentials)
      expect(resources).toMatchObject({ quota: { limit: 300, remaining: 250 } });
  });

  it('serves anonymous callers with its own key to read, not to write, and shows it to none of them', async () => {
    const { fields, cache } = await get('/ask-me/shared');
    await request(`${url}/ask-me/shared`, { method: 'POST', body: '{}' });
    expect(origin.hits.map((hit) => `${hit.method} ${hit.url}`)).toEqual([
      'GET /shared?key=the%2Bkey-of-us',
      'POST /shared',
    ]);
    expect([cache, fields['cache-status']]).toEqual(['MISS', expect.stringMatching(/key="ask-me:[\w-]{16}:\/shared"/)]);
    expect(JSON.stringify(fields)).not.toContain('key-of-us');
  });

  it('distinguishes callers by the parameter that names them, and not by the one that counts them', async () => {
    const [a, b] = ['?key=one&access_token=A', '?access_token=B&key=one'];
    for (const [query, cache] of [
      [a, 'MISS'],
      [b, 'MISS'],
      [a, 'HIT'],
      ['?access_token=A&key=two', 'HIT'],
    ] as const)
      expect([query, (await get(`/ask-me/me${query}`)).cache]).toEqual([query, cache]);
    expect(origin.hits.map((hit) => hit.url)).toEqual(['/me?key=one&access_token=A', '/me?access_token=B&key=one']);
  });

  it('waits as long as a body asks for with paths like its own, and goes on with others', async () => {
    more = { backoff: 60 };
    expect((await client.get('/answers/1')).status).toBe(200);
    await expect(client.get('/answers/2')).rejects.toMatchObject({
      code: 'upstream-rate-limited',
      message: expect.stringContaining('(backoff)') as string,
    });
    expect((await client.get('/answers/1')).outcome).toBe('HIT');
    more = {};
    expect((await client.get('/users/1')).outcome).toBe('MISS');
  });

  it('takes no credential from the service’s own code, which would be stored for all of it', async () => {
    await expect(client.get('/me?access_token=A')).rejects.toMatchObject({ code: 'request-invalid' });
    for (const name of ['Authorization', 'X-Api-Key'])
      await expect(client.get('/me', { headers: { [name]: 's' } })).rejects.toMatchObject({ code: 'request-invalid' });
    expect(origin.hits).toHaveLength(0);
  });
});
