import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/cache/store/store.factory';
import { SystemClock } from '../../src/kernel/clock';
import type { RedisSettings } from '../../src/redis/redis-client-options';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { anEntry, fillUnder } from '../../testing/store-contract';
import { RedisCluster } from '../support/redis-cluster';
import { RedisProcess } from '../support/redis-process';
import { RedisSentinelSet } from '../support/redis-sentinel';
import { TlsAuthority } from '../support/tls-authority';
import { waitUntil } from '../support/wait-until';

const limits = { maxBytes: 10_000_000, maxEntries: 10_000 };

const opened: { stop(): unknown }[] = [];

/** Is stopped after the test, however it ends. */
function ends<T extends { stop(): unknown }>(started: T): T {
  opened.push(started);
  return started;
}

afterEach(async () => {
  for (const started of opened.splice(0).reverse()) await started.stop();
});

function open(uri: string, more: Partial<RedisSettings> = {}) {
  const settings = {
    endpoint: parseRedisEndpoint(uri),
    keyPrefix: 'larder',
    commandTimeoutMs: 2_000,
    tls: {},
    ...more,
  };
  const { store, link } = openStore({ redis: settings, port: undefined }, limits, new SystemClock());
  ends({ stop: () => store.close() });
  const isUp = () => link?.isUp === true;
  const cachedLocally = async (key: string) => {
    await waitUntil(async () => (await store.find(key)) !== undefined && store.peek(key) !== undefined, {
      what: `${key} in memory`,
    });
  };
  return {
    store,
    link,
    isUp,
    cachedLocally,
    untilUp: () => waitUntil(isUp, { what: `the link to ${uri}` }),
  };
}

async function roundTrip(uri: string, more: Partial<RedisSettings> = {}): Promise<void> {
  const one = open(uri, more);
  await one.untilUp();
  await fillUnder(one.store, 'k', anEntry({ tags: ['t'] }));
  await one.cachedLocally('k');
  expect(await one.store.invalidate({ kind: 'tag', tag: 't' }, 'purge')).toBe(1);
  expect(await one.store.find('k')).toBeUndefined();
  expect(await one.store.invalidate({ kind: 'prefix', prefix: '' }, 'purge')).toBe(0);
}

describe('TLS', () => {
  it('takes an authority of its own and a client certificate, and no other authority', async () => {
    const [authority, stranger] = await Promise.all([TlsAuthority.create(), TlsAuthority.create()]);
    const redis = ends(
      await RedisProcess.start({
        tls: { caFile: authority.caFile, certFile: authority.certFile, keyFile: authority.keyFile, authClients: true },
      }),
    );
    const tls = { caFile: authority.caFile, certFile: authority.clientCertFile, keyFile: authority.clientKeyFile };
    await roundTrip(redis.uri, { tls });
    const refused = open(redis.uri, { tls: { ...tls, caFile: stranger.caFile } });
    await waitUntil(() => /certificate/.test(refused.link?.problem ?? ''), { what: 'the refusal' });
    expect(refused.isUp()).toBe(false);
    authority.remove();
    stranger.remove();
  });
});

describe('ACL', () => {
  it('needs no more than the line of docs/reference/redis-keys.md', async () => {
    const page = readFileSync(join(__dirname, '../../docs/reference/redis-keys.md'), 'utf8');
    const [, rules = ''] = /ACL SETUSER larder (.+)/.exec(page) ?? [];
    const redis = ends(await RedisProcess.start());
    await redis.command('ACL', 'SETUSER', 'larder', ...rules.split(' '));
    await roundTrip(redis.uri, { username: 'larder', password: 'secret' });
    expect(await redis.command('ACL', 'LOG')).toBe('');
  });
});

describe('a password', () => {
  it('that is wrong is reported, and heals when it is corrected', async () => {
    const redis = ends(await RedisProcess.start({ password: 'right' }));
    const one = open(redis.uri, { password: 'wrong' });
    await waitUntil(() => /WRONGPASS/.test(one.link?.problem ?? ''), { what: 'the refusal' });
    await redis.rotatePassword('wrong');
    await one.untilUp();
  });
});

