import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../../test/support/redis-process';
import { freePort } from '../../test/support/free-port';
import { TlsAuthority } from '../../test/support/tls-authority';
import { bareHttp } from '../sides/node-sides';
import type { Surroundings } from '../sides/side';
import { GENERATOR_CORE } from './options';
import { startServer, type RunningServer } from './server-process';

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
  const tls = await TlsAuthority.create();
  const around = { redisUri: redis.uri, upstreamUrl: simulator.url, originUrl: '', ttlSeconds: 3_600, tls };
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
      tls.remove();
    },
  };
}

/** A simulator in a process of its own on the load generator's core: who asks it directly waits for another process, as a server does. */
export async function startUpstream(): Promise<RunningServer> {
  const port = await freePort();
  const env = { SIMULATOR_PORT: String(port), SIMULATOR_LATENCY_MS: '0', SIMULATOR_RATE_LIMIT: '1000000000' };
  const args = [join(__dirname, '../../simulator/main.js')];
  return startServer({ command: process.execPath, args, port, env, cores: String(GENERATOR_CORE) });
}
