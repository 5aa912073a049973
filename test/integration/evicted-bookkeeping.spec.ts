import { CacheEvents } from '../../src/cache/engine/cache-events';
import { VersionedOrigin, WrongClock, type CacheReplica } from '../support/cache-replica';
import { RedisProcess } from '../support/redis-process';
import { RedisReplicas } from '../support/redis-replicas';
import { waitUntil } from '../support/wait-until';
import { anEntry } from '../../testing/store-contract';

const PREFIX = 'larder';
const KEY = 'github:-:/users/u';
const TAG = 'account:u';
const asking = { key: KEY, tags: [TAG] };

describe('with a Redis that evicts, or with keys deleted by hand', () => {
  let redis: RedisProcess;
  const replicas = new RedisReplicas();
  const openReady = (wrongByMs = 0): Promise<CacheReplica> =>
    replicas.openReady(redis.uri, { clock: new WrongClock(wrongByMs) });
  const openTwo = async (): Promise<[CacheReplica, CacheReplica]> => [await openReady(), await openReady()];
  beforeEach(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(async () => {
    await replicas.close();
    await redis.stop();
  });

  const WAYS = [
    ['a route', (r: CacheReplica, o: VersionedOrigin) => r.throughRoute(asking, o)],
    ['the gateway', (r: CacheReplica, o: VersionedOrigin) => r.throughGateway(asking, o)],
    ['a projection', (r: CacheReplica, o: VersionedOrigin) => r.throughRoute({ ...asking, part: 'repos' }, o)],
  ] as const;

  describe.each(WAYS)('%s', (_name, get) => {
    it.each([
      ['the index of the tag', [`${PREFIX}:v4:t:{${TAG}}`]],
      ['the ledger', [`${PREFIX}:v4:q`]],
      ['both', [`${PREFIX}:v4:t:{${TAG}}`, `${PREFIX}:v4:q`]],
    ])('loads again after a purge by tag, on both replicas, when %s was deleted before', async (_what, keys) => {
      const [one, two] = await openTwo();
      const origin = new VersionedOrigin();
      for (const replica of [one, two]) {
        await get(replica, origin);
        await waitUntil(async () => (await get(replica, origin)).outcome === 'HIT', { what: 'a hit' });
      }
      expect(await redis.command('DEL', ...keys)).toBe(String(keys.length));
      origin.version = 2;
      await one.store.invalidate({ kind: 'tag', tag: TAG }, 'purge');
      expect((await get(one, origin)).version).toBe('2');
      await waitUntil(async () => (await get(two, origin)).version === '2', { what: 'the push' });
    });

    it('stores nothing of a load in whose time the ledger is deleted and its tag purged', async () => {
      const [one, two] = await openTwo();
      const origin = new VersionedOrigin();
      const release = origin.hold();
      const loading = get(one, origin);
      await waitUntil(() => origin.loads === 1, { what: 'the load' });
      origin.version = 2;
      await two.store.invalidate({ kind: 'tag', tag: TAG }, 'purge');
      await redis.command('DEL', `${PREFIX}:v4:q`);
      release();
      await loading;
      for (const replica of [one, two]) expect((await get(replica, origin)).version).toBe('2');
    });

    it('keeps serving stored entries when only the ledger is gone', async () => {
      const [one, two] = await openTwo();
      const origin = new VersionedOrigin();
      await get(one, origin);
      await redis.command('DEL', `${PREFIX}:v4:q`);
      await waitUntil(async () => (await redis.command('EXISTS', `${PREFIX}:v4:q`)) === '1', { what: 'a new ledger' });
      for (const replica of [one, two])
        expect(await get(replica, origin)).toMatchObject({ version: '1', outcome: 'HIT' });
      expect(origin.loads).toBe(1);
    });
  });

  describe.each([
    ['purge', 'a Redis'],
    ['stale', 'a Redis'],
    ['purge', 'a node of a Cluster'],
  ] as const)('after a %s by a tag whose index was deleted during a load, on %s,', (mode, where) => {
    beforeEach(async () => {
      if (where === 'a Redis') return;
      await redis.stop();
      redis = await RedisProcess.start({ config: { 'cluster-enabled': 'yes' } });
      await redis.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      const isReady = async () => (await redis.command('CLUSTER', 'INFO')).includes('cluster_state:ok');
      await waitUntil(isReady, { what: 'a Cluster of one' });
    });

    it.each([
      ['of another variant', (r: CacheReplica, o: VersionedOrigin) => r.throughGateway({ ...asking, accept: 'b' }, o)],
      ['of a projection', (r: CacheReplica, o: VersionedOrigin) => r.throughRoute({ ...asking, part: 'repos' }, o)],
    ] as const)('%s, nothing of the resource comes back', async (_what, get) => {
      const [one, two] = await openTwo();
      const origin = new VersionedOrigin();
      await one.throughGateway(asking, origin);
      const release = origin.hold();
      origin.headers = [...origin.headers, ['vary', 'x-other']]; // a variant that changes the resource's index
      const loading = get(one, origin);
      await waitUntil(() => origin.loads === 2, { what: 'the second load' });
      await redis.command('DEL', `${PREFIX}:v4:t:{${TAG}}`);
      origin.version = 2;
      await two.store.invalidate({ kind: 'tag', tag: TAG }, mode);
      release();
      await loading;
      for (const replica of [two, one]) {
        expect((await replica.throughGateway(asking, origin)).version).toBe('2');
        expect((await get(replica, origin)).version).toBe('2');
      }
    });
  });

  it('puts a value into the indexes of its tags in one step, so that what is there does not count again before', async () => {
    const [one] = await openTwo();
    const scripts = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1]);
    const entry = anEntry({ tags: [TAG, 'another'] });
    await one.store.put('app:k', entry);
    const before = await scripts();
    await one.store.put('app:k', entry);
    expect(await scripts()).toBe(before + 1);
    expect(await one.store.invalidate({ kind: 'tag', tag: 'another' }, 'purge')).toBe(1);
  });

  it('finds what others have stored under a tag, though the clock of one replica is 90 s ahead', async () => {
    const [one, ahead] = [await openReady(), await openReady(90_000)];
    const [origin, other] = [new VersionedOrigin(), new VersionedOrigin()];
    await one.throughRoute({ ...asking, ttlMs: 60_000 }, origin);
    await ahead.throughRoute({ key: 'github:-:/users/u/repos', tags: [TAG], ttlMs: 60_000 }, other);
    origin.version = 2;
    expect(await one.store.invalidate({ kind: 'tag', tag: TAG }, 'purge')).toBe(2);
    expect((await one.throughRoute(asking, origin)).version).toBe('2');
  });

  it('counts what was found missing: an index, a ledger, and older data', async () => {
    const events = new CacheEvents();
    const lost = events.bookkeepingLost;
    const replica = replicas.open(redis.uri, { l1Bytes: 0, events });
    const origin = new VersionedOrigin();
    const get = () => replica.throughGateway(asking, origin);
    const found = (what: string, count: number) => waitUntil(() => lost[what as 'index'] === count, { what });
    await waitUntil(async () => (await get()).outcome === 'HIT' && (await redis.command('DBSIZE')) !== '0', {
      what: 'an entry in Redis',
    });
    expect(lost).toEqual({ index: 0, ledger: 0, history: 0 });

    await redis.command('DEL', `${PREFIX}:v4:t:{${TAG}}`);
    expect((await get()).outcome).toBe('MISS');
    expect(lost).toEqual({ index: 1, ledger: 0, history: 0 });

    await redis.command('DEL', `${PREFIX}:v4:q`);
    await found('ledger', 1);

    await replica.store.invalidate({ kind: 'tag', tag: 'another' }, 'purge');
    await redis.command('HINCRBY', `${PREFIX}:v4:q`, 's', '-1');
    await found('history', 1);
    expect(lost).toEqual({ index: 1, ledger: 1, history: 1 });
  });

  it('keeps notes as long as it is said, whatever the clocks of replicas say', async () => {
    const [one, ahead] = [await openReady(), await openReady(90_000)];
    await one.store.shared.compareAndSet('g', 'a', undefined, 'x', 60_000);
    expect(await ahead.store.shared.read('g', 'a')).toBe('x');
    expect(await ahead.store.shared.readAll('g')).toEqual([['a', 'x']]);
    expect(await ahead.store.shared.compareAndSet('g', 'a', 'x', 'y', 60_000)).toEqual({ kind: 'stored' });
    expect(await one.store.shared.read('g', 'a')).toBe('y');
  });

  it.each(['allkeys-lru', 'allkeys-random', 'volatile-lru'])(
    'loads again after each purge under %s',
    async (policy) => {
      const replica = replicas.open(redis.uri, { l1Bytes: 0 });
      const other = await openReady();
      const probe = { key: 'probe without copies', tags: [] };
      const isShared = async (): Promise<boolean> => {
        await replica.throughRoute(probe, new VersionedOrigin());
        return (await replica.store.find(probe.key)) !== undefined;
      };
      await waitUntil(isShared, { what: 'a replica that reaches Redis' });
      const hot = Array.from({ length: 20 }, (_, at) => ({
        key: `github:-:/users/hot${at}`,
        tags: [`account:hot${at}`],
      }));
      const origins = hot.map(() => new VersionedOrigin());
      const readHot = () => Promise.all(hot.map((one, at) => replica.throughGateway(one, origins[at]!)));
      await readHot();
      await redis.command('CONFIG', 'SET', 'maxmemory-policy', policy);
      await redis.command('CONFIG', 'SET', 'maxmemory', '3mb');
      const rest = new VersionedOrigin();
      for (let at = 0; at < 2_400; at += 60) {
        const batch = Array.from({ length: 60 }, (_, n) => `account:${at + n}`);
        await Promise.all(
          batch.map((tag) => replica.throughGateway({ key: `github:-:/users/${tag}`, tags: [tag] }, rest)),
        );
        await readHot();
        await Promise.all(hot.map((one, n) => other.throughGateway(one, origins[n]!)));
      }
      expect(await redis.command('INFO', 'stats')).toMatch(/^evicted_keys:[1-9]/m);
      for (const [at, { tags }] of hot.entries()) {
        origins[at]!.version = 2;
        await replica.store.invalidate({ kind: 'tag', tag: tags[0]! }, at % 2 === 0 ? 'purge' : 'stale');
        expect((await replica.throughGateway(hot[at]!, origins[at]!)).version).toBe('2');
        await waitUntil(async () => (await other.throughGateway(hot[at]!, origins[at]!)).version === '2', {
          what: 'the push',
        });
      }
    },
    240_000,
  );
});
