import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

const stores = [['memory'], ['redis']] as const;

describe.each(stores)('the account route over the resource of the gateway, with the store in %s', (kind) => {
  let github: GithubSimulator;
  let redis: RedisProcess | undefined;
  let service: ServiceProcess;
  let count = 0;

  const account = () => `projected-${kind}-${count}`;
  const countOf = async (): Promise<{ repos: number; cached: boolean }> =>
    (await ask(service, `/repos/${account()}`)).json as never;
  const user = async (): Promise<{ repos: unknown; outcome: string | undefined }> => {
    const { json, headers } = await ask(service, `/github/users/${account()}`);
    return { repos: json['public_repos'], outcome: headers['x-cache'] };
  };
  const calls = (): number => github.requests.count(new RegExp(`users/${account()}$`));
  const admin = (path: string, method = 'DELETE', body?: object) =>
    ask(service, `/admin/cache${path}`, {
      method,
      headers: { ...ADMIN, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const key = () => `github:-:/users/${account()}`;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000 } });
    redis = kind === 'redis' ? await RedisProcess.start() : undefined;
    service = await start(github, redis ? { REDIS_ENDPOINT_URI: redis.uri } : {});
    if (redis) await service.waitForLog(/Connected/);
  });
  beforeEach(() => {
    count += 1;
  });
  afterAll(async () => {
    await service.stop();
    await redis?.stop();
    await github.stop();
  });

  it('answers from what a caller of the gateway got, without asking GitHub', async () => {
    const { repos } = await user();
    expect(await countOf()).toMatchObject({ repos, cached: true });
    expect(await countOf()).toMatchObject({ repos, cached: true });
    expect(calls()).toBe(1);
  });

  it('derives nothing from a response that is not a user', async () => {
    github.faults.next(1, { kind: 'status', status: 200, body: '[]', headers: { 'cache-control': 'max-age=60' } });
    await user();
    expect(await countOf()).toMatchObject({ repos: expect.any(Number), cached: false });
  });

  it.each([
    ['the key that Cache-Status tells', () => admin(`/entries/${key()}`)],
    ['a tag', () => admin(`/tags/profile:${account()}`)],
    ['the account', () => admin(`/accounts/${account()}`)],
    ['a prefix', () => admin(`?prefix=${key()}`)],
    ['a soft purge of the key', () => admin('/invalidations', 'POST', { keys: [key()], mode: 'stale' })],
    ['a soft purge of a tag', () => admin('/invalidations', 'POST', { tags: [`profile:${account()}`], mode: 'stale' })],
  ])('goes with the resource by %s', async (_what, invalidate) => {
    await countOf();
    await user();
    const before = [await countOf(), await user()];
    expect(before).toEqual([expect.objectContaining({ cached: true }), expect.objectContaining({ outcome: 'HIT' })]);
    github.setAccount(account(), { publicRepos: (before[0]!.repos as number) + 1 });
    const { headers } = await ask(service, `/repos/${account()}`);
    expect(headers['cache-status']).toContain(`key="${key()}"`);
    expect((await invalidate()).status).toBe(200);
    expect(await countOf()).toMatchObject({ repos: (before[0]!.repos as number) + 1, cached: false });
    expect(await user()).toMatchObject({ repos: (before[0]!.repos as number) + 1 });
  });

  it('is shown to the operator as a projection of its resource', async () => {
    await countOf();
    const { json } = await admin(`/entries/${key()}`, 'GET');
    expect(json).toMatchObject({ key: key(), status: 200, ttl: expect.any(Number), upstream: 'github' });
    expect(json['tags']).toEqual([
      'upstream:github',
      `path:github:/users/${account()}`,
      `account:${account()}`,
      `profile:${account()}`,
      'anyone:profile',
    ]);
    expect(json['ttl']).toBeLessThanOrEqual(3_600);
    expect(json['members']).toEqual([expect.stringMatching(/\|repos$/)]);
    await user();
    expect(await countOf()).toMatchObject({ cached: true });
    expect((await admin(`/entries/${key()}`, 'GET')).json['members']).toHaveLength(2);
    expect(calls()).toBe(2);
  });

  it('does not stay behind what the gateway has stored later', async () => {
    const { repos } = await countOf();
    github.setAccount(account(), { publicRepos: repos + 1 });
    expect(await user()).toMatchObject({ repos: repos + 1 });
    expect(await countOf()).toMatchObject({ repos: repos + 1, cached: true });
    expect(calls()).toBe(2);
  });

  it.each([
    ['asks for the count', () => countOf(), 1],
    ['asks both, once for each', (at: number) => (at % 2 === 0 ? countOf() : user()), 2],
  ])('loads once for a crowd that %s', async (_what, get, most) => {
    const crowd = await Promise.all(Array.from({ length: 200 }, (_, at) => get(at)));
    expect(new Set(crowd.map(({ repos }) => repos)).size).toBe(1);
    expect(calls()).toBeGreaterThan(0);
    expect(calls()).toBeLessThanOrEqual(most);
  });

  if (kind === 'redis')
    it('goes by one redis-cli DEL', async () => {
      await countOf();
      await user();
      expect(await redis!.cli('DEL', `larder:v4:e:{${key()}}`)).toBe('1');
      await waitUntil(async () => !(await countOf()).cached, { what: 'the miss of the count' });
      expect((await user()).outcome).toBe('MISS');
    });
});
