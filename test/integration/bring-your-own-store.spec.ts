import { CacheTTL } from '@nestjs/cache-manager';
import { Controller, Get, Inject, Injectable, Param, UseInterceptors } from '@nestjs/common';
import { Keyv } from 'keyv';
import { Cacheable, CacheInvalidator, ResponseCacheInterceptor, StoreHealth, type StoreChoice } from '../../src/cache';
import { openRoutes } from '../support/route-app';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';
import { describeStore } from '../../testing/store-contract';
import { openStore } from '../../src/cache/store/store.factory';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { SystemClock } from '../../src/kernel/clock';

const VERSION = Symbol('version');

@Injectable()
class Service {
  constructor(@Inject(VERSION) private readonly origin: { version: number; calls: number }) {}

  @Cacheable({ key: (id: string) => `item:${id}`, tags: ['items'] })
  async find(id: string) {
    this.origin.calls += 1;
    return Promise.resolve({ id, version: this.origin.version });
  }
}

@Controller('items')
@UseInterceptors(ResponseCacheInterceptor)
class ItemsController {
  constructor(@Inject(VERSION) private readonly origin: { version: number; calls: number }) {}

  @Get(':id')
  @CacheTTL(60_000)
  item(@Param('id') id: string) {
    this.origin.calls += 1;
    return { id, version: this.origin.version };
  }
}

async function replica(origin: { version: number; calls: number }, store: StoreChoice, redis?: RedisProcess) {
  const log: string[] = [];
  const providers = [Service, { provide: VERSION, useValue: origin }];
  const app = await openRoutes([ItemsController], {
    ...{ settings: { store }, providers, log },
    ...(redis && { redis }),
    policy: { staleIfErrorMs: 60_000 },
  });
  const invalidator = app.app.get(CacheInvalidator, { strict: false });
  const read = async (path: string) => {
    const { status, text, headers } = await app.get(path);
    return { status, json: JSON.parse(text) as Record<string, unknown>, cache: headers['x-cache'] };
  };
  return { ...app, log, invalidator, read, service: app.app.get(Service, { strict: false }) };
}

