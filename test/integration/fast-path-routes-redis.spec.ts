import { Agent } from 'node:http';
import { StoreHealth } from '../../src/cache/nest/store-health';
import { GithubSimulator } from '../../simulator';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';
import { rawRequest, request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

const keepAlive = new Agent({ keepAlive: true });

describe('a hit of a cached route that is in Redis only', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let service: ServiceInProcess;
  const get = async (account: string) => {
    const { status, headers, body } = await request(`http://127.0.0.1:${service.port}/repos/${account}`, {
      agent: keepAlive,
    });
    return { status, headers, repos: (JSON.parse(body.toString()) as { repos: number }).repos };
  };
  const warm = async (account: string): Promise<void> => {
    for (let times = 0; times < 3; times++) await get(account);
  };
  const isUp = (): boolean => service.app.get(StoreHealth, { strict: false }).get().isUp;

  beforeAll(async () => {
    [github, redis] = await Promise.all([GithubSimulator.start(), RedisProcess.start()]);
    const settings = { L1_MAX_BYTES: '0', REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' };
    service = await openInProcess({ GITHUB_API_URL: github.url, ...settings });
    await waitUntil(isUp, { what: 'the link to Redis' });
  });
  afterAll(async () => {
    await service.app.close();
    await Promise.all([github.stop(), redis.stop()]);
  });

  it('is served before Fastify routes the request', async () => {
    await warm('redis');
    let cacheStatus: unknown;
    const seen = await service.seenDuring(async () => (cacheStatus = (await get('redis')).headers['cache-status']));
    expect([seen, cacheStatus]).toEqual([0, expect.stringContaining('detail=HIT/l2')]);
  });

  it.each([
    ['the admin API', (account: string) => service.cache.invalidate({ kind: 'tag', tag: `account:${account}` })],
    [
      'a soft purge',
      (account: string) => service.cache.invalidate({ kind: 'tag', tag: `account:${account}` }, 'stale'),
    ],
    ['redis-cli DEL', (account: string) => redis.cli('DEL', `larder:v4:e:{github:-:/users/${account}}`)],
  ])('is none any more after %s', async (how, invalidate) => {
    const account = how.replaceAll(' ', '-').toLowerCase();
    github.setAccount(account, { publicRepos: 1 });
    await warm(account);
    expect(await service.seenDuring(() => get(account))).toBe(0);
    github.setAccount(account, { publicRepos: 2 });
    await invalidate(account);
    await waitUntil(async () => (await get(account)).repos === 2, { what: 'the new number' });
    await warm(account);
    expect(await service.seenDuring(() => get(account))).toBe(0);
  });

  it('is looked for once where the connection closes', async () => {
    await warm('old');
    const reads = async (): Promise<number> =>
      Number(/cmdstat_get:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1]);
    const before = await reads();
    const answer = await rawRequest(service.port, 'GET /repos/old HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(answer.toString()).toContain('detail=HIT/l2');
    expect((await reads()) - before).toBe(2); // the index and the part
  });

  it('is answered all the same when Redis freezes', async () => {
    await warm('frozen');
    await redis.freeze();
    const answers = await Promise.all(Array.from({ length: 10 }, () => get('frozen')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    await redis.thaw();
    await waitUntil(isUp, { what: 'the link to Redis' });
    await warm('frozen');
    expect(await service.seenDuring(() => get('frozen'))).toBe(0);
  });

  it('is the same to the byte on the slow path, once the gate is closed', async () => {
    await warm('nodejs');
    const ask = async (): Promise<string> =>
      (await service.answerTo('GET /repos/nodejs HTTP/1.1\r\nhost: x\r\n\r\n')).replace(/Date: .*/, 'Date: …');
    let short = '';
    let long = '';
    expect(await service.seenDuring(async () => (short = await ask()))).toBe(1); // the last request
    service.gate.closeFor('the test');
    long = await ask();
    expect(long).toBe(short);
  });
});
