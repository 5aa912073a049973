import { openStore } from '../../src/cache/store.factory';
import { SystemClock } from '../../src/kernel/clock';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import type { RedisSettings } from '../../src/redis/redis-client-options';
import { describeStore, type StoreUnderTest } from '../contract/store-contract';
import { RedisCluster } from '../support/redis-cluster';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

const limits = { maxBytes: 64 * 1024 * 1024, maxEntries: 100_000 };
let prefixes = 0;

async function openRedisStore(uri: string): Promise<StoreUnderTest> {
  const settings: RedisSettings = {
    endpoint: parseRedisEndpoint(uri),
    keyPrefix: `t${++prefixes}`,
    commandTimeoutMs: 10_000, // no Redis is frozen here: a slow machine is no outage
    tls: {},
  };
  const { store, link } = openStore({ redis: settings, port: undefined }, limits, new SystemClock());
  await waitUntil(() => link?.isUp === true, { what: `the link to ${uri}` });
  return { store, close: () => store.close() };
}

describe('one Redis', () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  describeStore('TieredStore over Redis', () => openRedisStore(redis.uri));
});

describe('a Redis Cluster of six', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  describeStore('TieredStore over a Cluster', () => openRedisStore(cluster.uri));
});
