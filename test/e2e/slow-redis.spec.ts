import { randomBytes } from 'node:crypto';
import { FaultProxy } from '../support/fault-proxy';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';

const BODY = randomBytes(8_000_000);

describe('a large body on a slow network to Redis', () => {
  it('is loaded once: the lease outlasts the time that renewals wait behind it', async () => {
    const [origin, redis] = await Promise.all([ScriptedOrigin.start(), RedisProcess.start()]);
    origin.answerBy((response) => {
      response.writeHead(200, { 'cache-control': 'max-age=600', 'content-type': 'application/octet-stream' }).end(BODY);
    });
    const proxy = await FaultProxy.start(redis.port);
    const env = {
      ...{ GITHUB_API_URL: origin.url, CACHE_MAX_ENTRY_BYTES: '20000000' },
      ...{ REDIS_COMMAND_TIMEOUT_MS: '20000', CACHE_LEASE_MS: '500', REQUEST_DEADLINE_MS: '60000' },
    };
    const start = (REDIS_ENDPOINT_URI: string) => ServiceProcess.start({ env: { ...env, REDIS_ENDPOINT_URI } });
    const [slow, other] = await Promise.all([start(proxy.uri), start(redis.uri)]);
    try {
      await Promise.all([slow.untilRedisIsUp(), other.untilRedisIsUp()]);
      await proxy.dribble(20_000, 5); // the body takes two seconds
      const first = await request(`${slow.url}/github/large`);
      const second = await request(`${other.url}/github/large`);
      expect([first.status, second.status]).toEqual([200, 200]);
      expect(second.body.equals(BODY)).toBe(true);
      expect(origin.hits).toHaveLength(1);
    } finally {
      await Promise.all([slow.stop(), other.stop()]);
      await proxy.stop();
      await redis.stop();
      await origin.stop();
    }
  });
});
