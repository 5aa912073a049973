import { GithubSimulator } from '../../simulator';
import type { CacheStore } from '../../src/cache/store/cache-store';
import { openStore } from '../../src/cache/store/store.factory';
import { redisConfig } from '../../src/config/slices';
import '../../src/github/github.module'; // declares its settings, which are part of the source of entries
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { anEntry } from '../../testing/store-contract';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start, type Answer } from './ask';

interface View {
  readonly key: string;
  readonly status: number;
  readonly size: number;
  readonly partition: string;
  readonly isFresh: boolean;
  readonly tags: string[];
}
interface Page {
  readonly entries: View[];
  readonly cursor?: string;
  readonly scanned: number;
}

const ENTRIES = 20_000;

describe('20,000 entries in Redis', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let replicas: ServiceProcess[];
  let store: CacheStore;

  beforeAll(async () => {
    [github, redis] = await Promise.all([GithubSimulator.start({ latencyMs: 0 }), RedisProcess.start()]);
    process.env['GITHUB_API_URL'] = github.url;
    const { source } = redisConfig();
    const endpoint = parseRedisEndpoint(redis.uri);
    const settings = { endpoint, source, keyPrefix: 'larder', commandTimeoutMs: 30_000, tls: {} };
    const opened = openStore({ redis: settings, port: undefined }, { maxBytes: 0, maxEntries: 1 }, new SystemClock());
    store = opened.store;
    await waitUntil(() => opened.link?.isUp === true, { what: 'the link' });
    for (let from = 0; from < ENTRIES; from += 500)
      await Promise.all(
        Array.from({ length: 500 }, (_, at) => {
          const number = from + at;
          const tags = [...(number % 100 === 0 ? ['rare'] : []), ...(number % 2 === 0 ? ['even'] : [])];
          const isOld = number % 1_000 === 999;
          return store.put(`many:${number % 10 === 0 ? 'p1' : '-'}:/entries/${number}`, {
            ...anEntry({
              upstream: 'many',
              tags,
              status: number % 500 === 0 ? 404 : 200,
              body: Buffer.alloc(number % 50),
            }),
            headers: [['content-type', 'text/plain']],
            staleIfErrorMs: 3_600_000,
            freshUntil: Date.now() + (isOld ? -1_000 : 3_600_000),
          });
        }),
      );
    const env = { REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' };
    replicas = await Promise.all([start(github, env), start(github, env)]);
    for (const replica of replicas) await replica.untilRedisIsUp();
  }, 120_000);
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await store.close();
    await Promise.all([github.stop(), redis.stop()]);
  });

  const admin = (path: string, options: Parameters<typeof ask>[2] = {}, replica = 0): Promise<Answer> =>
    ask(replicas[replica]!, path, { ...options, headers: { ...ADMIN, ...options.headers } });

  /** All pages of a query. */
  const pages = async (query: string): Promise<Page[]> => {
    const all: Page[] = [];
    let cursor: string | undefined;
    do {
      const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { status, json } = await admin(`/admin/cache/entries?${query}${next}`);
      expect(status).toBe(200);
      all.push(json as unknown as Page);
      ({ cursor } = all.at(-1)!);
    } while (cursor !== undefined);
    return all;
  };

  const commandsSent = async (): Promise<number> =>
    Number(/total_commands_processed:(\d+)/.exec(await redis.command('INFO', 'stats'))?.[1]);

  it('are listed to the last, each once', async () => {
    const all = (await pages('limit=1000&match=many:*')).flatMap(({ entries }) => entries);
    expect(new Set(all.map(({ key }) => key)).size).toBe(ENTRIES);
    expect(all.length).toBeLessThan(ENTRIES * 1.1);
  });

  it('cost a bounded number of commands a page, whatever the filter leaves', async () => {
    for (const query of ['limit=10', 'limit=10&status=418', 'limit=10&match=nothing*', 'limit=1000&freshness=stale']) {
      const before = await commandsSent();
      const { json } = await admin(`/admin/cache/entries?${query}`);
      const { scanned } = json as unknown as Page;
      expect([query, scanned <= 4_000]).toEqual([query, true]);
      // Two for each entry, and heartbeats of a few connections.
      expect(await commandsSent()).toBeLessThan(before + 2 * scanned + 300);
    }
  });

  it.each([
    ['tag=rare', ENTRIES / 100, ({ tags }: View) => tags.includes('rare')],
    ['tag=even&partition=p1', ENTRIES / 10, ({ partition }: View) => partition === 'p1'],
    ['status=404', ENTRIES / 500, ({ status }: View) => status === 404],
    ['freshness=stale', ENTRIES / 1_000, ({ isFresh }: View) => !isFresh],
    ['tag=rare&status=404', ENTRIES / 500, ({ status, tags }: View) => status === 404 && tags.includes('rare')],
    ['partition=p1&match=many:*:/entries/1?0', 10, ({ key }: View) => /\/1\d0$/.test(key)],
    ['match=many:-:/entries/77?&freshness=fresh', 9, ({ key }: View) => /\/77\d$/.test(key)],
    ['tag=unknown', 0, () => false],
  ])('are filtered by %s', async (query, count, isMeant) => {
    const all = (await pages(`limit=1000&${query}`)).flatMap(({ entries }) => entries);
    expect(all.filter((one) => !isMeant(one))).toEqual([]);
    expect(new Set(all.map(({ key }) => key)).size).toBe(count);
  });

  it('are sorted within the page', async () => {
    const sizes = async (order: string) =>
      ((await admin(`/admin/cache/entries?limit=50&sort=size&order=${order}`)).json as unknown as Page).entries.map(
        ({ size }) => size,
      );
    const [rising, falling] = [await sizes('asc'), await sizes('desc')];
    expect(rising).toEqual([...rising].sort((one, other) => one - other));
    expect(falling).toEqual([...falling].sort((one, other) => other - one));
    expect(rising.length).toBeGreaterThan(10);
  });

  it.each([
    'limit=0',
    'limit=1001',
    'status=99',
    'status=x',
    'freshness=old',
    'sort=body',
    'order=up',
    'partition=a:b',
    'unknown=1',
  ])('are not listed by %s, which is a problem that names it', async (query) => {
    const { status, json } = await admin(`/admin/cache/entries?${query}`);
    expect([status, json['code'], String(json['detail'])]).toEqual([
      400,
      'request-invalid',
      expect.stringContaining(query.split('=')[0]!),
    ]);
  });

  it.each(['garbage', '-1', '1e999', '0-18446744073709551616'])('have no page %s', async (cursor) => {
    const { status, json } = await admin(`/admin/cache/entries?cursor=${cursor}`);
    expect([status, json['code']]).toEqual([400, 'request-invalid']);
  });

  it('are counted before a purge: exactly by tag and key, and to a limit by prefix', async () => {
    const count = async (query: string) => (await admin(`/admin/cache/count?${query}`)).json;
    expect(await count('tag=rare')).toEqual({ count: ENTRIES / 100, isExact: true });
    expect(await count('tag=none')).toEqual({ count: 0, isExact: true });
    expect(await count('tag=RARE')).toEqual({ count: ENTRIES / 100, isExact: true }); // as a purge takes it
    expect(await count(`key=${encodeURIComponent('many:-:/entries/1')}`)).toEqual({ count: 1, isExact: true });
    expect(await count('key=many:-:/entries/none')).toEqual({ count: 0, isExact: true });
    expect(await count('prefix=many:p1:')).toEqual({ count: ENTRIES / 10, isExact: true });
    expect(Number((await count('all=true'))['count'])).toBeGreaterThanOrEqual(ENTRIES);
    for (const wrong of ['', 'key=a&tag=b', 'all=no', 'prefix='])
      expect((await admin(`/admin/cache/count?${wrong}`)).status).toBe(400);
  });

  it('are marked stale, not removed, by a soft purge of each kind', async () => {
    const isFresh = async (key: string) =>
      (await admin(`/admin/cache/entries/${encodeURIComponent(key)}`)).json['isFresh'];
    const soft = async (path: string, key: string, count: number) => {
      expect([key, await isFresh(key)]).toEqual([key, true]);
      const { status, json } = await admin(path, { method: 'DELETE' });
      expect([path, status, json]).toEqual([path, 200, { invalidated: count }]);
      expect([key, await isFresh(key)]).toEqual([key, false]);
    };
    await soft('/admin/cache/entries/many:-:%2Fentries%2F3?mode=stale', 'many:-:/entries/3', 1);
    await soft('/admin/cache/tags/rare?mode=stale', 'many:p1:/entries/100', ENTRIES / 100);
    await soft('/admin/cache?prefix=many:-:/entries/77&mode=stale', 'many:-:/entries/77', 100);
    expect((await admin('/admin/cache/count?tag=rare')).json).toEqual({ count: ENTRIES / 100, isExact: true });
    expect((await admin('/admin/cache/accounts/redis?mode=soft', { method: 'DELETE' })).status).toBe(400);
  });

  it('leave a trail of all actions, the same at all replicas, newest first, without a token', async () => {
    const sent = { 'x-request-id': 'audited-1', 'content-type': 'application/json' };
    const batch = JSON.stringify({ keys: ['many:-:/entries/5'], tags: ['odd'], mode: 'stale' });
    await admin('/admin/cache/invalidations', { method: 'POST', headers: sent, body: batch });
    await admin('/admin/cache/accounts/Nobody', { method: 'DELETE', headers: { 'x-request-id': 'audited-2' } }, 1);
    for (const replica of [0, 1]) {
      const { json, text } = await admin('/admin/audit?limit=2', {}, replica);
      expect(json['items']).toEqual([
        {
          ...{
            at: expect.any(String),
            replica: expect.any(String),
            action: 'invalidate',
            target: 'tag account:nobody',
          },
          ...{ mode: 'purge', count: 0, by: '127.0.0.1', token: 'admin', requestId: 'audited-2', outcome: 'done' },
        },
        expect.objectContaining({
          ...{ target: '2 targets: key many:-:/entries/5, tag odd', mode: 'stale', count: 1, requestId: 'audited-1' },
        }),
      ]);
      expect(text).not.toContain('test-admin-token');
    }
    const [line] = await replicas[1]!.waitForLog(/^.*"admin action".*audited-2.*$/m);
    expect(JSON.parse(line)).toMatchObject({ target: 'tag account:nobody', outcome: 'done' });
    expect((await ask(replicas[0]!, '/admin/audit')).status).toBe(401);
    expect((await admin('/admin/audit?limit=501')).status).toBe(400);
  });

  it('leave no more of it than 500 lines', async () => {
    for (let from = 0; from < 520; from += 20)
      await Promise.all(
        Array.from({ length: 20 }, (_, at) => admin(`/admin/cache/entries/none-${from + at}`, { method: 'DELETE' })),
      );
    expect((await admin('/admin/audit?limit=500')).json['items']).toHaveLength(500);
    expect(await redis.command('LLEN', 'larder:v4:a:{audit}')).toBe('500');
  });

  it('have an invalidation on record that failed while Redis was frozen', async () => {
    await redis.freeze();
    try {
      const failed = await admin('/admin/cache/entries/lost', {
        method: 'DELETE',
        headers: { 'x-request-id': 'failed-1' },
      });
      expect(failed.status).toBe(503);
      const { json } = await admin('/admin/audit?limit=1');
      expect(json['items']).toEqual([
        expect.objectContaining({ target: 'key lost', outcome: 'failed', requestId: 'failed-1' }),
      ]);
    } finally {
      await redis.thaw();
    }
    await waitUntil(
      async () => {
        await admin('/admin/audit?limit=1');
        return (await admin('/admin/audit?limit=5', {}, 1)).text.includes('failed-1');
      },
      { what: 'the trail at the other replica' },
    );
  });
});
