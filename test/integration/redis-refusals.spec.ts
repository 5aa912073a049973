import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';
import { ask } from './clients';
import { entryKey, leaseKey, useFailingRedis } from './failing-redis';

/** Changes the stored bytes of the entry that is there. */
const edited = (script: string) => ['EVAL', script, '1', entryKey('garbage')] as const;

describe('Redis is full, read-only or has other data, and the service', () => {
  const { under, ends, startService, untilState, entryOf, invalidate } = useFailingRedis();

  it('answers, caches and invalidates while it is full', async () => {
    const redis = ends(await RedisProcess.start({ config: { 'maxmemory-policy': 'noeviction' } }));
    const service = await startService(redis.uri);
    await waitUntil(async () => (await ask(service, 'warm')).cacheStatus.includes('HIT/l1'), { what: 'coherence' });
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect((await ask(service, 'full')).status).toBe(200);
    const calls = under.github.requests.count(/full/);
    expect((await ask(service, 'full')).json['cached']).toBe(true);
    expect(under.github.requests.count(/full/)).toBe(calls);
    expect((await invalidate(service, 'full')).status).toBe(200);
    expect((await ask(service, 'full')).json['cached']).toBe(false);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect((await ask(service, 'roomy')).status).toBe(200);
    expect(await redis.command('EXISTS', entryKey('roomy'))).toBe('1');
  });

  it('reads from it while it is a replica', async () => {
    const primary = ends(await RedisProcess.start());
    const replica = ends(await RedisProcess.start());
    const writer = await startService(primary.uri);
    await untilState(writer, 'up');
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port));
    expect((await ask(writer, 'copied')).status).toBe(200);
    await waitUntil(async () => (await replica.command('EXISTS', entryKey('copied'))) === '1', { what: 'the copy' });
    const reader = await startService(replica.uri);
    await untilState(reader, 'up');
    expect((await ask(reader, 'copied')).json['cached']).toBe(true);
  });

  it('keeps nothing that it loads from a replica while the primary gets the change', async () => {
    const [primary, replica] = [ends(await RedisProcess.start()), ends(await RedisProcess.start())];
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port));
    await waitUntil(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'), {
      what: 'the replication',
    });
    const [writer, reader] = [await startService(primary.uri), await startService(replica.uri)];
    for (const service of [writer, reader]) await untilState(service, 'up');
    const old = Number((await ask(writer, 'changing')).json['repos']);
    expect((await invalidate(writer, 'changing')).status).toBe(200);
    await waitUntil(async () => (await ask(reader, 'earlier')).cacheStatus.includes('HIT/l1'), { what: 'a copy' });
    const release = under.github.hold();
    const answer = ask(reader, 'changing');
    await waitUntil(() => under.github.inFlight === 1, { what: 'the load' });
    const sequence = await replica.command('HGET', 'larder:v4:q', 's');
    expect((await invalidate(writer, 'changing')).status).toBe(200);
    await waitUntil(async () => (await replica.command('HGET', 'larder:v4:q', 's')) !== sequence, {
      what: 'the replication',
    });
    // Changes come in order: once the copy of this one is dropped, the reader has received the change before it as well.
    expect((await invalidate(writer, 'earlier')).status).toBe(200);
    await waitUntil(async () => (await entryOf(reader, 'earlier')) === 404, { what: 'the change' });
    release();
    expect((await answer).json['repos']).toBe(old);
    under.github.setAccount('changing', { publicRepos: old + 1 });
    expect((await ask(reader, 'changing')).json).toMatchObject({ repos: old + 1, cached: false });
  });

  it('answers while it is a read-only replica', async () => {
    const [primary, redis] = [ends(await RedisProcess.start()), ends(await RedisProcess.start())];
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    await redis.command('REPLICAOF', '127.0.0.1', String(primary.port));
    expect((await ask(service, 'read-only')).status).toBe(200);
    expect((await invalidate(service, 'read-only')).status).toBe(503);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    expect((await invalidate(service, 'read-only')).status).toBe(200);
  });

  it.each([
    ['with-memory', {}],
    ['without-memory', { L1_MAX_BYTES: '0' }],
  ])('loads what is stale while it takes no writes, %s', async (name, memory) => {
    const redis = ends(await RedisProcess.start());
    const folder = makeTempFolder('rules');
    ends({ stop: () => removeTempFolder(folder) });
    const rules = join(folder, 'rules.json');
    writeFileSync(rules, JSON.stringify([{ path: '/users/:login', ttl: 1 }]));
    const service = await startService(redis.uri, { ...memory, GITHUB_RULES_FILE: rules });
    await untilState(service, 'up');
    const stale = async () => (await request(`${service.url}/github/users/${name}`)).body.toString();
    await stale();
    await waitUntil(async () => (await redis.command('EXISTS', entryKey(name))) === '1', { what: 'the entry' });
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    under.github.setAccount(name, { publicRepos: 77 });
    await waitUntil(async () => (await stale()).includes('"public_repos":77'), {
      what: 'the change',
    });
  });

  it.each([
    ['a text', ['SET', entryKey('garbage'), 'text']],
    ['a list', ['RPUSH', entryKey('garbage'), 'a', 'b']],
    ['a hash', ['HSET', entryKey('garbage'), 'x', 'y', 'v', 'z']],
    ['a long text', ['SET', entryKey('garbage'), '['.repeat(1_000_000)]],
    ['a truncated entry', edited("redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, -5))")],
    ['a head that is longer than the entry', edited("redis.call('SETRANGE', KEYS[1], 18, '\\1\\255\\255')")],
    ['a head that ends before it begins', edited("redis.call('SETRANGE', KEYS[1], 18, '\\0\\0\\1')")],
    ['an id with markup', edited("redis.call('SETRANGE', KEYS[1], 0, '<script>alert')")],
    ['metadata of ones', edited("redis.call('SETRANGE', KEYS[1], 21, string.rep('\\255', 40))")],
  ] as const)('replaces %s at the key of an entry, and reports it once', async (_what, command) => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    for (let times = 0; times < 2; times++) {
      if (command[0] !== 'EVAL') await redis.command('DEL', entryKey('garbage'));
      else await waitUntil(async () => (await ask(service, 'garbage')).json['cached'] === true, { what: 'the hit' });
      await redis.command(...command);
      await waitUntil(async () => (await ask(service, 'garbage')).json['cached'] === false, { what: 'the miss' });
      const parts = await redis.cli('--scan', '--pattern', 'larder:v4:e:{github:-:/users/garbage|*}');
      const bodies = await Promise.all(parts.split('\n').map((key) => redis.command('GET', key)));
      expect(bodies.join()).toContain('{"username":"garbage"');
    }
    expect(service.stdout().match(/was not written by this version/g)).toHaveLength(1);
    expect(service.isRunning).toBe(true);
  });

  it('stands foreign types at its bookkeeping keys', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const replace = "redis.call('DEL', KEYS[1]) return redis.call('RPUSH', KEYS[1], 'x')";
    await redis.command('EVAL', replace, '1', 'larder:v4:q');
    await redis.command('SET', 'larder:v4:t:{account:odd}', 'x');
    await redis.command('RPUSH', 'larder:v4:i:{account:odd}', 'x');
    await redis.command('RPUSH', 'larder:v4:l:{github:-:/users/odd}', 'x');
    await redis.command('RPUSH', leaseKey('odd'), 'x');
    expect((await ask(service, 'odd')).status).toBe(200);
    expect((await ask(service, 'odd')).json['cached']).toBe(true);
    expect((await invalidate(service, 'odd')).status).toBe(200);
    expect((await ask(service, 'odd')).json['cached']).toBe(false);
  });

  it('stores a resource whose count of first loads was overwritten, also after a purge by tag', async () => {
    const redis = ends(await RedisProcess.start());
    const service = await startService(redis.uri);
    await untilState(service, 'up');
    const count = (login: string): string => `larder:v4:l:{github:-:/users/${login}}|`;
    await redis.command('SET', count('text'), 'x');
    await redis.command('RPUSH', count('list'), 'x');
    await redis.command('SET', count('huge'), '9'.repeat(30));
    for (const login of ['text', 'list', 'huge', 'text', 'list', 'huge']) {
      expect((await ask(service, login)).json['cached']).toBe(false);
      expect((await ask(service, login)).json['cached']).toBe(true);
      expect((await invalidate(service, login)).status).toBe(200);
    }
  });
});
