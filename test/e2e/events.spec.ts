import { GithubSimulator } from '../../simulator';
import { EventClient } from '../support/event-client';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

interface Figures {
  readonly at: number;
  readonly requests: Record<string, number>;
  readonly latencyMs: Record<string, { p50: number; p99: number }>;
  readonly upstream: { calls: number; saved: number };
  readonly l1: { entries: number };
  readonly store: Record<string, unknown>;
  readonly replicas: { id: string; pid: number; workers: number; requests: number; isUp: boolean }[];
  readonly [name: string]: unknown;
}

const clients: EventClient[] = [];

async function watch(service: ServiceProcess, headers: Record<string, string> = {}, query = ''): Promise<EventClient> {
  const client = await EventClient.open(`${service.url}/events${query}`, headers);
  clients.push(client);
  return client;
}

const figuresOf = (client: EventClient): Figures[] =>
  client.of('figures').map(({ data }) => data as unknown as Figures);

/** What a client was told of, from a moment on. */
const counted = (client: EventClient, from = 0): number =>
  figuresOf(client)
    .slice(from)
    .flatMap(({ requests }) => Object.values(requests))
    .reduce((sum, one) => sum + one, 0);

const many = (service: ServiceProcess, path: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => request(`${service.url}${path}`)));

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

