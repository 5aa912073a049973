import { StoreUnavailableError, type Found, type StoreChange } from '../../src/cache/store/cache-store';
import { HttpCache } from '../../src/cache/engine/http-cache';
import type { HttpCacheRequest, OriginResponse } from '../../src/cache/model/exchange';
import { CacheInvalidator } from '../../src/cache/engine/cache-invalidator';
import { Loader } from '../../src/cache/engine/loader';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { StoredEntries } from '../../src/cache/engine/stored-entries';
import { TieredStore } from '../../src/cache/store/tiered-store';
import { waitUntil } from '../support/wait-until';
import { chaosStore, randomTurns, type Disturbance } from './chaos-store';
import { ManualClock, SystemClock } from '../../src/kernel/clock';
import { anEntry, asking, describeStore, leaseOf } from '../../testing/store-contract';

const limits = { maxBytes: 256 * 1024 * 1024, maxEntries: 100_000 };

describeStore('MemoryStore', () => {
  const store = new MemoryStore(limits, new SystemClock());
  return Promise.resolve({ store, close: () => store.close() });
});

describe('a lease in memory', () => {
  const clock = new ManualClock();
  let store: MemoryStore;
  beforeEach(() => (store = new MemoryStore(limits, clock)));
  afterEach(() => store.close());

  it('is waited for on after the process stood still for longer than a load may take', async () => {
    const lease = await leaseOf(store, 'k', { leaseMs: 60_000 });
    const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 1_000, pollMs: 20 });
    const waiting = loader.underLease({ key: 'k', tags: [] }, undefined, () => Promise.resolve());
    const outcome = waiting.then(
      (found) => typeof found,
      (error: unknown) => String(error),
    );
    await new Promise(setImmediate);
    clock.advance(5_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await store.fill(lease, aFreshEntry());
    expect(await outcome).toBe('object');
  });

  it('is still its holder’s after its time, until another is granted it: a process that stood still could not renew it', async () => {
    const lease = await leaseOf(store, 'k', { leaseMs: 1_000 });
    clock.advance(5_000);
    expect(await store.fill(lease, aFreshEntry())).toBe(true);
  });

  it('is nobody’s any more when what began before it is invalidated after its time', async () => {
    const lease = await leaseOf(store, 'k', { leaseMs: 1_000 });
    clock.advance(5_000);
    await store.invalidate({ kind: 'key', key: 'k' }, 'purge');
    expect(await store.fill(lease, aFreshEntry())).toBe(false);
  });

  it.each([0, 20_000])(
    'of a load of ten minutes stores nothing that was invalidated, %i invalidations ago',
    async (count) => {
      const lease = await leaseOf(store, 'k', { leaseMs: 1_000_000, tags: ['account:k'] });
      await store.invalidate({ kind: 'tag', tag: 'account:k' }, 'purge');
      clock.advance(600_000);
      for (let at = 0; at <= count; at++) await store.invalidate({ kind: 'tag', tag: `account:${at}` }, 'purge');
      expect(await store.fill(lease, aFreshEntry({ tags: ['account:k'] }))).toBe(false);
    },
  );

  it('of a load that began in between stores, however many invalidations there were', async () => {
    for (let at = 0; at < 20_000; at++) await store.invalidate({ kind: 'tag', tag: `account:${at}` }, 'purge');
    const lease = await leaseOf(store, 'k');
    await store.invalidate({ kind: 'tag', tag: 'account:1' }, 'purge');
    expect(await store.fill(lease, aFreshEntry())).toBe(true);
  });

  const aFreshEntry = (more: Parameters<typeof anEntry>[0] = {}) =>
    anEntry({ freshUntil: clock.now() + 60_000, storedAt: clock.now(), ...more });
});

/** A shared store that is always heard: the memory store plays L2. */
class HeardMemoryStore extends MemoryStore {
  readonly isCoherent = true;
}

describeStore('TieredStore over a store in memory', () => {
  const clock = new SystemClock();
  const store = new TieredStore(limits, new HeardMemoryStore(limits, clock), clock);
  return Promise.resolve({ store, close: () => store.close() });
});

it('a tiered store gives the lease of a miss to one of a thousand callers, which continues first', async () => {
  const clock = new SystemClock();
  const store = new TieredStore(limits, new HeardMemoryStore(limits, clock), clock);
  const order: string[] = [];
  const look = async (): Promise<void> => {
    const { found, lease } = { lease: undefined, ...(await store.findOrAcquire(asking('k'))) };
    order.push(found ? 'found' : (lease?.kind ?? 'none'));
  };
  await Promise.all(Array.from({ length: 1_000 }, look));
  expect([order[0], new Set(order.slice(1))]).toEqual(['granted', new Set(['none'])]);
  await store.close();
});

