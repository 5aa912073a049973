import { existsSync } from 'node:fs';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

describe('RedisProcess', () => {
  let redis: RedisProcess;

  beforeEach(async () => {
    redis = await RedisProcess.start();
  });

  afterEach(() => redis.stop());

  it('answers commands in every kind of reply', async () => {
    await expect(redis.command('SET', 'a', 'héllo\r\nworld')).resolves.toBe('OK');
    await expect(redis.command('GET', 'a')).resolves.toBe('héllo\r\nworld');
    await expect(redis.command('GET', 'absent')).resolves.toBe('(nil)');
    await expect(redis.query('GET', 'absent')).resolves.toBeNull();
    await expect(redis.query('INCR', 'n')).resolves.toBe(1);
    await redis.command('HSET', 'h', 'f', 'v', 'g', '');
    await expect(redis.command('HGETALL', 'h')).resolves.toBe('f\nv\ng\n');
    await expect(redis.query('EVAL', "return {1, {'x', false}}", 0)).resolves.toEqual([1, ['x', null]]);
    await expect(redis.command('HGET', 'a', 'f')).rejects.toThrow(/WRONGTYPE/);
    await expect(redis.cli('GET', 'n')).resolves.toBe('1');
  });

  it('keeps a connection open for RESP3 maps, transactions and pushes', async () => {
    const connection = await redis.connect();
    const hello = await connection.send('HELLO', 3);
    expect(hello).toBeInstanceOf(Map);
    expect((hello as Map<string, unknown>).get('proto')).toBe(3);
    await connection.send('MULTI');
    await connection.send('SET', 'a', 1);
    await connection.send('HGET', 'a', 'f');
    await expect(connection.send('EXEC')).resolves.toEqual(['OK', expect.any(Error)]);
    await connection.send('CLIENT', 'TRACKING', 'ON');
    await connection.send('GET', 'a');
    await redis.command('SET', 'a', 2);
    await waitUntil(() => connection.pushes.length > 0, { what: 'an invalidation' });
    expect(connection.pushes).toEqual([['invalidate', ['a']]]);
    connection.close();
  });

  it('carries a value of 20 MB both ways', async () => {
    const value = 'x'.repeat(20_000_000);
    await redis.command('SET', 'big', value);
    expect((await redis.command('GET', 'big')) === value).toBe(true);
  });

  it('does not answer while it is frozen, and does when thawed', async () => {
    await redis.freeze();
    expect(redis.isServing).toBe(false);
    const connection = await redis.connect(200);
    await expect(connection.send('PING')).rejects.toThrow(/No reply to PING within 200 ms/);
    await expect(redis.isAnswering(100)).resolves.toBe(false);
    await redis.thaw();
    await expect(redis.command('PING')).resolves.toBe('PONG');
  });

  it('comes back empty, or with its saved data, on the same port', async () => {
    const { port } = redis;
    await redis.command('SET', 'a', 'old');
    await redis.save();
    await redis.kill();
    expect(redis.isRunning).toBe(false);
    await expect(redis.command('PING')).rejects.toThrow(/ECONNREFUSED/);
    await redis.restart({ keepData: true });
    expect(redis.port).toBe(port);
    await expect(redis.command('GET', 'a')).resolves.toBe('old');
    await redis.restart();
    await expect(redis.command('GET', 'a')).resolves.toBe('(nil)');
  });

  it('stops even when frozen, and leaves no folder', async () => {
    await redis.freeze();
    await redis.stop();
    expect(redis.isRunning).toBe(false);
    expect(existsSync(redis.dir)).toBe(false);
  });

  it('says why it did not start', async () => {
    await expect(RedisProcess.start({ config: { 'no-such-directive': 'yes' } })).rejects.toThrow(/no-such-directive/);
    await expect(RedisProcess.start({ port: redis.port })).rejects.toThrow(/Address already in use/);
  });
});

describe('RedisProcess with credentials', () => {
  it('asks for the password, and for the new one once it is rotated, also after a restart', async () => {
    const redis = await RedisProcess.start({ password: 'first "quoted" one' });
    await expect(redis.cli('PING')).resolves.toBe('PONG');
    const stranger = await RedisProcess.start();
    await expect(stranger.cli('-p', String(redis.port), 'PING')).resolves.toMatch(/NOAUTH/);
    await redis.rotatePassword('second');
    await expect(redis.command('PING')).resolves.toBe('PONG');
    await redis.restart();
    expect(redis.password).toBe('second');
    await redis.stop();
    await stranger.stop();
  });

  it('serves an ACL user and refuses the default one', async () => {
    const redis = await RedisProcess.start({ username: 'larder', password: 'secret', acl: ['reader on >r ~* +@read'] });
    await expect(redis.command('ACL', 'WHOAMI')).resolves.toBe('larder');
    await expect(redis.cli('ACL', 'WHOAMI')).resolves.toBe('larder');
    await expect(redis.command('ACL', 'LIST')).resolves.toMatch(/user default off[^]*user reader on/);
    await redis.stop();
  });
});
