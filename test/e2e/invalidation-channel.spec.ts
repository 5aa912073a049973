import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask, start } from './ask';

const CHANNEL = 'larder:invalidate';

describe('invalidations by a message in Redis', () => {
  let redis: RedisProcess;
  let github: GithubSimulator;
  let replicas: readonly [ServiceProcess, ServiceProcess];

  const isCached = async (service: ServiceProcess, account: string): Promise<boolean> =>
    ((await ask(service, `/repos/${account}`)).json as { cached: boolean }).cached;
  const fill = async (account: string): Promise<void> => {
    for (const replica of replicas) {
      await isCached(replica, account);
      expect(await isCached(replica, account)).toBe(true);
    }
  };
  const counted = async (service: ServiceProcess, result: string): Promise<number> => {
    const { text } = await ask(service, '/metrics');
    const [, value] = new RegExp(`larder_invalidation_messages_total\\{result="${result}"\\} (\\d+)`).exec(text) ?? [];
    return Number(value);
  };
  /** Resolves when both replicas have counted one more such message. */
  const publish = async (message: string, result: string): Promise<void> => {
    const before = await Promise.all(replicas.map((replica) => counted(replica, result)));
    expect(await redis.command('PUBLISH', CHANNEL, message)).toBe('2');
    await waitUntil(
      async () => {
        const after = await Promise.all(replicas.map((replica) => counted(replica, result)));
        return after.every((count, at) => count === (before[at] ?? 0) + 1);
      },
      { what: `both replicas count a message as ${result}` },
    );
  };

  beforeAll(async () => {
    [redis, github] = await Promise.all([RedisProcess.start(), GithubSimulator.start({ latencyMs: 0 })]);
    const settings = { REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' };
    replicas = await Promise.all([start(github, settings), start(github, settings)]);
    await waitUntil(async () => (await redis.command('PUBSUB', 'NUMSUB', CHANNEL)).includes('2'), {
      what: 'both replicas listen',
    });
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await Promise.all([redis.stop(), github.stop()]);
  });

  it.each([
    ['an account', { accounts: ['Redis'] }],
    ['a tag', { tags: ['profile:redis'] }],
    ['a tag in another case', { tags: ['Profile:Redis'] }],
    ['a prefix', { prefixes: ['github:'] }],
    ['everything at once', { keys: ['no:such'], tags: ['no:tag'], accounts: ['redis'], prefixes: ['no'] }],
  ])('removes what a message names: %s', async (_what, message) => {
    await fill('redis');
    await publish(JSON.stringify(message), 'done');
    expect(await isCached(replicas[0], 'redis')).toBe(false);
  });

  it('makes up for everything that a message names, where Redis does not confirm the first of it', async () => {
    const accounts = ['redis', 'nodejs', 'nestjs'];
    for (const account of accounts) await fill(account);
    const failed = await Promise.all(replicas.map((replica) => counted(replica, 'failed')));
    const connection = await redis.connect();
    await connection.send('MULTI');
    await connection.send('PUBLISH', CHANNEL, JSON.stringify({ accounts }));
    await connection.send('CLIENT', 'PAUSE', '3000', 'ALL');
    await connection.send('EXEC');
    connection.close();
    for (const [at, replica] of replicas.entries()) {
      await waitUntil(async () => (await counted(replica, 'failed')) === (failed[at] ?? 0) + 1, {
        what: 'the failure',
      });
      await waitUntil(async () => (await ask(replica, '/health')).text.includes('"state":"up"'), { what: 'Redis' });
    }
    for (const account of accounts) expect(await isCached(replicas[0], account)).toBe(false);
  });

  it('leaves what a message does not name', async () => {
    await fill('nodejs');
    await publish(JSON.stringify({ accounts: ['redis'] }), 'done');
    expect(await isCached(replicas[1], 'nodejs')).toBe(true);
  });

  it.each([
    ['no JSON', 'account=redis'],
    ['nothing', ''],
    ['an array', '["redis"]'],
    ['nothing named', '{"accounts":[]}'],
    ['another member', '{"accounts":["redis"],"all":true}'],
    ['a prototype', '{"__proto__":{"accounts":["redis"]},"accounts":["redis"]}'],
    ['a constructor', '{"constructor":{"prototype":{"polluted":true}},"accounts":["redis"]}'],
    ['numbers', '{"accounts":[1]}'],
    ['a million tags', JSON.stringify({ tags: Array.from({ length: 1_000_000 }, (_, at) => `t${at}`) })],
    ['10 MB', JSON.stringify({ accounts: ['redis'], tags: ['x'.repeat(10_000_000)] })],
    ['a nest of arrays', '['.repeat(100_000)],
  ])('counts and ignores a message of %s', async (_what, message) => {
    await fill('redis');
    await publish(message, 'malformed');
    for (const replica of replicas) expect(await isCached(replica, 'redis')).toBe(true);
  });

  it('listens again after its connection was cut', async () => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await waitUntil(async () => (await redis.command('PUBSUB', 'NUMSUB', CHANNEL)).includes('2'), {
      what: 'both replicas listen again',
    });
    await fill('redis');
    await publish('{"accounts":["redis"]}', 'done');
    expect(await isCached(replicas[0], 'redis')).toBe(false);
  });
});
