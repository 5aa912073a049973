import { createHmac, randomUUID } from 'node:crypto';
import { GithubSimulator } from '../../simulator';
import { request, type HttpAnswer } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

const SECRET = 'a-webhook-secret';
const outcomeOf = ({ headers }: Pick<HttpAnswer, 'headers'>): string | undefined =>
  /detail=([A-Z_]+)/.exec(String(headers['cache-status']))?.[1];

describe('the gateway of two replicas', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let replicas: readonly [ServiceProcess, ServiceProcess];
  const through = (replica: 0 | 1, path: string, headers: Record<string, string> = {}, method = 'GET') =>
    request(`${replicas[replica].url}/github${path}`, { headers, method });
  const healthOf = async (replica: ServiceProcess): Promise<string> => (await ask(replica, '/health')).text;
  const untilState = (state: 'up' | 'degraded') =>
    waitUntil(
      async () => (await Promise.all(replicas.map(healthOf))).every((text) => text.includes(`"state":"${state}"`)),
      { what: `both are ${state}` },
    );

  beforeAll(async () => {
    [github, redis] = await Promise.all([
      GithubSimulator.start({ latencyMs: 5, rateLimit: { anonymous: 1_000_000 } }),
      RedisProcess.start(),
    ]);
    const env = {
      REDIS_ENDPOINT_URI: redis.uri,
      REDIS_COMMAND_TIMEOUT_MS: '1000',
      CACHE_LEASE_MS: '10000',
      GITHUB_SETTLE_SECONDS: '0',
      CREDENTIAL_SECRET: 'a-secret-of-the-tests',
      PUBLIC_URL: 'https://larder.example',
      GITHUB_WEBHOOK_SECRET: SECRET,
    };
    replicas = await Promise.all([start(github, env), start(github, env)]);
    await untilState('up');
  });
  beforeEach(() => github.requests.reset());
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await redis.stop();
    await github.stop();
  });

  it('asks once for a crowd at both', async () => {
    const crowd = Array.from({ length: 200 }, (_, at) => through((at % 2) as 0 | 1, '/users/nestjs'));
    expect(new Set((await Promise.all(crowd)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(github.requests.count()).toBe(1);
  });

  it('gives one what the other has stored, also to a caller with a token', async () => {
    for (const headers of [{}, { authorization: 'Bearer ghp_owner_secret' }] as Record<string, string>[]) {
      const first = await through(0, '/repos/redis/redis', headers);
      expect(outcomeOf(first)).toBe('MISS');
      const second = () => through(1, '/repos/redis/redis', headers);
      await waitUntil(async () => outcomeOf(await second()) === 'HIT', { what: 'the hit' });
      expect((await second()).body).toEqual(first.body);
    }
    expect(github.requests.count()).toBe(2);
  });

  it('forgets at both what a write through one has changed', async () => {
    const path = '/repos/redis/redis/issues';
    await through(0, path);
    await waitUntil(async () => outcomeOf(await through(1, path)) === 'HIT', { what: 'the hit' });
    const headers = { authorization: 'Bearer ghp_owner_secret', 'content-type': 'application/json' };
    const { url } = replicas[0];
    await request(`${url}/github${path}`, { method: 'POST', headers, body: JSON.stringify({ title: 'x' }) });
    await waitUntil(async () => outcomeOf(await through(1, path)) !== 'HIT', { what: 'the miss' });
  });

  it('points links to where its clients know it', async () => {
    const { headers } = await through(0, '/users/redis/repos?per_page=5');
    expect(String(headers.link)).toContain('<https://larder.example/github/');
    expect(String(headers.link)).not.toContain(github.url);
  });

  it('answers what it has, and asks GitHub for the rest, while Redis is frozen', async () => {
    await through(0, '/users/redis');
    await through(0, '/users/redis'); // in memory now
    await redis.freeze();
    try {
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, at) => through(0, at % 2 === 0 ? '/users/redis' : `/users/frozen-${at % 6}`)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      await untilState('degraded');
      const { headers, status } = await through(0, '/users/redis');
      expect([status, headers['x-cache']]).toEqual([200, 'HIT']);
      const removed = await ask(replicas[0], '/admin/cache/accounts/redis', { method: 'DELETE', headers: ADMIN });
      expect(removed.json).toMatchObject({ status: 503, code: 'cache-unavailable' });
    } finally {
      await redis.thaw();
    }
    await untilState('up');
    expect((await through(0, '/users/redis')).status).toBe(200);
  });

  it('answers a write while Redis is frozen, and forgets what it has changed before Redis is read again', async () => {
    const path = '/repos/redis/frozen/issues?per_page=100';
    await through(0, path);
    await waitUntil(async () => outcomeOf(await through(1, path)) === 'HIT', { what: 'the hit' });
    await redis.freeze();
    try {
      const headers = { authorization: 'Bearer ghp_owner_secret', 'content-type': 'application/json' };
      const url = `${replicas[0].url}/github/repos/redis/frozen/issues`;
      const written = await request(url, { method: 'POST', headers, body: JSON.stringify({ title: 'x' }) });
      expect(written.status).toBe(201);
      expect(String(written.headers['cache-status'])).toContain('BYPASS/upstream:cache-unavailable');
    } finally {
      await redis.thaw();
    }
    await untilState('up');
    expect(outcomeOf(await through(0, path))).not.toBe('HIT');
    const read = () => through(1, path);
    const written = github.requests.count(/frozen/);
    await waitUntil(async () => String((await read()).body).includes('"title":"x"'), { what: 'the new' });
    expect(written).toBeGreaterThan(2);
  });

  it('forgets all pages about the subject of a webhook, under either name', async () => {
    const first = '/repos/redis/paged/issues?per_page=20';
    const next = /<[^>]*\/github([^>]+)>; rel="next"/.exec(String((await through(0, first)).headers.link))?.[1] ?? '';
    expect(next).toBe('/repos/redis/paged/issues?per_page=20&page=2');
    const direct = await request(`${github.url}${first}`, { headers: { 'user-agent': 'test' } });
    const [, byId = '', id = ''] =
      /<[^>]*(\/repositories\/(\d+)\/issues[^>]+)>; rel="next"/.exec(String(direct.headers.link)) ?? [];
    const kept = '/repos/redis/paged/commits';
    for (const path of [next, byId, kept]) expect(outcomeOf(await through(0, path))).toBe('MISS');
    const body = JSON.stringify({
      action: 'opened',
      repository: { id: Number(id), full_name: 'redis/paged', owner: { login: 'redis', id: 1529926 } },
    });
    const signature = createHmac('sha256', SECRET).update(body).digest('hex');
    const headers = {
      'content-type': 'application/json',
      'x-github-event': 'issues',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${signature}`,
    };
    expect((await request(`${replicas[1].url}/webhooks/github`, { method: 'POST', headers, body })).status).toBe(202);
    await waitUntil(async () => outcomeOf(await through(0, first)) !== 'HIT', { what: 'the miss' });
    const outcomes = [];
    for (const path of [next, byId, kept]) outcomes.push(outcomeOf(await through(0, path)));
    expect(outcomes).toEqual(['MISS', 'MISS', 'HIT']);
    expect((await ask(replicas[1], '/metrics')).text).toContain(
      'larder_webhook_deliveries_total{upstream="github",event="issues",result="done"} 1',
    );
  });

  it('caches in memory while Redis has no room, and while it is gone', async () => {
    const twice = async (path: string) => {
      const [first, second] = [await through(0, path), await through(0, path)];
      const ttl = Number(/ttl=(-?\d+)/.exec(String(second.headers['cache-status']))?.[1]);
      return { outcomes: [outcomeOf(first), outcomeOf(second)], isSettling: ttl <= 1 };
    };
    // What settles is unknown while Redis is gone, except that nothing of this upstream does.
    const stored = { outcomes: ['MISS', 'HIT'], isSettling: false };
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await twice('/users/full')).toEqual(stored);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await redis.kill();
    await untilState('degraded');
    expect(await twice('/users/gone')).toEqual(stored);
    await redis.restart();
    await untilState('up');
    expect((await through(0, '/users/gone')).status).toBe(200);
  });

  it.each([
    ['a text', 'SET', 'text'],
    ['a list', 'RPUSH', 'x'],
    ['another index', 'SET', '{"generation":"x","lists":[[]]}'],
  ])('stands %s in the place of an index', async (_what, command, value) => {
    await through(0, '/users/garbage');
    const key = 'larder:v4:e:{github:-:/users/garbage}';
    await redis.command('DEL', key);
    await redis.command(command, key, value);
    await waitUntil(async () => outcomeOf(await through(0, '/users/garbage')) === 'MISS', { what: 'the miss' });
    expect((await through(0, '/users/garbage')).status).toBe(200);
  });
});
