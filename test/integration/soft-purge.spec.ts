import type { InvalidationTarget } from '../../src/cache/store/cache-store';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { CacheReplica, VersionedOrigin, WrongClock, type Asking, type Got } from '../support/cache-replica';
import { RedisProcess } from '../support/redis-process';
import { RedisReplicas } from '../support/redis-replicas';
import { waitUntil } from '../support/wait-until';

const LIMITS = { maxBytes: 64 * 1024 * 1024, maxEntries: 10_000 };
const KEY = 'github:-:/users/u';
const TAG = 'account:u';
const asking: Asking = { key: KEY, tags: [TAG] };

type Way = (replica: CacheReplica, origin: VersionedOrigin, more?: Partial<Asking>) => Promise<Got>;
const WAYS: readonly (readonly [string, Way])[] = [
  ['the gateway', (replica, origin, more) => replica.throughGateway({ ...asking, ...more }, origin)],
  ['a route', (replica, origin, more) => replica.throughRoute({ ...asking, ...more }, origin)],
  ['a projection', (replica, origin, more) => replica.throughRoute({ ...asking, ...more, part: 'repos' }, origin)],
];
const TARGETS: readonly (readonly [string, InvalidationTarget])[] = [
  ['key', { kind: 'key', key: KEY }],
  ['tag', { kind: 'tag', tag: TAG }],
  ['prefix', { kind: 'prefix', prefix: 'github:-:/users' }],
  ['the tag of the upstream', { kind: 'tag', tag: 'upstream:github' }],
];

/** Two replicas; without Redis they are one process with one store. */
interface Deployment {
  readonly replicas: readonly [CacheReplica, CacheReplica];
  /** Until the second has heard of what the first has changed. */
  readonly heard: () => Promise<void>;
  readonly close: () => Promise<void>;
}

function inMemory(): Promise<Deployment> {
  const store = new MemoryStore(LIMITS, new WrongClock());
  const [one, two] = [new CacheReplica(store), new CacheReplica(store)];
  return Promise.resolve({ replicas: [one, two], heard: () => Promise.resolve(), close: () => store.close() });
}

