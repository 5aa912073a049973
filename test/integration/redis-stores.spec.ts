import { indexFor } from '../../src/cache/model/resource-index';
import { FILL } from '../../src/cache/store/redis/entry-scripts';
import { openStore } from '../../src/cache/store/store.factory';
import { CacheEvents, type StoreWrite } from '../../src/cache/engine/cache-events';
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import type { RedisSettings } from '../../src/redis/redis-client-options';
import { anEntry, asking, describeStore, fillUnder, leaseOf } from '../../testing/store-contract';
import { RedisCluster } from '../support/redis-cluster';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

const limits = { maxBytes: 64 * 1024 * 1024, maxEntries: 100_000 };
let prefixes = 0;

async function openRedisStore(uri: string) {
  const settings: RedisSettings = {
    endpoint: parseRedisEndpoint(uri),
    keyPrefix: `t${++prefixes}`,
    commandTimeoutMs: 10_000, // no Redis is frozen here: a slow machine is no outage
    tls: {},
  };
  const events = new CacheEvents();
  const { store, link } = openStore({ redis: settings, port: undefined }, limits, new SystemClock(), events);
  const told: StoreWrite[] = [];
  events.onStored((write) => told.push(write));
  await waitUntil(() => link?.isUp === true, { what: `the link to ${uri}` });
  return {
    store,
    link: link!,
    told,
    redisKey: (key: string) => `${settings.keyPrefix}:v4:e:{${key}}`,
    close: () => store.close(),
  };
}

/** @param bytesAt what Redis itself says of the length of a value */
function describeWrites(
  open: () => ReturnType<typeof openRedisStore>,
  bytesAt: (redisKey: string) => Promise<number>,
): void {
  describe('the store over it', () => {
    let under: Awaited<ReturnType<typeof open>>;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.close());

    it('reports the bytes of each value in Redis, and an index separately from a response', async () => {
      const { store, told, redisKey } = under;
      const response = anEntry({ body: Buffer.alloc(5_000), tags: ['t'] });
      const place = { upstream: 'github', tags: ['t'], now: Date.now(), place: () => 'k|variant' };
      const index = indexFor(undefined, { names: [], endsAt: Date.now() + 60_000 }, place);
      await store.fill(await leaseOf(store, 'k'), index.entry, { linked: { key: 'k|variant', entry: response } });
      await fillUnder(store, 'filled', anEntry());
      await store.put('set', anEntry({ upstream: 'app', body: Buffer.alloc(70_000), tags: ['t'] }));
      const length = (key: string) => bytesAt(redisKey(key));
      expect(told.slice(0, 2).sort((one, other) => one.bytes - other.bytes)).toEqual([
        { upstream: 'github', kind: 'index', bytes: await length('k') },
        { upstream: 'github', kind: 'response', bytes: await length('k|variant') },
      ]);
      expect(told.slice(2)).toEqual([
        { upstream: 'github', kind: 'response', bytes: await length('filled') },
        { upstream: 'app', kind: 'response', bytes: await length('set') },
      ]);
    });

    it('reports nothing for a refused fill, and nothing for its linked entry if that exists', async () => {
      const { store, told, redisKey } = under;
      const [late, tagged] = [await leaseOf(store, 'k'), await leaseOf(store, 'tagged')];
      await store.invalidate({ kind: 'key', key: 'k' }, 'purge');
      await store.invalidate({ kind: 'tag', tag: 't' }, 'purge');
      expect(await store.fill(tagged, anEntry({ tags: ['t'] }))).toBe(false);
      expect(await store.fill(late, anEntry(), { linked: { key: 'k|part', entry: anEntry() } })).toBe(false);
      const bytes = await bytesAt(redisKey('k|part'));
      expect(told).toEqual(bytes > 0 ? [{ upstream: 'github', kind: 'response', bytes }] : []);
    });

    it('reports nothing where only a head is written', async () => {
      const { store, told } = under;
      const entry = anEntry();
      await fillUnder(store, 'k', entry);
      const freshened = { ...entry, id: 'nextnextnext', freshUntil: entry.freshUntil + 1_000 };
      expect(await store.fill(await leaseOf(store, 'k', { seenId: entry.id }), freshened, { keepsBody: true })).toBe(
        true,
      );
      await store.invalidate({ kind: 'key', key: 'k' }, 'stale');
      expect(told).toHaveLength(1);
    });
  });
}