describe('GET /events of one replica', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    service = await start(github);
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it('sends every client, once a second, the outcomes of requests', async () => {
    const client = await watch(service);
    expect([client.status, client.headers]).toEqual([
      200,
      expect.objectContaining({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
        'x-request-id': expect.any(String),
      }),
    ]);
    await client.until('the first second', () => figuresOf(client).length > 0);
    expect(client.events[0]).toEqual({ event: 'history', id: undefined, data: { samples: [] } });
    expect(client.comments[0]).toBe('retry: 1000');
    await many(service, '/repos/redis', 10);
    await client.until('ten requests', () => counted(client) >= 10);
    await client.until('another second', () => figuresOf(client).length >= 3);
    expect(counted(client)).toBe(10);
    const all = figuresOf(client);
    expect(all.reduce((sum, { requests }) => sum + (requests['MISS'] ?? 0), 0)).toBe(1);
    expect(all.reduce((sum, { upstream }) => sum + upstream.calls, 0)).toBe(1);
    expect(all.reduce((sum, { upstream }) => sum + upstream.saved, 0)).toBe(9);
    const busy = all.find(({ requests }) => requests['MISS'] === 1)!;
    expect(busy.latencyMs['MISS']!.p99).toBeGreaterThan(0);
    const last = all.at(-1)!;
    expect(last).toMatchObject({
      store: { kind: 'memory', isUp: true, problem: null, usedBytes: null, entries: null },
      breakers: expect.arrayContaining([{ upstream: 'github', state: 'closed' }]),
      budgets: [expect.objectContaining({ upstream: 'github', credential: '-', resource: 'core', limit: 60 })],
      replicas: [expect.objectContaining({ pid: service.pid, workers: 1, isUp: true, version: '0.1.0' })],
    });
    expect(last.l1.entries).toBeGreaterThan(0);
    const ids = client.of('figures').map(({ id }) => Number(id));
    expect(ids).toEqual(ids.map((_id, at) => ids[0]! + at));
    expect(all.map(({ at }) => at)).toEqual(ids.map((id) => id * 1_000));
  });

  it('says how long what is stored lasts if the API stopped now', async () => {
    await ask(service, '/repos/redis');
    const client = await watch(service);
    await client.until('a runway', () => figuresOf(client).some(({ runwayMs }) => runwayMs !== null));
    const { runwayMs } = figuresOf(client).at(-1) as unknown as { runwayMs: { p50: number; least: number } };
    // An hour of freshness, some of it jitter, and a day for an API that fails.
    expect(runwayMs.least).toBeGreaterThan(86_400_000);
    expect(runwayMs.p50).toBeLessThanOrEqual(90_000_000);
  });

  it('resumes after a reconnect, and starts again for an unknown id', async () => {
    const first = await watch(service);
    await first.until('three seconds', () => figuresOf(first).length >= 3);
    const lastId = first.of('figures')[0]!.id!;
    first.close();
    for (const [headers, query] of [
      [{ 'last-event-id': lastId }, ''],
      [{}, `?lastEventId=${lastId}`],
    ] as const) {
      const again = await watch(service, headers, query);
      await again.until('what was missed', () => figuresOf(again).length >= 4);
      expect(again.of('history')).toEqual([]);
      expect(
        again
          .of('figures')
          .map(({ id }) => Number(id))
          .slice(0, 4),
      ).toEqual([1, 2, 3, 4].map((next) => Number(lastId) + next));
      again.close();
    }
    for (const id of ['99999999999', '1', 'nonsense', '-1', '']) {
      const anew = await watch(service, { 'last-event-id': id });
      await anew.until('its history', () => anew.of('history').length > 0);
      expect([id, (anew.of('history')[0]!.data['samples'] as unknown[]).length]).not.toEqual([id, 0]);
      expect(anew.of('history')[0]!.id).toMatch(/^\d+$/);
      anew.close();
    }
  });

  it('sends keys to the admin alone', async () => {
    const [anybody, admin] = [await watch(service), await watch(service, ADMIN)];
    await Promise.all([anybody, admin].map((one) => one.until('its start', () => one.of('history').length > 0)));
    await ask(service, '/repos/octocat', { headers: { 'x-request-id': 'trace-7' } });
    await ask(service, '/admin/cache/accounts/octocat', { method: 'DELETE', headers: ADMIN });
    await admin.until('both', () => admin.of('outcome').length > 0 && admin.of('invalidation').length > 0);
    expect(admin.of('outcome')[0]!.data).toMatchObject({
      ...{ outcome: 'MISS', tier: 'upstream', upstream: 'github', key: 'github:-:/users/octocat', status: 200 },
      ...{ requestId: 'trace-7', oneIn: 1, at: expect.any(Number), replica: expect.any(String) },
    });
    expect(admin.of('invalidation')[0]!.data).toMatchObject({
      ...{ by: 'admin', mode: 'purge', what: [{ kind: 'tag', name: 'account:octocat' }] },
    });
    await anybody.until('two seconds', () => figuresOf(anybody).length >= 2);
    expect(new Set(anybody.events.map(({ event }) => event))).toEqual(new Set(['history', 'figures']));
    expect(JSON.stringify(anybody.events)).not.toMatch(/octocat|test-admin-token/);
  });

  it('sends some of many outcomes, and says of how many each is one', async () => {
    const admin = await watch(service, ADMIN);
    await admin.until('its start', () => admin.of('history').length > 0);
    for (let times = 0; times < 10; times++) await many(service, '/repos/redis', 100);
    await admin.until('a thousand requests', () => counted(admin) >= 1_000);
    expect(admin.of('outcome').some(({ data }) => Number(data['oneIn']) > 1)).toBe(true);
    expect(admin.of('outcome').length).toBeLessThan(1_000);
  });

  it('refuses a wrong token, and a malformed one', async () => {
    for (const authorization of ['Bearer wrong', 'Basic YTpi', 'nonsense']) {
      const client = await watch(service, { authorization });
      expect([client.status, client.headers['www-authenticate']]).toEqual([401, 'Bearer realm="larder admin"']);
    }
  });

  it('answers HEAD with the head alone', async () => {
    const { status, headers, body } = await request(`${service.url}/events`, { method: 'HEAD' });
    expect([status, headers['content-type'], body.length]).toEqual([200, 'text/event-stream; charset=utf-8', 0]);
  });

  it('takes so many clients and no more, keeps some for the admin, and takes others when they have gone', async () => {
    const crowd = await Promise.all(Array.from({ length: 80 }, () => watch(service)));
    expect(new Set(crowd.map(({ status }) => status))).toEqual(new Set([200]));
    const refused = await ask(service, '/events');
    expect([refused.status, refused.json['code'], refused.headers['retry-after']]).toEqual([503, 'overloaded', '10']);
    expect((await watch(service, ADMIN)).status).toBe(200);
    for (const client of crowd) client.close();
    await waitUntil(async () => (await watch(service)).status === 200, { what: 'room for another' });
  });

  it('keeps an idle connection alive', async () => {
    const client = await watch(service);
    await client.until('a heartbeat', () => client.comments.includes(': heartbeat'));
  });
});

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

describe('GET /events at the end of the service', () => {
  it.each<Record<string, string>>([{}, { WORKERS: '2' }])(
    'tells why it ends, and holds the end up for nothing: %j',
    async (env) => {
      const github = await GithubSimulator.start({ latencyMs: 0 });
      const service = await start(github, { SHUTDOWN_TIMEOUT_MS: '60000', ...env });
      const client = await watch(service);
      await client.until('its start', () => client.of('history').length > 0);
      expect(await service.stop()).toBe(0); // which waits 20 s at most
      expect(client.events.at(-1)).toEqual({ event: 'end', id: undefined, data: { reason: 'shutdown' } });
      expect(client.hasEnded).toBe(true);
      await github.stop();
    },
  );
});