it('a tiered store gives the result of no earlier read once a fill was refused', async () => {
  const clock = new SystemClock();
  const l2 = new (class extends HeardMemoryStore {
    gate = Promise.resolve();
    /** Its pushes come later than all that is asked here. */
    override onChange(): void {}
    override async find(key: string): Promise<Found | undefined> {
      const { gate } = this;
      const found = await super.find(key);
      await gate;
      return found;
    }
  })(limits, clock);
  const store = new TieredStore(limits, l2, clock);
  const changes: StoreChange[] = [];
  store.onChange((change) => changes.push(change));
  const lease = await leaseOf(store, 'k', { selection: 'a' });
  let release = (): void => undefined;
  l2.gate = new Promise((resolve) => (release = resolve));
  const early = store.find('k');
  l2.gate = Promise.resolve();
  await l2.fill(await leaseOf(l2, 'k', { selection: 'b' }), anEntry());
  expect(await store.fill(lease, anEntry())).toBe(false);
  expect(changes).toEqual([{ kind: 'lease', key: 'k' }]); // a layer above that shares reads forgets them
  expect(await store.find('k')).toBeDefined();
  release();
  expect(await early).toBeUndefined();
});

describeStore('MemoryStore behind chaos', () => {
  const store = chaosStore(new MemoryStore(limits, new SystemClock()), randomTurns(Math.random));
  return Promise.resolve({ store, close: () => store.close() });
});

describe('a cache on a store that fails', () => {
  const failing = (...operations: string[]): Disturbance => {
    const broken = new Set(operations);
    return (operation) =>
      broken.has(operation) ? Promise.reject(new StoreUnavailableError('down')) : Promise.resolve();
  };
  const open = (disturb: Disturbance, leaseMs = 1_000) => {
    const clock = new SystemClock();
    const store = chaosStore(new MemoryStore(limits, clock), disturb);
    const loader = new Loader(store, clock, { leaseMs, loadTimeoutMs: 1_000, pollMs: 5 });
    const waits = { deadlineMs: 1_000, staleAfterMs: 1_000, maxEntryBytes: 1_000 };
    const cache = new HttpCache(store, loader, clock, {
      ...waits,
      retainForRevalidationMs: 0,
      selecting: [],
      isOriginNeutral: true,
    });
    return { cache, invalidator: new CacheInvalidator(store), entries: new StoredEntries(store, clock) };
  };
  const request: HttpCacheRequest = {
    ...{ key: 'k', upstream: 'u', method: 'GET', kind: 'shared', hasAuthorization: false, tags: [], headers: [] },
    ...{ policy: { ttlMs: 1_000, isExplicit: true }, signal: new AbortController().signal },
  };
  const load = (): Promise<OriginResponse> => {
    const { status, headers, body, validators, tags, etag } = anEntry();
    const now = Date.now();
    return Promise.resolve({ status, headers, body, validators, tags, etag, requestedAt: now, receivedAt: now });
  };

  it('answers though fill fails, and keeps nothing', async () => {
    expect(await open(failing('fill')).cache.exchange(request, load)).toMatchObject({ outcome: 'MISS', stored: false });
  });

  it.each([
    ['release', async () => ({ ...(await load()), isUncacheable: true })],
    [
      'renew',
      async (tried: readonly string[]) => {
        await waitUntil(() => tried.includes('renew'), { what: 'a renewal' });
        return load();
      },
    ],
  ] as const)('answers though %s fails', async (operation, loadWith) => {
    const tried: string[] = [];
    const fail = failing(operation);
    const { cache } = open((called) => {
      tried.push(called);
      return fail(called);
    }, 300);
    expect(await cache.exchange(request, () => loadWith(tried))).toMatchObject({ outcome: 'MISS' });
    expect(tried).toContain(operation);
  });

  it('shares the failure of a load though it cannot be remembered', async () => {
    const { cache } = open(failing('fail'));
    const down = new Error('down');
    await expect(cache.exchange(request, () => Promise.reject(down))).rejects.toBe(down);
  });

  it('promises no invalidation', async () => {
    const { invalidator, entries } = open(failing('invalidate', 'list'));
    await expect(invalidator.invalidate({ kind: 'key', key: 'k' })).rejects.toMatchObject({
      code: 'cache-unavailable',
    });
    await expect(entries.list('*', undefined, 1)).rejects.toMatchObject({ code: 'cache-unavailable' });
  });
});