describe('Sentinel', () => {
  it('is followed through a failover, tracking and all', async () => {
    const set = ends(await RedisSentinelSet.start());
    const [one, two] = [open(set.uri), open(set.uri)];
    await Promise.all([one.untilUp(), two.untilUp()]);
    await fillUnder(one.store, 'before', anEntry());
    await set.killPrimary();
    await waitUntil(() => !one.isUp() && !two.isUp(), { what: 'the loss' });
    await set.waitForFailover();
    await Promise.all([one.untilUp(), two.untilUp()]);
    await fillUnder(one.store, 'after', anEntry());
    await two.cachedLocally('after');
    await one.store.invalidate({ kind: 'key', key: 'after' }, 'purge');
    await waitUntil(() => two.store.peek('after') === undefined, { what: 'the push of the new primary' });
    expect(await two.store.find('after')).toBeUndefined();
  }, 180_000);
});

describe('a Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 180_000);
  afterAll(() => cluster.stop());

  it('is followed when a slot moves', async () => {
    const [one, two] = [open(cluster.uri), open(cluster.uri)];
    await Promise.all([one.untilUp(), two.untilUp()]);
    await fillUnder(one.store, 'moving', anEntry());
    await two.cachedLocally('moving');
    await cluster.moveSlotOf('larder:v4:e:{moving}');
    await waitUntil(async () => (await one.store.find('moving')) !== undefined, { what: 'the entry where it is now' });
    await two.cachedLocally('moving');
    expect(await one.store.invalidate({ kind: 'key', key: 'moving' }, 'purge')).toBe(1);
    await waitUntil(() => two.store.peek('moving') === undefined, { what: 'the push of the new owner' });
  }, 180_000);

  it('is followed through the loss of a primary, tracking and all', async () => {
    const [one, two] = [open(cluster.uri), open(cluster.uri)];
    await Promise.all([one.untilUp(), two.untilUp()]);
    await cluster.killPrimaryFor('larder:v4:e:{k}');
    await waitUntil(() => !one.isUp() && !two.isUp(), { what: 'the loss' });
    await expect(one.store.invalidate({ kind: 'prefix', prefix: '' }, 'purge')).rejects.toThrow();
    await cluster.waitForFailover();
    await Promise.all([one.untilUp(), two.untilUp()]);
    await fillUnder(one.store, 'k', anEntry());
    await two.cachedLocally('k');
    await one.store.invalidate({ kind: 'key', key: 'k' }, 'purge');
    await waitUntil(() => two.store.peek('k') === undefined, { what: 'the push of the new primary' });
  }, 180_000);
});

describe('twenty thousand entries under one tag', () => {
  it('go in small steps, one key a command, and leave nothing behind', async () => {
    const redis = ends(await RedisProcess.start());
    const one = open(redis.uri, { commandTimeoutMs: 20_000 });
    await one.untilUp();
    const body = Buffer.from('{}');
    for (let batch = 0; batch < 80; batch++) {
      const names = Array.from({ length: 250 }, (_, at) => `many:${batch}:${at}`);
      await Promise.all(names.map((name) => one.store.put(name, anEntry({ tags: ['account:many'], body }))));
    }
    await redis.command('CONFIG', 'RESETSTAT');
    expect(await one.store.invalidate({ kind: 'tag', tag: 'account:many' }, 'purge')).toBe(20_000);
    const stats = await redis.command('INFO', 'commandstats');
    const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(calls('unlink')).toBe(40_001); // lease and entry of each, and the notice of the tag
    expect(calls('zscan')).toBeGreaterThan(20);
    expect(['keys', 'flushdb', 'del', 'zrange'].map(calls)).toEqual([0, 0, 0, 0]);
    expect(await redis.cli('--scan', '--pattern', 'larder:v4:[et]:*')).toBe('');
  }, 240_000);
});
