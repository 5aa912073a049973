import type { InvalidationMode, InvalidationTarget } from '../../src/cache/store/cache-store';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { SystemClock } from '../../src/kernel/clock';
import { AppError } from '../../src/kernel/app-error';
import { CacheReplica, VersionedOrigin } from '../support/cache-replica';
import { RedisProcess } from '../support/redis-process';
import { RedisReplicas } from '../support/redis-replicas';
import { waitUntil } from '../support/wait-until';

const limits = { maxBytes: 16_777_216, maxEntries: 1_000 };
const asking = { key: 'github:-:/users/u', tags: ['upstream:github', 'account:u'] };

const PURGES: readonly (readonly [string, InvalidationTarget, InvalidationMode])[] = [
  ['a purge by tag', { kind: 'tag', tag: 'account:u' }, 'purge'],
  ['a soft purge by tag', { kind: 'tag', tag: 'account:u' }, 'stale'],
  ['a purge by the tag of the upstream', { kind: 'tag', tag: 'upstream:github' }, 'purge'],
  ['a purge by key', { kind: 'key', key: asking.key }, 'purge'],
  ['a purge by prefix', { kind: 'prefix', prefix: 'github:-:/users/' }, 'purge'],
];

class FailingOrigin extends VersionedOrigin {
  override read(): Promise<string> {
    this.loads += 1;
    return Promise.reject(new AppError('upstream-unreachable', 'down'));
  }
}

const WAYS = [
  ['the gateway', (replica: CacheReplica, origin: VersionedOrigin) => replica.throughGateway(asking, origin)],
  ['a route', (replica: CacheReplica, origin: VersionedOrigin) => replica.throughRoute(asking, origin)],
] as const;

/** @param open one replica, or several of which the first purges */
function describePurgedLoads(open: () => Promise<readonly CacheReplica[]>): void {
  describe.each(WAYS)('%s', (_way, get) => {
    it.each(PURGES)(
      'after %s of a URL that is being loaded for the first time, no request waits for that load',
      async (_what, target, mode) => {
        const replicas = await open();
        const [first] = replicas;
        const slow = new VersionedOrigin();
        const release = slow.hold();
        const early = get(first!, slow);
        await waitUntil(() => slow.loads === 1, { what: 'the load' });
        const now = new VersionedOrigin();
        now.version = 2;
        await first!.store.invalidate(target, mode);
        for (const replica of replicas) {
          expect((await get(replica, now)).version).toBe('2'); // the first load is still held
        }
        expect(now.loads).toBe(1);
        release();
        expect((await early).version).toBe('1');
        for (const replica of replicas) expect((await get(replica, now)).version).toBe('2');
      },
    );

    it.each(PURGES)('after %s the next request is not given the failure of before', async (_what, target, mode) => {
      const replicas = await open();
      const failing = new FailingOrigin();
      const isRefusedUnasked = async (): Promise<boolean> => {
        const before = failing.loads;
        await expect(get(replicas[0]!, failing)).rejects.toThrow();
        return failing.loads === before;
      };
      await waitUntil(isRefusedUnasked, { what: 'the pause of the key' });
      for (const replica of replicas) await expect(get(replica, failing)).rejects.toThrow();
      const now = new VersionedOrigin();
      await replicas[0]!.store.invalidate(target, mode);
      for (const replica of [...replicas].reverse()) expect((await get(replica, now)).version).toBe('1');
      expect(now.loads).toBe(1);
    });
  });
}

describe('in memory', () => {
  describePurgedLoads(() => Promise.resolve([new CacheReplica(new MemoryStore(limits, new SystemClock()))]));
});

describe('on two replicas over one Redis', () => {
  let redis: RedisProcess;
  const replicas = new RedisReplicas();
  beforeEach(async () => {
    redis = await RedisProcess.start();
  });
  afterEach(async () => {
    await replicas.close();
    await redis.stop();
  });

  describePurgedLoads(async () => [await replicas.openReady(redis.uri), await replicas.openReady(redis.uri)]);
});
