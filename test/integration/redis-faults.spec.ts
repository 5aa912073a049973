import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { FaultProxy } from '../support/fault-proxy';
import { freePort } from '../support/free-port';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';
import { ask, health, keepAsking, statuses } from './clients';

const ADMIN = { authorization: 'Bearer test-admin-token' };
/** So long that a slow machine is no outage. */
const COMMAND_TIMEOUT_MS = 1_000;
const NAMES = ['one', 'two', 'three', 'four'];
const ENTRY = (name: string) => `larder:v4:e:{github:-:/users/${name}}`;
const LEASE = (name: string) => `larder:v4:l:{github:-:/users/${name}}|repos`;
/** Changes the stored bytes of the entry that is there. */
const edited = (script: string) => ['EVAL', script, '1', ENTRY('garbage')] as const;

describe('Redis fails, and the service', () => {
  let github: GithubSimulator;
  const opened: { stop(): unknown }[] = [];

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 2, rateLimit: { anonymous: 1_000_000_000 } });
  });
  afterAll(() => github.stop());
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.stop();
  });

  function ends<T extends { stop(): unknown }>(one: T): T {
    opened.push(one);
    return one;
  }

  const startService = async (uri: string, env: Record<string, string> = {}) =>
    ends(
      await ServiceProcess.start({
        env: {
          GITHUB_API_URL: github.url,
          REDIS_ENDPOINT_URI: uri,
          REDIS_COMMAND_TIMEOUT_MS: String(COMMAND_TIMEOUT_MS),
          ADMIN_TOKEN: 'test-admin-token',
          LOG_LEVEL: 'warn',
          ...env,
        },
      }),
    );
  const untilState = (service: ServiceProcess, state: string) =>
    waitUntil(async () => (await health(service)) === state, { what: `the state ${state}` });
  /** What looks is a connection as well. */
  const untilTriedAgain = async (redis: RedisProcess) => {
    const connections = async () => {
      const stats = await redis.command('INFO', 'stats');
      return Number(/total_connections_received:(\d+)/.exec(stats)?.[1]);
    };
    const before = await connections();
    let looks = 0;
    await waitUntil(async () => (await connections()) - before - ++looks >= 4, {
      what: 'further tries',
      pollMs: 50,
    });
  };
  const entryOf = async (service: ServiceProcess, name: string): Promise<number> =>
    (await request(`${service.url}/admin/cache/entries/github:-:/users/${name}`, { headers: ADMIN })).status;
  const invalidate = (service: ServiceProcess, name: string) =>
    request(`${service.url}/admin/cache/accounts/${name}`, { method: 'DELETE', headers: ADMIN });

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
    github.setAccount('rewound', { publicRepos: old + 1 });
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
      await redis.command('DEL', ENTRY('moved'));
      await waitUntil(async () => !(await isInMemory()), { what: 'the DEL to be heard' });
    }
  });

  it('answers, caches and invalidates while it is full', async () => {
    const redis = ends(await RedisProcess.start({ config: { 'maxmemory-policy': 'noeviction' } }));
    const service = await startService(redis.uri);
    await waitUntil(async () => (await ask(service, 'warm')).cacheStatus.includes('HIT/l1'), { what: 'coherence' });
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect((await ask(service, 'full')).status).toBe(200);
    const calls = github.requests.count(/full/);
    expect((await ask(service, 'full')).json['cached']).toBe(true);
    expect(github.requests.count(/full/)).toBe(calls);
    expect((await invalidate(service, 'full')).status).toBe(200);
    expect((await ask(service, 'full')).json['cached']).toBe(false);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect((await ask(service, 'roomy')).status).toBe(200);
    expect(await redis.command('EXISTS', ENTRY('roomy'))).toBe('1');
  });

  it('reads from it while it is a replica', async () => {
    const primary = ends(await RedisProcess.start());
    const replica = ends(await RedisProcess.start());
    const writer = await startService(primary.uri);
    await untilState(writer, 'up');
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port));
    expect((await ask(writer, 'copied')).status).toBe(200);
    await waitUntil(async () => (await replica.command('EXISTS', ENTRY('copied'))) === '1', { what: 'the copy' });
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
    const release = github.hold();
    const answer = ask(reader, 'changing');
    await waitUntil(() => github.inFlight === 1, { what: 'the load' });
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
    github.setAccount('changing', { publicRepos: old + 1 });
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
    await waitUntil(async () => (await redis.command('EXISTS', ENTRY(name))) === '1', { what: 'the entry' });
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    github.setAccount(name, { publicRepos: 77 });
    await waitUntil(async () => (await stale()).includes('"public_repos":77'), {
      what: 'the change',
    });
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
    await waitUntil(async () => (await redis.command('EXISTS', LEASE('granted'))) === '1', { what: 'the lease' });
    await proxy.cut();
    expect((await answer).status).toBe(200);
    await proxy.pass();
    await untilState(service, 'up');
    expect((await ask(service, 'granted')).status).toBe(200);
    expect(await redis.command('EXISTS', LEASE('granted'))).toBe('0');
  });

  it('leaves no lease behind whose load ended while the connection was broken', async () => {
    const redis = ends(await RedisProcess.start());
    const proxy = ends(await FaultProxy.start(redis.port));
    const service = await startService(proxy.uri, { CACHE_LEASE_MS: '60000' });
    await untilState(service, 'up');
    const release = github.hold();
    const answer = ask(service, 'loading');
    await waitUntil(() => github.inFlight === 1, { what: 'the load' });
    await proxy.cut();
    await untilState(service, 'degraded');
    release();
    expect((await answer).status).toBe(200);
    await proxy.pass();
    await untilState(service, 'up');
    expect((await ask(service, 'loading')).status).toBe(200);
    expect(await redis.command('EXISTS', LEASE('loading'))).toBe('0');
  });

  it.each([
    ['a text', ['SET', ENTRY('garbage'), 'text']],
    ['a list', ['RPUSH', ENTRY('garbage'), 'a', 'b']],
    ['a hash', ['HSET', ENTRY('garbage'), 'x', 'y', 'v', 'z']],
    ['a long text', ['SET', ENTRY('garbage'), '['.repeat(1_000_000)]],
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
      if (command[0] !== 'EVAL') await redis.command('DEL', ENTRY('garbage'));
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
    await redis.command('RPUSH', LEASE('odd'), 'x');
    expect((await ask(service, 'odd')).status).toBe(200);
    expect((await ask(service, 'odd')).json['cached']).toBe(true);
    expect((await invalidate(service, 'odd')).status).toBe(200);
    expect((await ask(service, 'odd')).json['cached']).toBe(false);
  });
});
