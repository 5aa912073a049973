import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';
import { closeWatches, counted, figuresOf, many, watch } from '../support/watched-events';

closeWatches();

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
