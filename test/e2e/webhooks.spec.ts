import { createHmac, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { GithubSimulator } from '../../simulator';
import { rawRequest } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask, start } from './ask';

const [NEW_SECRET, OLD_SECRET] = ['the-new-secret', 'the-old-secret'];
const sign = (body: string | Buffer, secret = NEW_SECRET, algorithm = 'sha256') =>
  `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`;

describe('webhooks of GitHub', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let services: ServiceProcess[];
  let env: Record<string, string>;

  beforeAll(async () => {
    [github, redis] = await Promise.all([
      GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000 } }),
      RedisProcess.start(),
    ]);
    env = {
      ...{ GITHUB_WEBHOOK_SECRET: `${NEW_SECRET}, ${OLD_SECRET}`, TRUST_PROXY: 'loopback', GITHUB_SETTLE_SECONDS: '0' },
      ...{ REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' },
    };
    services = await Promise.all([start(github, env), start(github, env)]);
    for (const service of services) await service.untilRedisIsUp();
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([github.stop(), redis.stop()]);
  });

  const deliver = (
    event: string,
    payload: unknown,
    {
      fields = {},
      to = services[0]!,
      raw,
    }: { fields?: Record<string, string>; to?: ServiceProcess; raw?: string | Buffer } = {},
  ) => {
    const body = raw ?? JSON.stringify(payload);
    const headers = {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': sign(body),
      ...fields,
    };
    return ask(to, '/webhooks/github', { method: 'POST', headers, body: body as string });
  };
  const redisCreated = { action: 'created', repository: { full_name: 'redis/new', owner: { login: 'redis' } } };
  const cached = async (path: string) => (await ask(services[1]!, path)).headers['x-cache'];

  it('remove what the event has changed, on every replica, and only that', async () => {
    const [changed, kept] = [
      ['/repos/redis', '/github/users/redis'],
      ['/github/users/nestjs', '/github/repos/redis/redis'],
    ];
    for (const path of [...changed, ...kept]) for (let times = 0; times < 2; times++) await ask(services[1]!, path);
    const answer = await deliver('repository', redisCreated);
    expect(answer).toMatchObject({ status: 202, json: { event: 'repository', status: 'done', invalidated: 1 } });
    for (const path of changed) await waitUntil(async () => (await cached(path)) === 'MISS', { what: `${path} gone` });
    for (const path of kept) expect(await cached(path)).toBe('HIT');
  });

  it('are taken once, whichever replica they come to', async () => {
    const fields = { 'x-github-delivery': randomUUID() };
    expect((await deliver('push', {}, { fields })).json['status']).toBe('done');
    expect((await deliver('push', {}, { fields, to: services[1]! })).json['status']).toBe('duplicate');
  });

  it('are no duplicate by their id alone, which is not signed: another body or event of the same id is done', async () => {
    const fields = { 'x-github-delivery': randomUUID() };
    // An old signed body, sent again with the id of the delivery that is to come, and the real body as an event that changes nothing.
    expect((await deliver('push', { ref: 'refs/heads/old' }, { fields })).json['status']).toBe('done');
    expect((await deliver('ping', redisCreated, { fields })).json['status']).toBe('done');
    for (let times = 0; times < 2; times++) await ask(services[1]!, '/repos/redis');
    expect((await deliver('repository', redisCreated, { fields })).json['status']).toBe('done');
    await waitUntil(async () => (await cached('/repos/redis')) === 'MISS', { what: '/repos/redis gone' });
    expect((await deliver('repository', redisCreated, { fields, to: services[1]! })).json['status']).toBe('duplicate');
  });

  it('are taken with a digit in the name of the event, as projects_v2_item', async () => {
    const answer = await deliver('projects_v2_item', { action: 'edited', organization: { login: 'redis', id: 9 } });
    expect([answer.status, answer.json['status']]).toEqual([202, 'done']);
  });

  it('have what they name validated before its next use, where the event is unknown', async () => {
    const path = '/github/repos/redis/docs';
    for (let times = 0; times < 2; times++) await ask(services[1]!, path);
    expect(await cached(path)).toBe('HIT');
    const answer = await deliver('event_of_tomorrow', { repository: { full_name: 'redis/docs' } });
    expect([answer.status, answer.json['status']]).toEqual([202, 'unknown-event']);
    await waitUntil(async () => (await ask(services[1]!, path)).headers['x-cache'] === 'MISS', {
      what: 'a validation',
    });
  });

  it('are taken with the secret of before, as a form, and with an event of tomorrow', async () => {
    const body = JSON.stringify({ zen: 'x' });
    expect(
      (await deliver('ping', null, { raw: body, fields: { 'x-hub-signature-256': sign(body, OLD_SECRET) } })).status,
    ).toBe(202);
    const form = `payload=${encodeURIComponent(JSON.stringify(redisCreated))}`;
    const formed = await deliver('repository', null, {
      raw: form,
      fields: { 'content-type': 'Application/X-WWW-Form-UrlEncoded; charset=utf-8' },
    });
    expect([formed.status, formed.json['status']]).toEqual([202, 'done']);
    expect((await deliver('event_of_tomorrow', {})).json['status']).toBe('unknown-event');
  });

  it('are done by one and duplicates for the other, where the same comes twice at once', async () => {
    const fields = { 'x-github-delivery': randomUUID() };
    const answers = await Promise.all(services.map((to) => deliver('repository', redisCreated, { fields, to })));
    expect(answers.map(({ json }) => json['status']).sort()).toEqual(['done', 'duplicate']);
  });

  it('are accepted again, if the replica of the first delivery could not confirm it and has died', async () => {
    const doomed = await start(github, env);
    await doomed.untilRedisIsUp();
    for (let times = 0; times < 2; times++) await ask(services[1]!, '/repos/redis');
    const fields = { 'x-github-delivery': randomUUID() };
    await redis.freeze();
    expect((await deliver('repository', redisCreated, { fields, to: doomed })).status).toBe(503);
    doomed.kill();
    await doomed.exited;
    await redis.thaw();
    await waitUntil(async () => (await deliver('ping', {}, { to: services[1]! })).status === 202, {
      what: 'Redis',
    });
    const again = await deliver('repository', redisCreated, { fields, to: services[1]! });
    expect([again.status, again.json['status']]).toEqual([202, 'done']);
    expect(await cached('/repos/redis')).toBe('MISS');
  });

  const good = JSON.stringify(redisCreated);
  it.each<[string, Record<string, string>]>([
    ['no signature', { 'x-hub-signature-256': '' }],
    ['another secret', { 'x-hub-signature-256': sign(good, 'another-secret') }],
    ['another body', { 'x-hub-signature-256': sign(`${good} `) }],
    ['SHA-1 only', { 'x-hub-signature-256': '', 'x-hub-signature': sign(good, NEW_SECRET, 'sha1') }],
    ['SHA-1 under the name of SHA-256', { 'x-hub-signature-256': sign(good, NEW_SECRET, 'sha1') }],
    ['a truncated signature', { 'x-hub-signature-256': sign(good).slice(0, -2) }],
    ['an empty signature', { 'x-hub-signature-256': 'sha256=' }],
  ])('do nothing without a signature: %s', async (_name, fields) => {
    for (let times = 0; times < 2; times++) await ask(services[1]!, '/repos/redis');
    expect(await deliver('repository', redisCreated, { fields })).toMatchObject({
      status: 401,
      json: { code: 'webhook-unsigned' },
    });
    expect(await cached('/repos/redis')).toBe('HIT');
  });

  it('are refused without a signature before their body is read', async () => {
    const head =
      'POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n';
    const until = (received: string): boolean => received.includes('HTTP/1.1 401');
    expect(until((await rawRequest(services[0]!.port, head, { until })).toString())).toBe(true);
  });

  it.each<[string, string | Buffer, Record<string, string>, number]>([
    ['no JSON', 'nope', {}, 400],
    ['a gzip body', gzipSync(good), { 'content-encoding': 'gzip' }, 400],
    ['no event', good, { 'x-github-event': '' }, 400],
    ['a delivery that is no word', good, { 'x-github-delivery': 'a b' }, 400],
    ['26 MB', Buffer.alloc(27_000_000, ' '), {}, 413],
    ['a hostile member', '{"__proto__":{"x":1},"repository":{"full_name":["a"]}}', {}, 202],
  ])('answer %s with a problem', async (_name, raw, fields, status) => {
    expect((await deliver('push', null, { raw, fields })).status).toBe(status);
  });

  it('with wrong signatures are counted over all replicas and get 429; a right one from the same address is taken', async () => {
    // An address of their own, so that the minute begins with the first of them.
    const from = { 'x-forwarded-for': '198.51.100.7' };
    const wrong = { ...from, 'x-hub-signature-256': sign('another body') };
    const codes: unknown[] = [];
    for (let count = 0; count < 24; count++) {
      const { status, json, headers } = await deliver('push', {}, { fields: wrong, to: services[count % 2]! });
      codes.push(json['code']);
      if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(codes).toEqual([
      ...Array<string>(20).fill('webhook-unsigned'),
      ...Array<string>(4).fill('too-many-attempts'),
    ]);
    for (const to of services) expect((await deliver('push', {}, { fields: from, to })).json['status']).toBe('done');
    expect((await deliver('push', {}, { fields: { ...from, 'x-hub-signature-256': '' } })).status).toBe(429);
  });

  it('are not taken while Redis cannot promise it, are made up for, and are taken when they come again', async () => {
    const fields = { 'x-github-delivery': randomUUID() };
    for (let times = 0; times < 2; times++) await ask(services[1]!, '/repos/nodejs');
    await redis.freeze();
    const told = { action: 'created', repository: { full_name: 'nodejs/new', owner: { login: 'nodejs' } } };
    expect((await deliver('repository', told)).status).toBe(503);
    const refused = await deliver('push', {}, { fields });
    expect([refused.status, refused.json['code']]).toEqual([503, 'cache-unavailable']);
    await redis.thaw();
    await waitUntil(async () => (await cached('/repos/nodejs')) === 'MISS', { what: 'the miss' });
    await waitUntil(async () => (await deliver('push', {}, { fields })).status === 202, {
      what: 'Redis',
    });
  });
});

it('has no webhooks without a secret', async () => {
  const github = await GithubSimulator.start();
  const service = await start(github);
  const answer = await ask(service, '/webhooks/github', { method: 'POST', body: '{}' });
  expect([answer.status, answer.json['code']]).toEqual([404, 'route-not-found']);
  expect(answer.json['detail']).toContain('Set GITHUB_WEBHOOK_SECRET');
  await service.stop();
  await github.stop();
});
