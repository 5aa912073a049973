import { RedisSentinelSet } from '../support/redis-sentinel';

describe('RedisSentinelSet', () => {
  it('fails over to the replica', async () => {
    const set = await RedisSentinelSet.start({ password: 'data', sentinelPassword: 'watch' });
    expect(set.uri).toMatch(/^redis\+sentinel:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\/mymaster$/);
    await set.command('SET', 'a', 'kept');
    await set.command('WAIT', 1, 30_000);
    const killed = await set.killPrimary();
    const port = await set.waitForFailover();
    expect(port).not.toBe(killed.port);
    await expect(set.command('GET', 'a')).resolves.toBe('kept');
    await expect(set.command('SET', 'a', 'new')).resolves.toBe('OK');
    await set.stop();
    expect([...set.dataNodes, ...set.sentinels].filter(({ isRunning }) => isRunning)).toEqual([]);
  });
});
