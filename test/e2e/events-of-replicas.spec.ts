import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';
import { closeWatches, counted, figuresOf, many, watch, type Figures } from '../support/watched-events';

closeWatches();

describe('GET /events of two replicas', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let replicas: ServiceProcess[];

  beforeAll(async () => {
    [github, redis] = await Promise.all([GithubSimulator.start({ latencyMs: 0 }), RedisProcess.start()]);
    const env = { REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' };
    replicas = await Promise.all([start(github, env), start(github, { ...env, WORKERS: '2' })]);
    await waitUntil(async () => (await redis.command('PUBSUB', 'NUMSUB', 'larder:live')).includes('3'), {
      what: 'all processes to listen',
    });
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await Promise.all([github.stop(), redis.stop()]);
  });

  const published = async (): Promise<number> =>
    Number(/^cmdstat_publish:calls=(\d+)/m.exec(await redis.command('INFO', 'commandstats'))?.[1] ?? 0);

  it('costs nothing without a viewer', async () => {
    await Promise.all(replicas.map((replica) => many(replica, '/repos/redis', 20)));
    expect(await published()).toBe(0);
    const client = await watch(replicas[0]!);
    await client.until('two seconds', () => figuresOf(client).length >= 2);
    expect(await published()).toBeGreaterThan(0);
  });

  it('is the same picture of both, workers and all, wherever one looks', async () => {
    const views = await Promise.all(replicas.map((replica) => watch(replica)));
    const isWhole = ({ replicas: table }: Figures) =>
      table.length === 2 && table.reduce((sum, { workers }) => sum + workers, 0) === 3;
    await Promise.all(views.map((one) => one.until('both', () => figuresOf(one).some(isWhole))));
    const from = views.map((one) => figuresOf(one).length);
    await Promise.all(replicas.map((replica) => many(replica, '/repos/nestjs', 30)));
    await Promise.all(views.map((one, at) => one.until('all', () => counted(one, from[at]) >= 60)));
    await Promise.all(views.map((one, at) => one.until('more', () => figuresOf(one).length >= from[at]! + 5)));
    expect(views.map((one, at) => counted(one, from[at]))).toEqual([60, 60]);
    const [one, other] = views.map((view) => new Map(view.of('figures').map(({ id, data }) => [id, data])));
    const common = [...one!.keys()].filter((id) => other!.has(id));
    expect(common.length).toBeGreaterThanOrEqual(4);
    for (const id of common) expect(other!.get(id)!['requests']).toEqual(one!.get(id)!['requests']);
    const last = figuresOf(views[1]!).at(-1)!;
    expect(last.replicas.map(({ pid, workers, isUp }) => [pid, workers, isUp]).sort()).toEqual(
      [
        [replicas[0]!.pid, 1, true],
        [replicas[1]!.pid, 2, true],
      ].sort(),
    );
    expect(last.store).toMatchObject({
      kind: 'redis',
      isUp: true,
      entries: expect.any(Number),
      usedBytes: expect.any(Number),
    });
  });

  it('goes on at another replica without a gap', async () => {
    const here = await watch(replicas[0]!);
    await here.until('two seconds', () => figuresOf(here).length >= 2);
    const lastId = here.of('figures')[0]!.id!;
    here.close();
    const there = await watch(replicas[1]!, { 'last-event-id': lastId });
    await there.until('what was missed', () => figuresOf(there).length >= 3);
    expect(
      there
        .of('figures')
        .map(({ id }) => Number(id))
        .slice(0, 3),
    ).toEqual([1, 2, 3].map((next) => Number(lastId) + next));
  });

  it('sends the admin of one replica the events of the other', async () => {
    const admin = await watch(replicas[0]!, ADMIN);
    await admin.until('two seconds', () => figuresOf(admin).length >= 2);
    await waitUntil(
      async () => {
        await ask(replicas[1]!, '/repos/elsewhere');
        await ask(replicas[1]!, '/admin/cache?prefix=github:-:/users/elsewhere', { method: 'DELETE', headers: ADMIN });
        return admin.of('outcome').length > 0 && admin.of('invalidation').length > 0;
      },
      { what: 'what happens elsewhere' },
    );
    expect(admin.of('outcome')[0]!.data['key']).toBe('github:-:/users/elsewhere');
    expect(admin.of('invalidation')[0]!.data['what']).toEqual([{ kind: 'prefix', name: 'github:-:/users/elsewhere' }]);
  });

  it('goes on with its own, workers and all, while Redis is frozen, and with all when it is back', async () => {
    const view = await watch(replicas[1]!);
    await view.until('two seconds', () => figuresOf(view).length >= 2);
    await redis.freeze();
    try {
      await view.until('Redis down', () => figuresOf(view).some(({ store }) => store['isUp'] === false));
      const from = figuresOf(view).length;
      await many(replicas[1]!, '/repos/redis', 20);
      await view.until('its own', () => counted(view, from) >= 20);
      expect(counted(view, from)).toBe(20);
      await view.until(
        'the other gone',
        () =>
          figuresOf(view)
            .at(-1)!
            .replicas.filter(({ isUp }) => isUp).length === 1,
      );
      expect(
        figuresOf(view)
          .at(-1)!
          .replicas.find(({ isUp }) => isUp),
      ).toMatchObject({ pid: replicas[1]!.pid, workers: 2 });
    } finally {
      await redis.thaw();
    }
    await view.until(
      'both again',
      () =>
        figuresOf(view)
          .at(-1)!
          .replicas.filter(({ isUp }) => isUp).length === 2,
    );
  });
});

describe('GET /events of two workers without Redis', () => {
  it('counts each request once, whichever of them answered', async () => {
    const github = await GithubSimulator.start({ latencyMs: 0 });
    const service = await start(github, { WORKERS: '2' });
    try {
      const view = await watch(service);
      await view.until('both', () => figuresOf(view).some(({ replicas }) => replicas[0]?.workers === 2));
      const from = figuresOf(view).length;
      await many(service, '/repos/redis', 100);
      await view.until('all', () => counted(view, from) >= 100);
      await view.until('another second', () => figuresOf(view).length >= from + 3);
      expect(counted(view, from)).toBe(100);
      expect(figuresOf(view).at(-1)!.replicas).toEqual([expect.objectContaining({ pid: service.pid, workers: 2 })]);
    } finally {
      await service.stop();
      await github.stop();
    }
  });
});