describe('one Redis', () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  describeStore('TieredStore over Redis', () => openRedisStore(redis.uri));
  describeWrites(
    () => openRedisStore(redis.uri),
    async (key) => Number(await redis.command('STRLEN', key)),
  );

  describe('that is full', () => {
    let under: Awaited<ReturnType<typeof openRedisStore>>;
    beforeEach(async () => {
      under = await openRedisStore(redis.uri);
      const { store, told } = under;
      await fillUnder(store, 'heard', anEntry());
      const isKept = async (): Promise<boolean> => Boolean(await store.find('heard')) && Boolean(store.peek('heard'));
      await waitUntil(isKept, { what: 'the store to hear of changes' });
      told.length = 0;
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    });
    afterEach(async () => {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await under.close();
    });

    it('stores nothing, and the store reports nothing', async () => {
      const { store, told } = under;
      await expect(store.put('k', anEntry())).rejects.toThrow('OOM');
      expect(await store.fill(await leaseOf(store, 'k'), anEntry())).toBe(true); // in this process alone
      expect(told).toEqual([]);
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await fillUnder(store, 'another', anEntry());
      await waitUntil(() => told.length > 0, { what: 'the store to tell' });
      expect(told).toHaveLength(1);
    });
  });
});

describe('one node of a Cluster, named as a Redis of its own', () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start({ config: { 'cluster-enabled': 'yes' } });
    await redis.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const isReady = async () => (await redis.command('CLUSTER', 'INFO')).includes('cluster_state:ok');
    await waitUntil(isReady, { what: 'a Cluster of one' });
  });
  afterAll(() => redis.stop());

  describeStore('TieredStore over it', () => openRedisStore(redis.uri));
});

describe('a Redis Cluster of six', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 180_000);
  afterAll(() => cluster.stop());

  describeStore('TieredStore over a Cluster', () => openRedisStore(cluster.uri));

  it.each([
    ['purge', { kind: 'tag', tag: 't' }],
    ['purge', { kind: 'key', key: 'k' }],
    ['stale', { kind: 'tag', tag: 't' }],
    ['stale', { kind: 'key', key: 'k' }],
  ] as const)('stores no first load whose last step comes after a %s of %j', async (mode, target) => {
    const { store, link, close } = await openRedisStore(cluster.uri);
    try {
      const lease = await leaseOf(store, 'k', { selection: 'json', tags: ['t'] });
      const send = link.send.bind(link);
      link.send = async (key, args) => {
        if (args[1] === FILL.sha) await store.invalidate([target], mode);
        return send(key, args);
      };
      expect(await store.fill(lease, anEntry({ tags: ['t'] }))).toBe(false);
      expect(await store.find('k')).toBeUndefined();
    } finally {
      await close();
    }
  });

  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  it.each([
    ['a tag', '-zscore', (root: string) => `${root}:t:{t}`],
    ['the ledger', '-hmget', (root: string) => `${root}:q`],
  ])('loses no lease while the node of %s refuses to be read', async (_what, refusal, keyOf) => {
    const { store, redisKey, close } = await openRedisStore(cluster.uri);
    closing.push(close);
    const refusing = keyOf(redisKey('').slice(0, redisKey('').indexOf(':e:')));
    const node = await cluster.primaryFor(refusing);
    const keys = Array.from({ length: 100 }, (_, at) => `k${at}`);
    const owners = await Promise.all(keys.map((key) => cluster.primaryFor(redisKey(key))));
    const key = keys[owners.findIndex((owner) => owner !== node)]!;
    await fillUnder(store, key, anEntry({ tags: ['t'] }));
    expect((await store.find(key))?.tier).toBe('l2'); // its tags are known now
    await cluster.commandFor(redisKey(key), 'DEL', redisKey(key));
    await waitUntil(() => store.peek(key) === undefined, { what: 'the push' });
    await node.command('ACL', 'SETUSER', 'default', refusal);
    const request = asking(key, { tags: ['t'] });
    const looked = await store.findOrAcquire(request);
    await node.command('ACL', 'SETUSER', 'default', '+@all');
    if (!looked.found && looked.lease?.kind === 'granted') await store.release(looked.lease.lease);
    expect((await store.acquire(asking(key, { tags: ['t'] }))).kind).toBe('granted');
  });

  describeWrites(
    () => openRedisStore(cluster.uri),
    async (key) => Number(await cluster.commandFor(key, 'STRLEN', key)),
  );
});
