import { GithubSimulator } from '../../simulator';
import { request, type HttpAnswer } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

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
      { what: `both are ${state}`, timeoutMs: 5_000 },
    );

  beforeAll(async () => {
    [github, redis] = await Promise.all([
      GithubSimulator.start({ latencyMs: 5, rateLimit: { anonymous: 1_000_000 } }),
      RedisProcess.start(),
    ]);
    const env = {
      REDIS_ENDPOINT_URI: redis.uri,
      CREDENTIAL_SECRET: 'a-secret-of-the-tests',
      PUBLIC_URL: 'https://larder.example',
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
      const second = await through(1, '/repos/redis/redis', headers);
      expect([outcomeOf(first), outcomeOf(second)]).toEqual(['MISS', 'HIT']);
      expect(second.body).toEqual(first.body);
    }
    expect(github.requests.count()).toBe(2);
  });

  it('forgets at both what a write through one has changed', async () => {
    const path = '/repos/redis/redis/issues';
    await through(0, path);
    expect(outcomeOf(await through(1, path))).toBe('HIT');
    const headers = { authorization: 'Bearer ghp_owner_secret', 'content-type': 'application/json' };
    const { url } = replicas[0];
    await request(`${url}/github${path}`, { method: 'POST', headers, body: JSON.stringify({ title: 'x' }) });
    await waitUntil(async () => outcomeOf(await through(1, path)) !== 'HIT', { what: 'the miss', timeoutMs: 1_000 });
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

  it('caches in memory while Redis has no room, and while it is gone', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect([outcomeOf(await through(0, '/users/full')), outcomeOf(await through(0, '/users/full'))]).toEqual([
      'MISS',
      'HIT',
    ]);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await redis.kill();
    await untilState('degraded');
    expect([outcomeOf(await through(0, '/users/gone')), outcomeOf(await through(0, '/users/gone'))]).toEqual([
      'MISS',
      'HIT',
    ]);
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
    const key = 'larder:v2:e:{github:-:/users/garbage}';
    await redis.command('DEL', key);
    await redis.command(command, key, value);
    await waitUntil(async () => outcomeOf(await through(0, '/users/garbage')) === 'MISS', { what: 'the miss' });
    expect((await through(0, '/users/garbage')).status).toBe(200);
  });
});
