import { VersionedOrigin, type CacheReplica } from '../support/cache-replica';
import { RedisProcess } from '../support/redis-process';
import { RedisReplicas } from '../support/redis-replicas';
import { waitUntil } from '../support/wait-until';

const KEY = 'github:-:/users/u';
const TAG = 'account:u';
const asking = { key: KEY, tags: [TAG] };

describe('with a Redis whose data is exchanged under a live connection', () => {
  let redis: RedisProcess;
  const replicas = new RedisReplicas();
  const open = (l1Bytes: number, database = 0): CacheReplica => replicas.open(`${redis.uri}/${database}`, { l1Bytes });
  beforeEach(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(async () => {
    await replicas.close();
    await redis.stop();
  });

  const changes: readonly (readonly [string, () => Promise<unknown>, () => Promise<unknown>])[] = [
    ['SWAPDB', () => redis.command('SWAPDB', '0', '1'), () => redis.command('SWAPDB', '0', '1')],
    [
      'an older copy of all keys',
      async () => {
        await redis.command(
          'EVAL',
          "for _, k in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', k, k, 'DB', 1) end",
          '0',
        );
      },
      () => redis.command('SWAPDB', '0', '1'),
    ],
  ];

  describe.each([
    ['with copies in memory', 16_777_216],
    ['without', 0],
  ])('%s', (_how, l1Bytes) => {
    it.each(changes)('%s: nothing that was purged in between comes back', async (_name, before, after) => {
      const [one, two] = [open(l1Bytes), open(l1Bytes)];
      const origin = new VersionedOrigin();
      const isStored = async (): Promise<boolean> => {
        const outcomes = [await one.throughGateway(asking, origin), await two.throughGateway(asking, origin)];
        return outcomes.every(({ outcome }) => outcome === 'HIT') && (await redis.command('DBSIZE')) !== '0';
      };
      await waitUntil(isStored, { what: 'an entry in Redis' });
      await before();
      origin.version = 2;
      await one.store.invalidate({ kind: 'key', key: KEY }, 'purge');
      await after();
      expect((await one.throughGateway(asking, origin)).version).toBe('2');
      await waitUntil(async () => (await two.throughGateway(asking, origin)).version === '2', {
        what: 'the other replica to notice',
      });
    });

    const puttingBack: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['SWAPDB', () => redis.command('SWAPDB', '0', '1')],
      [
        'FLUSHDB and COPY in one step',
        () =>
          redis.command(
            'EVAL',
            "redis.call('FLUSHDB') redis.call('SELECT', 1) for _, k in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', k, k, 'DB', 0) end",
            '0',
          ),
      ],
    ];
    it.each(puttingBack.flatMap(([how, putBack]) => [1, 2, 5].map((purges) => [how, purges, putBack] as const)))(
      '%s of older data, after which a replica that has just started purges %i times: nothing of before a purge comes back',
      async (_how, purges, putBack) => {
        const [one, two] = [open(l1Bytes), open(l1Bytes)];
        const origin = new VersionedOrigin();
        const isStored = async (): Promise<boolean> => {
          const outcomes = [await one.throughGateway(asking, origin), await two.throughGateway(asking, origin)];
          return outcomes.every(({ outcome }) => outcome === 'HIT') && (await redis.command('DBSIZE')) !== '0';
        };
        await waitUntil(isStored, { what: 'an entry in Redis' });
        await redis.command(
          'EVAL',
          "for _, k in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', k, k, 'DB', 1) end",
          '0',
        );
        // The older data are purged elsewhere first, so that no replica can meet them with a lower count.
        const fresh = open(0, 1);
        const reaches = async (): Promise<boolean> => {
          await fresh.throughGateway({ key: 'probe', tags: [] }, new VersionedOrigin());
          return (await fresh.store.find('probe')) !== undefined;
        };
        await waitUntil(reaches, { what: 'a replica that reaches the older data' });
        const [changed, changing] = [new VersionedOrigin(), { key: 'github:-:/users/w', tags: ['account:w'] }];
        for (let purge = 0; purge < purges; purge++)
          await fresh.store.invalidate({ kind: 'tag', tag: 'account:w' }, 'purge');
        origin.version = 2;
        await one.store.invalidate({ kind: 'tag', tag: TAG }, 'purge');
        for (const replica of [one, two]) {
          await waitUntil(async () => (await replica.throughGateway(changing, changed)).outcome === 'HIT', {
            what: 'a hit',
          });
          await waitUntil(async () => (await replica.store.find(KEY)) === undefined, { what: 'the push' });
        }
        changed.version = 2;
        await putBack();
        for (const replica of [one, two]) expect((await replica.throughGateway(asking, origin)).version).toBe('2');
        for (const replica of [one, two])
          await waitUntil(async () => (await replica.throughGateway(changing, changed)).version === '2', {
            what: 'the replica to notice',
          });
      },
    );
  });
});
