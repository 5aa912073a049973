import { FaultProxy } from '../support/fault-proxy';
import { freePort } from '../support/free-port';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';
import { ask, health, keepAsking, statuses } from './clients';
import { COMMAND_TIMEOUT_MS, entryKey, leaseKey, useFailingRedis } from './failing-redis';

const NAMES = ['one', 'two', 'three', 'four'];

describe('Redis fails, and the service', () => {
  const { under, ends, startService, untilState, untilTriedAgain, invalidate } = useFailingRedis();

  it('starts without it, answers, and heals when it comes', async () => {
    const port = await freePort();
    const service = await startService(`redis://127.0.0.1:${port}`);
    expect(await health(service)).toBe('degraded');
    expect((await ask(service, 'one')).json['cached']).toBe(false);
    await waitUntil(async () => (await ask(service, 'one')).json['cached'] === true, { what: 'memory has it' });
    expect((await invalidate(service, 'one')).status).toBe(503);
    expect(service.stdout().match(/ECONNREFUSED/g)).toHaveLength(1);
    ends(await RedisProcess.start({ port }));
    await untilState(service, 'up');
    expect((await invalidate(service, 'one')).status).toBe(200);
  });

  it('reports a wrong password in one line without it, and answers', async () => {
    const redis = ends(await RedisProcess.start({ password: 'right-secret' }));
    const service = await startService(redis.uri, { REDIS_PASSWORD: 'wrong-secret' });
    await service.waitForLog(
      /Redis at 127\.0\.0\.1:\d+ refused the login \(WRONGPASS\): check REDIS_USERNAME and REDIS_PASSWORD\./,
    );
    expect((await ask(service, 'one')).status).toBe(200);
    expect(service.stdout()).not.toMatch(/wrong-secret/);
    expect(service.stdout().match(/WRONGPASS/g)).toHaveLength(1);
  });

  it.each([
    ['-client|tracking', /refuses CLIENT TRACKING \(NOPERM[^)]*\).*\+client\|tracking/],
    ['-subscribe', /refuses SUBSCRIBE \(NOPERM[^)]*\).*\+subscribe and &larder:invalidate/],
  ])('reports once the missing permission of a user with %s, and answers', async (rule, line) => {
    const redis = ends(await RedisProcess.start({ acl: [`larder on >secret ~* &* +@all ${rule}`] }));
    const service = await startService(`redis://127.0.0.1:${redis.port}`, {
      ...{ REDIS_USERNAME: 'larder', REDIS_PASSWORD: 'secret' },
    });
    await service.waitForLog(line);
    expect((await ask(service, 'one')).status).toBe(200);
    await untilTriedAgain(redis);
    expect(service.stdout().match(/Redis refuses/g)).toHaveLength(1);
  });

  it('reports a Redis that is no Cluster in one line, however often it tries', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(`redis+cluster://127.0.0.1:${redis.port}`);
    await service.waitForLog(/Redis at 127\.0\.0\.1:\d+ is not usable \(.*cluster support disabled/);
    await untilTriedAgain(redis);
    expect(service.stdout().match(/not usable/g)).toHaveLength(1);
  });

  it('answers every request while it is frozen, and heals', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const outage = (async () => {
      await redis.freeze();
      await untilState(service, 'degraded');
      expect((await invalidate(service, 'one')).status).toBe(503);
      await redis.thaw();
      await untilState(service, 'up');
    })();
    const seen = await keepAsking(service, NAMES, outage);
    expect(statuses(seen)).toEqual([200]);
    expect(service.isRunning).toBe(true);
    // only those that were under way when the link went down have paid for it
    expect(seen.filter(({ ms }) => ms >= COMMAND_TIMEOUT_MS).length).toBeLessThanOrEqual(3 * NAMES.length);
  });

  it('answers every request while it is killed and comes back empty', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const outage = (async () => {
      await redis.kill();
      await untilState(service, 'degraded');
      await redis.restart();
      await untilState(service, 'up');
    })();
    expect(statuses(await keepAsking(service, NAMES, outage))).toEqual([200]);
    expect(service.isRunning).toBe(true);
  });

  it('serves nothing older than an invalidation when it comes back with old data', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const old = Number((await ask(service, 'rewound')).json['repos']);
    await redis.save();
    under.github.setAccount('rewound', { publicRepos: old + 1 });
    expect((await invalidate(service, 'rewound')).status).toBe(200);
    await redis.restart({ keepData: true });
    await untilState(service, 'up');
    expect((await ask(service, 'rewound')).json['repos']).toBe(old + 1);
    await service.waitForLog(/older data than it had: 2 entries removed/);
  });

  it.each([
    ['is cut', (proxy: FaultProxy) => proxy.cut()],
    ['is half open', (proxy: FaultProxy) => proxy.halfOpen()],
    ['takes too long', (proxy: FaultProxy) => proxy.delay(COMMAND_TIMEOUT_MS)],
    ['brings garbage', (proxy: FaultProxy) => proxy.garbage()],
  ])('answers every request while the network to it %s, and heals', async (_what, fail) => {
    const redis = ends(await RedisProcess.start());
    const proxy = ends(await FaultProxy.start(redis.port));
    const service = await startService(proxy.uri);
    await untilState(service, 'up');
    const outage = (async () => {
      await fail(proxy);
      await untilState(service, 'degraded');
      await proxy.pass();
      await untilState(service, 'up');
    })();
    expect(statuses(await keepAsking(service, NAMES, outage))).toEqual([200]);
    expect(service.isRunning).toBe(true);
  });

  it('receives every DEL after a notice to move, as Redis Enterprise sends it to its clients', async () => {
    const redis = ends(await RedisProcess.start());
    const proxy = ends(await FaultProxy.start(redis.port));
    const service = await startService(proxy.uri);
    await untilState(service, 'up');
    proxy.say(Buffer.from(`>4\r\n+MOVING\r\n:1\r\n:15\r\n+127.0.0.1:${redis.port}\r\n`));
    for (let times = 0; times < 10; times++) {
      const isInMemory = async () => (await ask(service, 'moved')).cacheStatus.includes('HIT/l1');
      await waitUntil(isInMemory, { what: 'a hit in memory' });
      await redis.command('DEL', entryKey('moved'));
      await waitUntil(async () => !(await isInMemory()), { what: 'the DEL to be heard' });
    }
  });

  it('answers every request while its connections are killed', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const outage = (async () => {
      for (let times = 0; times < 5; times++) {
        await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await untilState(service, 'up');
      }
    })();
    expect(statuses(await keepAsking(service, NAMES, outage))).toEqual([200]);
  });

  it('leaves no lease behind whose grant was on its way when the connection broke', async () => {
    const redis = ends(await RedisProcess.start());
    const proxy = ends(await FaultProxy.start(redis.port));
    const service = await startService(proxy.uri, { CACHE_LEASE_MS: '60000' });
    await untilState(service, 'up');
    await proxy.delay(40);
    const answer = ask(service, 'granted');
    await waitUntil(async () => (await redis.command('EXISTS', leaseKey('granted'))) === '1', { what: 'the lease' });
    await proxy.cut();
    expect((await answer).status).toBe(200);
    await proxy.pass();
    await untilState(service, 'up');
    expect((await ask(service, 'granted')).status).toBe(200);
    expect(await redis.command('EXISTS', leaseKey('granted'))).toBe('0');
  });

  it('leaves no lease behind whose load ended while the connection was broken', async () => {
    const redis = ends(await RedisProcess.start());
    const proxy = ends(await FaultProxy.start(redis.port));
    const service = await startService(proxy.uri, { CACHE_LEASE_MS: '60000' });
    await untilState(service, 'up');
    const release = under.github.hold();
    const answer = ask(service, 'loading');
    await waitUntil(() => under.github.inFlight === 1, { what: 'the load' });
    await proxy.cut();
    await untilState(service, 'degraded');
    release();
    expect((await answer).status).toBe(200);
    await proxy.pass();
    await untilState(service, 'up');
    expect((await ask(service, 'loading')).status).toBe(200);
    expect(await redis.command('EXISTS', leaseKey('loading'))).toBe('0');
  });
});
