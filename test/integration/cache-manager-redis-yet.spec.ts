import { createCache, KeyvAdapter } from 'cache-manager';
import { redisStore } from 'cache-manager-redis-yet';
import { Keyv } from 'keyv';
import { RedisProcess } from '../support/redis-process';

/* docs/guides/cache-manager.md says how, and what is lost. */
describe('cache-manager-redis-yet through KeyvAdapter', () => {
  let redis: RedisProcess;
  let store: Awaited<ReturnType<typeof redisStore>>;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    store = await redisStore({ url: redis.uri });
    store.client.on('error', () => undefined); // without it a lost Redis ends the process
  });
  afterAll(async () => {
    await store.client.quit();
    await redis.stop();
  });

  const open = () => createCache({ stores: [new Keyv({ store: new KeyvAdapter(store), useKeyPrefix: false })] });

  it('stores, gives back and deletes in a real Redis', async () => {
    const cache = open();
    await cache.set('greeting', { text: 'hello' }, 60_000);
    expect(await cache.get('greeting')).toEqual({ text: 'hello' });
    expect(Number(await redis.command('PTTL', 'greeting'))).toBeGreaterThan(50_000);
    await cache.del('greeting');
    expect(await redis.command('EXISTS', 'greeting')).toBe('0');
  });

  it('wraps', async () => {
    const cache = open();
    let calls = 0;
    const load = () => Promise.resolve({ calls: ++calls });
    expect([await cache.wrap('wrapped', load, 60_000), await cache.wrap('wrapped', load, 60_000)]).toEqual([
      { calls: 1 },
      { calls: 1 },
    ]);
  });

  it('loses: clear() empties the whole database, other applications and all', async () => {
    await redis.command('SET', 'other-application', '1');
    await open().clear();
    expect(await redis.command('EXISTS', 'other-application')).toBe('0');
  });
});