function describeSoftPurge(name: string, open: () => Promise<Deployment>): void {
  describe(name, () => {
    let under: Deployment;
    let [one, two]: readonly (CacheReplica | undefined)[] = [];
    const origin = (): VersionedOrigin => new VersionedOrigin();

    beforeEach(async () => {
      under = await open();
      [one, two] = under.replicas;
    });
    afterEach(() => under.close());

    const both = (): [CacheReplica, CacheReplica] => [one as CacheReplica, two as CacheReplica];

    describe.each(WAYS)('%s', (_way, get) => {
      it.each(TARGETS)('loads again after each soft purge by %s, not after the first alone', async (_name, target) => {
        const [first, second] = both();
        const source = origin();
        expect(await get(first, source)).toMatchObject({ version: '1' });
        await waitUntil(async () => (await get(second, source)).outcome === 'HIT', { what: 'a hit' });
        for (let version = 2; version <= 4; version++) {
          source.version = version;
          expect(await first.cache.invalidate(target, 'stale')).toBeGreaterThan(0);
          expect((await get(first, source)).version).toBe(String(version));
          await under.heard();
          expect((await get(second, source)).version).toBe(String(version));
          await waitUntil(async () => (await get(first, source)).outcome === 'HIT', { what: 'a hit' });
          expect((await get(first, source)).version).toBe(String(version));
        }
      });

      it.each(TARGETS)(
        'joins no load that began before the soft purge by %s, here or elsewhere',
        async (_name, target) => {
          const [first, second] = both();
          const source = origin();
          await get(first, source);
          await waitUntil(async () => (await get(second, source)).outcome === 'HIT', { what: 'a hit' });
          await first.cache.invalidate(target, 'stale');
          await under.heard();
          const release = source.hold();
          source.version = 2;
          const before = [get(first, source), get(second, source)];
          await waitUntil(() => source.loads >= 2, { what: 'the load' });
          source.version = 3;
          await second.cache.invalidate(target, 'stale');
          await under.heard();
          const after = [get(first, source), get(second, source)];
          await waitUntil(() => source.loads >= 3, { what: 'a load after the soft purge' });
          release();
          await Promise.all(before);
          for (const answer of await Promise.all(after)) expect(answer.version).toBe('3');
          for (const replica of both()) expect((await get(replica, source)).version).toBe('3');
        },
      );

      it('serves what is soft-purged where the load fails', async () => {
        const [first] = both();
        const source = origin();
        await get(first, source);
        await first.cache.invalidate({ kind: 'tag', tag: TAG }, 'stale');
        source.read = () => Promise.reject(new Error('down'));
        expect(await get(first, source)).toEqual({ version: '1', outcome: 'STALE_ON_ERROR' });
      });
    });

    it('is not undone by a load in flight that rewrites the index for another field of Vary', async () => {
      const [first, second] = both();
      const source = origin();
      const [, get] = WAYS[0]!;
      await get(first, source, { accept: 'a' });
      await get(first, source, { accept: 'b' });
      source.headers = [...source.headers, ['vary', 'x-other']];
      const release = source.hold();
      const loading = get(first, source, { accept: 'c' });
      await waitUntil(() => source.loads === 3, { what: 'the load' });
      source.version = 2;
      await second.cache.invalidate({ kind: 'key', key: KEY }, 'stale');
      release();
      await loading;
      await under.heard();
      for (const accept of ['a', 'b', 'c'])
        for (const replica of both()) expect((await get(replica, source, { accept })).version).toBe('2');
    });

    it('covers a projection that is loaded during the purge', async () => {
      const [first, second] = both();
      const source = origin();
      const [[, gateway], , [, projection]] = [WAYS[0]!, WAYS[1]!, WAYS[2]!];
      await gateway(first, source);
      const release = source.hold();
      const loading = projection(first, source);
      await waitUntil(() => source.loads === 2, { what: 'the load' });
      source.version = 2;
      await second.cache.invalidate({ kind: 'tag', tag: TAG }, 'stale');
      release();
      await loading;
      await under.heard();
      for (const replica of both()) {
        expect((await projection(replica, source)).version).toBe('2');
        expect((await gateway(replica, source)).version).toBe('2');
      }
    });

    it('is shown to the operator', async () => {
      const [first] = both();
      const source = origin();
      await WAYS[0]![1](first, source);
      expect(await first.entries.inspect(KEY)).not.toHaveProperty('softPurgeMark');
      await first.cache.invalidate({ kind: 'key', key: KEY }, 'stale');
      expect(await first.entries.inspect(KEY)).toHaveProperty('softPurgeMark');
      await WAYS[0]![1](first, source);
      expect(await first.entries.inspect(KEY)).not.toHaveProperty('softPurgeMark');
    });
  });
}

describe('a soft purge', () => {
  describeSoftPurge('in memory', inMemory);

  describe('over Redis', () => {
    let redis: RedisProcess;
    let prefixes = 0;
    beforeAll(async () => {
      redis = await RedisProcess.start();
    });
    afterAll(() => redis.stop());

    const openWith = (wrongByMs: number) => async (): Promise<Deployment> => {
      const opened = new RedisReplicas();
      const keyPrefix = `s${++prefixes}`;
      const open = (clock: WrongClock): CacheReplica => opened.open(redis.uri, { keyPrefix, clock });
      const replicas = [open(new WrongClock()), open(new WrongClock(wrongByMs))] as const;
      const probe = new VersionedOrigin();
      let probes = 0;
      const heard = async (): Promise<void> => {
        // What one has stored last, the other has heard of last.
        for (const [from, to] of [replicas, [...replicas].reverse()] as [CacheReplica, CacheReplica][]) {
          const key = `probe:${++probes}`;
          const isCopied = async (): Promise<boolean> => {
            await to.throughRoute({ key, tags: [] }, probe);
            return to.store.peek(key) !== undefined;
          };
          await waitUntil(isCopied, { what: 'a copy' });
          await from.store.invalidate({ kind: 'key', key }, 'purge');
          await waitUntil(() => to.store.peek(key) === undefined, { what: 'the push' });
        }
      };
      await heard();
      return {
        replicas: [...replicas],
        heard,
        close: () => opened.close(),
      };
    };

    describeSoftPurge('with clocks that agree', openWith(0));
    describeSoftPurge('with a clock that is 3 s behind', openWith(-3_000));
    describeSoftPurge('with a clock that is 90 s ahead', openWith(90_000));
  });
});
