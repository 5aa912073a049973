import { setTimeout as elapsed } from 'node:timers/promises';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { SystemClock } from '../../src/kernel/clock';
import { CacheReplica, VersionedOrigin } from '../support/cache-replica';
import { RedisProcess } from '../support/redis-process';
import { RedisReplicas } from '../support/redis-replicas';
import { waitUntil } from '../support/wait-until';

const LIMITS = { maxBytes: 16_777_216, maxEntries: 10_000 };
const KEY = 'github:-:/users/u';
const TAG = 'account:u';
const ask = (accept: string) => ({ key: KEY, tags: [TAG], accept });
const PART = { key: KEY, tags: [TAG], part: 'repos' };

describe('loads of a URL of which nothing is stored', () => {
  let redis: RedisProcess;
  let prefixes = 0;
  const replicas = new RedisReplicas();
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(async () => {
    await replicas.close();
  });
  afterAll(() => redis.stop());

  const inMemory = (): Promise<[CacheReplica, CacheReplica]> => {
    const store = new MemoryStore(LIMITS, new SystemClock());
    return Promise.resolve([new CacheReplica(store), new CacheReplica(store)]);
  };
  const overRedis = async (): Promise<[CacheReplica, CacheReplica]> => {
    const keyPrefix = `c${++prefixes}`;
    return [await replicas.openReady(redis.uri, { keyPrefix }), await replicas.openReady(redis.uri, { keyPrefix })];
  };

  describe.each([
    ['in memory', inMemory],
    ['on two replicas over Redis', overRedis],
  ])('%s', (_name, open) => {
    it('are not held up by a slow one of another selection, and are all found afterwards', async () => {
      const [one, two] = await open();
      const [slow, quick] = [new VersionedOrigin(), new VersionedOrigin()];
      const release = slow.hold();
      const loading = one.throughGateway(ask('slow'), slow);
      await waitUntil(() => slow.loads === 1, { what: 'the slow load' });
      quick.version = 2;
      for (const replica of [one, two]) {
        expect((await replica.throughGateway(ask('quick'), quick)).version).toBe('2');
        expect((await replica.throughRoute(PART, quick)).version).toBe('2');
      }
      release();
      expect((await loading).version).toBe('1');
      for (const replica of [one, two]) {
        await waitUntil(async () => (await replica.throughGateway(ask('slow'), slow)).outcome === 'HIT', {
          what: 'a hit',
        });
        expect((await replica.throughGateway(ask('quick'), quick)).outcome).toBe('HIT');
      }
      expect(slow.loads).toBeLessThanOrEqual(2);
    });

    it('do not share a failure with another selection', async () => {
      const [one, two] = await open();
      const [broken, sound] = [new VersionedOrigin(), new VersionedOrigin()];
      broken.read = () => Promise.reject(new Error('reset'));
      const failing = Array.from({ length: 10 }, () => one.throughGateway(ask('broken'), broken).catch(String));
      const others = [one, two].map((replica, at) => replica.throughGateway(ask(`b${at}`), sound));
      for (const { version } of await Promise.all(others)) expect(version).toBe('1');
      expect((await two.throughRoute(PART, sound)).version).toBe('1');
      for (const failure of await Promise.all(failing)) expect(failure).toMatch(/reset|load/);
    });

    it('that end at once are all found', async () => {
      const [one, two] = await open();
      const origin = new VersionedOrigin();
      const release = origin.hold();
      const accepts = ['a', 'b', 'c', 'd'];
      const loading = accepts.map((accept, at) => [one, two][at % 2]!.throughGateway(ask(accept), origin));
      await waitUntil(() => origin.loads === accepts.length, { what: 'all loads' });
      release();
      await Promise.all(loading);
      for (const accept of accepts)
        for (const replica of [one, two])
          await waitUntil(async () => (await replica.throughGateway(ask(accept), origin)).outcome === 'HIT', {
            what: `a hit of ${accept}`,
          });
      expect(origin.loads).toBe(accepts.length);
    });

    it('cost one call each, also for requests that come when another selection is stored already', async () => {
      const [one, two] = await open();
      const [slow, quick] = [new VersionedOrigin(), new VersionedOrigin()];
      const release = slow.hold();
      const loading = [one, two].map((replica) => replica.throughGateway(ask('slow'), slow));
      await waitUntil(() => slow.loads === 1, { what: 'the slow load' });
      await two.throughGateway(ask('quick'), quick);
      const later = [one, two].map((replica) => replica.throughGateway(ask('slow'), slow));
      await one.throughRoute(PART, quick); // one more round trip, and not held up
      release();
      for (const { version } of await Promise.all([...loading, ...later])) expect(version).toBe('1');
      expect(slow.loads).toBe(1);
    });

    it('cost one call also where waiting requests look again and again', async () => {
      const [one, two] = await open();
      const [slow, quick] = [new VersionedOrigin(), new VersionedOrigin()];
      const release = slow.hold();
      const loading = [one.throughGateway(ask('slow'), slow)];
      await waitUntil(() => slow.loads === 1, { what: 'the load' });
      const waiting = Array.from({ length: 10 }, () => two.throughGateway(ask('slow'), slow));
      await one.throughGateway(ask('quick'), quick); // they look again
      await elapsed(60); // where they have not by then, they look less often, and the calls are as many
      await one.cache.invalidate({ kind: 'key', key: KEY }, 'purge'); // they look again
      loading.push(one.throughGateway(ask('slow'), slow));
      await waitUntil(() => slow.loads === 2, { what: 'the load after the purge' });
      await elapsed(60);
      await one.throughGateway(ask('quick'), quick); // they look again
      await elapsed(60);
      release();
      await Promise.all([...loading, ...waiting]);
      expect(slow.loads).toBeLessThanOrEqual(3);
    });

    it.each([
      ['key', { kind: 'key', key: KEY }],
      ['tag', { kind: 'tag', tag: TAG }],
      ['prefix', { kind: 'prefix', prefix: 'github:-:/users/' }],
    ] as const)(
      'store nothing after a purge by %s, whatever another selection has stored since',
      async (_by, target) => {
        const [one, two] = await open();
        const origin = new VersionedOrigin();
        const release = origin.hold();
        const before = [one.throughGateway(ask('a'), origin), one.throughRoute(PART, origin)];
        await waitUntil(() => origin.loads === 2, { what: 'the loads' });
        const fresh = new VersionedOrigin();
        fresh.version = 2;
        await two.cache.invalidate(target, 'purge');
        expect((await two.throughGateway(ask('b'), fresh)).version).toBe('2');
        release();
        for (const { version } of await Promise.all(before)) expect(version).toBe('1');
        for (const replica of [one, two]) {
          expect((await replica.throughGateway(ask('a'), fresh)).version).toBe('2');
          expect((await replica.throughRoute(PART, fresh)).version).toBe('2');
        }
      },
    );

    it('are not waited for after a purge of their key', async () => {
      const [one, two] = await open();
      const origin = new VersionedOrigin();
      const release = origin.hold();
      const before = one.throughGateway(ask('a'), origin);
      await waitUntil(() => origin.loads === 1, { what: 'the load' });
      await two.cache.invalidate({ kind: 'key', key: KEY }, 'purge');
      const fresh = new VersionedOrigin();
      fresh.version = 2;
      expect((await two.throughGateway(ask('a'), fresh)).version).toBe('2');
      release();
      await before;
      expect((await two.throughGateway(ask('a'), fresh)).version).toBe('2');
    });

    describe.each(['purge', 'stale'] as const)('and a %s by a tag that what is stored of the URL lacks', (mode) => {
      const MORE = 'path:u';
      const under = { tags: [TAG, MORE] };
      const gateway = (accept: string) => (replica: CacheReplica, origin: VersionedOrigin, tags: readonly string[]) =>
        replica.throughGateway({ ...ask(accept), tags }, origin);
      const projection = (replica: CacheReplica, origin: VersionedOrigin, tags: readonly string[]) =>
        replica.throughRoute({ ...PART, tags }, origin);
      it.each([
        ['a GET', 'a projection', gateway('a'), projection],
        ['a GET', 'another selection', gateway('a'), gateway('b')],
        ['a GET', 'itself, which is stale', gateway('a'), gateway('a')],
        ['a projection', 'a GET', projection, gateway('a')],
        ['a projection', 'itself, which is stale', projection, projection],
      ])('voids %s under way beside %s', async (_what, beside, load, first) => {
        const [one, two] = await open();
        const [origin, fresh] = [new VersionedOrigin(), new VersionedOrigin()];
        await first(one, origin, [TAG]);
        if (beside.startsWith('itself')) await one.cache.invalidate({ kind: 'key', key: KEY }, 'stale');
        const release = origin.hold();
        const loading = load(one, origin, under.tags);
        await waitUntil(() => origin.loads === 2, { what: 'the load' });
        fresh.version = 2;
        await two.cache.invalidate({ kind: 'tag', tag: MORE }, mode);
        release();
        expect((await loading).version).toBe('1');
        for (const replica of [two, one]) expect((await load(replica, fresh, under.tags)).version).toBe('2');
      });

      it('voids a first load that finds another selection stored', async () => {
        const [one, two] = await open();
        const [origin, fresh] = [new VersionedOrigin(), new VersionedOrigin()];
        const release = origin.hold();
        const before = [gateway('a')(one, origin, under.tags), projection(one, origin, under.tags)];
        await waitUntil(() => origin.loads === 2, { what: 'the loads' });
        fresh.version = 2;
        await gateway('b')(two, fresh, [TAG]);
        await two.cache.invalidate({ kind: 'tag', tag: MORE }, mode);
        release();
        for (const { version } of await Promise.all(before)) expect(version).toBe('1');
        for (const replica of [two, one])
          for (const load of [gateway('a'), projection])
            expect((await load(replica, fresh, under.tags)).version).toBe('2');
      });
    });

    it('are found by a tag that a rule has added since, once they are loaded again', async () => {
      const [one, two] = await open();
      const origin = new VersionedOrigin();
      await one.throughGateway(ask('a'), origin);
      await one.cache.invalidate({ kind: 'key', key: KEY }, 'stale');
      await one.throughGateway({ ...ask('a'), tags: [TAG, 'rule'] }, origin);
      origin.version = 2;
      expect(await two.cache.invalidate({ kind: 'tag', tag: 'rule' }, 'purge')).toBe(1);
      for (const replica of [two, one]) expect((await replica.throughGateway(ask('a'), origin)).version).toBe('2');
    });
  });
});
