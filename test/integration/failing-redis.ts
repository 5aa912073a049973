import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { health } from './clients';

const ADMIN = { authorization: 'Bearer test-admin-token' };
/** So long that a slow machine is no outage. */
export const COMMAND_TIMEOUT_MS = 1_000;
export const entryKey = (name: string) => `larder:v4:e:{github:-:/users/${name}}`;
export const leaseKey = (name: string) => `larder:v4:l:{github:-:/users/${name}}|repos`;

/** Services whose Redis fails, for the tests of a block: in front of one simulator, and stopped after each test. */
export function useFailingRedis() {
  const under = {} as { github: GithubSimulator };
  const opened: { stop(): unknown }[] = [];

  beforeAll(async () => {
    under.github = await GithubSimulator.start({ latencyMs: 2, rateLimit: { anonymous: 1_000_000_000 } });
  });
  afterAll(() => under.github.stop());
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
          GITHUB_API_URL: under.github.url,
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

  return { under, ends, startService, untilState, untilTriedAgain, entryOf, invalidate };
}
