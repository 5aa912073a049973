import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../../test/support/redis-process';
import { bareHttp } from '../sides/node-sides';
import type { Surroundings } from '../sides/side';

export interface Started extends Surroundings {
  readonly redis: RedisProcess;
  readonly simulator: GithubSimulator;
  /** The same, with another freshness. */
  fresh(ttlSeconds: number): Surroundings;
  stop(): Promise<void>;
}

/** Starts what all the sides share: Redis and the simulator on the load generator's core, the origin on the servers'. */
export async function startSurroundings(latencyMs = 0): Promise<Started> {
  const simulator = await GithubSimulator.start({ latencyMs, rateLimit: { anonymous: 1e9 } });
  const redis = await RedisProcess.start();
  const around = { redisUri: redis.uri, upstreamUrl: simulator.url, originUrl: '', ttlSeconds: 3_600 };
  const origin = await bareHttp.start(around);
  const all: Surroundings = { ...around, originUrl: origin.url };
  return {
    ...all,
    redis,
    simulator,
    fresh: (ttlSeconds) => ({ ...all, ttlSeconds }),
    async stop() {
      await origin.stop();
      await redis.stop();
      await simulator.stop();
    },
  };
}