describe.each(['cache-manager-redis-yet', 'a Keyv'] as const)('with %s for a store', (kind) => {
  let redis: RedisProcess | undefined;
  let origin: { version: number; calls: number };
  let a: Awaited<ReturnType<typeof replica>>;
  let b: Awaited<ReturnType<typeof replica>>;

  beforeAll(async () => {
    redis = kind === 'a Keyv' ? undefined : await RedisProcess.start();
    origin = { version: 1, calls: 0 };
    const shared = new Map();
    const open = () =>
      replica(origin, redis ? 'cache-manager-redis-yet' : new Keyv({ store: shared, useKeyPrefix: false }), redis);
    [a, b] = [await open(), await open()];
    for (const { invalidator } of [a, b])
      await waitUntil(
        () =>
          invalidator.invalidate({ keys: ['up'] }).then(
            () => true,
            () => false,
          ),
        { what: 'the store' },
      );
  });
  afterAll(async () => {
    await Promise.all([a.close(), b.close()]);
    await redis?.stop();
  });
  beforeEach(() => (origin.calls = 0));

  it('says once at the start what it cannot promise', () => {
    expect(a.log.filter((line) => line.includes('It cannot promise: one load across replicas'))).toHaveLength(1);
  });

  it('replicas share routes and methods, and purges reach all of them', async () => {
    expect([await a.read('/items/1'), await b.read('/items/1')].map(({ cache }) => cache)).toEqual(['MISS', 'MISS']);
    const path = '/items/2';
    const host = { host: 'shop.example' };
    expect((await a.get(path, host)).headers['x-cache']).toBe('MISS');
    expect((await b.get(path, host)).headers['x-cache']).toBe('HIT');
    expect([await a.service.find('1'), await b.service.find('1')]).toEqual([
      { id: '1', version: 1 },
      { id: '1', version: 1 },
    ]);
    expect(origin.calls).toBe(4);
    origin.version = 2;
    await b.invalidator.invalidate({ tags: ['items'] });
    expect([(await a.service.find('1')).version, (await b.service.find('1')).version]).toEqual([2, 2]);
    await a.invalidator.invalidate({ prefixes: ['app:'] });
    expect(JSON.parse((await b.get(path, host)).text)).toMatchObject({ version: 2 });
  });

  if (kind === 'cache-manager-redis-yet')
    it('the process survives that Redis is killed, frozen and restarted under load, and purges are true again', async () => {
      if (!redis) throw new Error('There is no Redis.');
      let isRunning = true;
      const statuses = new Set<number>();
      const load = async (app: typeof a, worker: number): Promise<void> => {
        for (let at = 0; isRunning; at++) statuses.add((await app.read(`/items/load-${worker}-${at % 20}`)).status);
      };
      const workers = [a, b].flatMap((app, of) => [0, 1, 2].map((worker) => load(app, of * 3 + worker)));
      await redis.kill();
      await expect(a.invalidator.invalidate({ keys: ['x'] })).rejects.toMatchObject({ code: 'cache-unavailable' });
      expect((await a.read('/items/1')).status).toBe(200);
      await redis.restart();
      const isUp = (app: typeof a) => () => app.app.get(StoreHealth, { strict: false }).get().isUp;
      for (const app of [a, b]) await waitUntil(isUp(app), { what: 'Redis after its restart' });
      await redis.freeze();
      expect((await b.read('/items/1')).status).toBe(200);
      await redis.thaw();
      const confirmed = () =>
        a.invalidator.invalidate({ prefixes: [''] }).then(
          () => true,
          () => false,
        );
      await waitUntil(confirmed, { what: 'a purge that is confirmed' });
      isRunning = false;
      await Promise.all(workers);
      expect([...statuses]).toEqual([200]);
      await waitUntil(async () => (await b.read('/items/again')).cache === 'HIT', { what: 'a stored response' });
      origin.version += 1;
      await waitUntil(confirmed, { what: 'a purge' });
      // After a reply that came too late, on a slow machine, its copies count for a second more.
      const isNew = async () => (await b.read('/items/again')).json['version'] === origin.version;
      await waitUntil(isNew, { what: 'the purge on the other' });
    });
});

describe('cache-manager-redis-yet', () => {
  let redis: RedisProcess;

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  describeStore(
    'KeyValueStore over it',
    async () => {
      await redis.command('FLUSHALL');
      const settings = {
        endpoint: parseRedisEndpoint(redis.uri),
        keyPrefix: 'contract',
        commandTimeoutMs: 5_000,
        tls: {},
      };
      const l1 = { maxBytes: 64 * 1024 * 1024, maxEntries: 10_000 };
      const { store, link } = openStore({ redis: settings, store: 'cache-manager-redis-yet' }, l1, new SystemClock());
      await waitUntil(() => link?.isUp === true, { what: 'the connection' });
      return { store, close: () => store.close() };
    },
    { keepsSoftPurged: false, findsPrefixes: false },
  );

  it('removes nothing of other applications', async () => {
    await redis.command('SET', 'other-application', '1');
    const app = await replica({ version: 1, calls: 0 }, 'cache-manager-redis-yet', redis);
    const cleared = () =>
      app.invalidator.invalidate({ prefixes: [''] }).then(
        () => true,
        () => false,
      );
    await waitUntil(cleared, { what: 'the purge' });
    expect(await redis.command('GET', 'other-application')).toBe('1');
    await app.close();
  });

  it('needs the address of Redis', () => {
    expect(() =>
      openStore({ store: 'cache-manager-redis-yet' }, { maxBytes: 1, maxEntries: 1 }, new SystemClock()),
    ).toThrow('needs Redis: give REDIS_ENDPOINT_URI');
  });
});
