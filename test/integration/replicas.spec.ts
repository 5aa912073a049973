import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const ADMIN = { authorization: 'Bearer test-admin-token' };

describe('three replicas on one Redis', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let replicas: ServiceProcess[];

  const startReplica = async (leaseMs = 30_000) => {
    const service = await ServiceProcess.start({
      env: {
        GITHUB_API_URL: github.url,
        REDIS_ENDPOINT_URI: redis.uri,
        ADMIN_TOKEN: 'test-admin-token',
        REDIS_COMMAND_TIMEOUT_MS: '2000',
        CACHE_LEASE_MS: String(leaseMs),
        LOG_LEVEL: 'warn',
      },
    });
    await waitUntil(async () => (await request(`${service.url}/health`)).body.includes('"state":"up"'), {
      what: 'Redis',
    });
    return service;
  };

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 1_000_000 } });
    redis = await RedisProcess.start();
    replicas = await Promise.all([startReplica(), startReplica(), startReplica()]);
  }, 180_000);
  beforeEach(() => github.requests.reset());
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await redis.stop();
    await github.stop();
  });

  const get = async (replica: ServiceProcess, name: string) => {
    const { status, headers, body } = await request(`${replica.url}/repos/${name}`);
    return {
      status,
      cacheStatus: String(headers['cache-status']),
      json: JSON.parse(body.toString()) as Record<string, unknown>,
    };
  };
  const fromMemory = async (replica: ServiceProcess, name: string) => {
    await waitUntil(async () => (await get(replica, name)).cacheStatus.includes('HIT/l1'), {
      what: `${name} in memory`,
    });
  };

  it('answer 600 concurrent requests for a cold key with one call', async () => {
    const release = github.hold();
    const answers = replicas.flatMap((replica) => Array.from({ length: 200 }, () => get(replica, 'cold')));
    await waitUntil(() => github.inFlight === 1, { what: 'the call' });
    release();
    const settled = await Promise.all(answers);
    expect(settled.map(({ status }) => status)).toEqual(Array(600).fill(200));
    expect(github.requests.count()).toBe(1);
    expect(settled.filter(({ cacheStatus }) => /detail=MISS\//.test(cacheStatus))).toHaveLength(1);
  });

  it('serve nothing that was purged while they stood still', async () => {
    const [first, second] = replicas as [ServiceProcess, ServiceProcess];
    const names = Array.from({ length: 20 }, (_, at) => `still${at}`);
    await Promise.all(names.map((name) => get(second, name)));
    await Promise.all(names.map((name) => fromMemory(second, name)));
    const before = github.requests.count();
    await second.freeze();
    try {
      for (const name of names) {
        const path = `/admin/cache/accounts/${name}`;
        const purge = await request(`${first.url}${path}`, { method: 'DELETE', headers: ADMIN });
        expect(purge.status).toBe(200);
      }
      // Longer than a silence after which a connection is given up.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const answers = names.map((name) => get(second, name));
      await new Promise((resolve) => setTimeout(resolve, 100));
      second.thaw();
      for (const { status, cacheStatus } of await Promise.all(answers)) {
        expect(status).toBe(200);
        expect(cacheStatus).toMatch(/fwd=/);
      }
    } finally {
      second.thaw();
    }
    expect(github.requests.count()).toBe(before + names.length);
  });

  it('share one failure between all waiting requests', async () => {
    github.faults.next(1, { kind: 'status', status: 500 });
    const release = github.hold();
    const answers = replicas.flatMap((replica) => Array.from({ length: 20 }, () => get(replica, 'failing')));
    await waitUntil(() => github.inFlight === 1, { what: 'the call' });
    for (const { url } of replicas) await request(`${url}/health/live`); // answered after those have come
    release();
    const settled = await Promise.all(answers);
    const failed = settled.filter(({ status }) => status === 502);
    expect(failed.length).toBeGreaterThanOrEqual(20);
    expect(github.requests.count()).toBeLessThanOrEqual(2);
    expect((await get(replicas[0]!, 'failing')).status).toBe(200);
  });

  it('replace a leader that is killed in mid-load, with at most one call more', async () => {
    const doomed = await startReplica(500);
    const release = github.hold();
    const lost = get(doomed, 'orphan').then(
      () => 'answered',
      () => 'lost',
    );
    await waitUntil(() => github.inFlight === 1, { what: 'the call of the leader' });
    const answers = replicas.flatMap((replica) => Array.from({ length: 50 }, () => get(replica, 'orphan')));
    doomed.kill('SIGKILL');
    expect(await lost).toBe('lost');
    await waitUntil(() => github.requests.count() === 2, { what: 'the call of the next leader' });
    release();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(150).fill(200));
    expect(github.requests.count()).toBe(2);
  });

  it('replace a leader that hangs, whose late answer does not overwrite the next one', async () => {
    const frozen = await startReplica(500);
    const release = github.hold();
    const late = get(frozen, 'hanging');
    await waitUntil(() => github.inFlight === 1, { what: 'the call of the leader' });
    await frozen.freeze();
    const next = get(replicas[0]!, 'hanging');
    await waitUntil(() => github.requests.count() === 2, { what: 'the call of the next leader' });
    release();
    expect((await next).status).toBe(200);
    const id = await redis.command('GETRANGE', 'larder:v4:e:{github:-:/users/hanging}', '0', '11');
    expect(id).toMatch(/^[\w-]{12}$/);
    frozen.thaw();
    expect((await late).status).toBe(200);
    expect(await redis.command('GETRANGE', 'larder:v4:e:{github:-:/users/hanging}', '0', '11')).toBe(id);
    await frozen.stop();
  });

  const changes: [string, (name: string) => Promise<unknown>][] = [
    [
      'an invalidation on another replica',
      (name) => request(`${replicas[0]!.url}/admin/cache/accounts/${name}`, { method: 'DELETE', headers: ADMIN }),
    ],
    ['redis-cli DEL', (name) => redis.cli('DEL', `larder:v4:e:{github:-:/users/${name}}`)],
    ['FLUSHDB', () => redis.command('FLUSHDB')],
    ['an expiry', (name) => redis.command('PEXPIRE', `larder:v4:e:{github:-:/users/${name}}`, '1')],
  ];

  it.each(changes)('drop their copies in memory at %s', async (what, change) => {
    const name = what.replace(/[^a-z]/gi, '').toLowerCase();
    for (const replica of replicas) await fromMemory(replica, name);
    const old = Number((await get(replicas[1]!, name)).json['repos']);
    github.setAccount(name, { publicRepos: old + 1 });
    await change(name);
    for (const replica of replicas) {
      await waitUntil(async () => (await get(replica, name)).json['repos'] === old + 1, { what: 'the new value' });
    }
  });

  it('cause no Redis command for a hit in memory', async () => {
    await fromMemory(replicas[0]!, 'quiet');
    const reads = async (): Promise<number> => {
      const calls = (await redis.command('INFO', 'commandstats')).matchAll(
        /cmdstat_(?:get|getrange|eval|evalsha):calls=(\d+)/g,
      );
      return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const first = await reads();
    await get(replicas[0]!, 'never-asked-for');
    const before = await reads();
    expect(before).toBeGreaterThan(first); // what is not in memory is read by one of these commands
    for (let at = 0; at < 100; at++) expect((await get(replicas[0]!, 'quiet')).cacheStatus).toContain('HIT/l1');
    expect(await reads()).toBeLessThan(before + 50);
  });

  it('do not let an invalidated load come back, with any order of replicas', async () => {
    const release = github.hold();
    const before = get(replicas[0]!, 'raced');
    await waitUntil(() => github.inFlight === 1, { what: 'the call' });
    const old = Number(github.catalogue.account('raced')?.publicRepos);
    github.setAccount('raced', { publicRepos: old + 1 }); // the answer under way was read before
    await request(`${replicas[1]!.url}/admin/cache/accounts/raced`, { method: 'DELETE', headers: ADMIN });
    release();
    expect((await before).json['repos']).toBe(old);
    for (const replica of replicas) expect((await get(replica, 'raced')).json['repos']).toBe(old + 1);
  });

  it('keep an entry for its stale windows after a soft invalidation, and validate it', async () => {
    await fromMemory(replicas[0]!, 'soft');
    const body = JSON.stringify({ tags: ['account:soft'], mode: 'stale' });
    await request(`${replicas[1]!.url}/admin/cache/invalidations`, {
      method: 'POST',
      headers: { ...ADMIN, 'content-type': 'application/json' },
      body,
    });
    expect((await get(replicas[0]!, 'soft')).cacheStatus).toContain('fwd=stale; fwd-status=304');
    expect(github.requests.all().at(-1)?.status).toBe(304);
  });
});
