import {
  StoreUnavailableError,
  type CacheStore,
  type FoundOrLease,
  type LeaseRequest,
} from '../../src/cache/core/cache-store';
import { Loader } from '../../src/cache/core/loader';
import { MemoryStore } from '../../src/cache/core/memory-store';
import { ResponseCache } from '../../src/cache/core/response-cache';
import { TieredStore } from '../../src/cache/core/tiered-store';
import { SystemClock } from '../../src/kernel/clock';
import { waitUntil } from '../support/wait-until';
import { ChaosStore, randomTurns, type Disturbance } from './chaos-store';
import { anEntry, describeStore } from './store-contract';

const limits = { maxBytes: 256 * 1024 * 1024, maxEntries: 100_000 };

describeStore('MemoryStore', () => {
  const store = new MemoryStore(limits, new SystemClock());
  return Promise.resolve({ store, close: () => store.close() });
});

/** A shared store that is always heard: the memory store plays L2. */
class HeardMemoryStore extends MemoryStore {
  readonly isCoherent = true;

  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    const found = await this.find(request.key);
    return found ? { found } : { lease: await this.acquire(request) };
  }
}

describeStore('TieredStore over a store in memory', () => {
  const clock = new SystemClock();
  const store = new TieredStore(limits, new HeardMemoryStore(limits, clock), clock);
  return Promise.resolve({ store, close: () => store.close() });
});

describeStore('MemoryStore behind chaos', () => {
  const store = new ChaosStore(new MemoryStore(limits, new SystemClock()), randomTurns(Math.random));
  return Promise.resolve({ store, close: () => store.close() });
});

describe('a cache on a store that fails', () => {
  const failing = (...operations: (keyof CacheStore)[]): Disturbance => {
    const broken = new Set<keyof CacheStore>(operations);
    return (operation) =>
      broken.has(operation) ? Promise.reject(new StoreUnavailableError('down')) : Promise.resolve();
  };
  const open = (disturb: Disturbance, leaseMs = 1_000) => {
    const clock = new SystemClock();
    const store = new ChaosStore(new MemoryStore(limits, clock), disturb);
    const loader = new Loader(store, clock, { leaseMs, loadTimeoutMs: 1_000, pollMs: 5, maxEntryBytes: 1_000 });
    return new ResponseCache(store, loader, clock, { deadlineMs: 1_000, staleAfterMs: 1_000 });
  };
  const policy = { ttlMs: 1_000, negativeTtlMs: 1, swrMs: 0, sieMs: 0, jitter: 0, earlyRefreshBeta: 0 };
  const request = { key: 'k', upstream: 'u', tags: [], policy };
  const load = () => {
    const { status, headers, body, validators, tags, etag } = anEntry();
    return Promise.resolve({ kind: 'response' as const, status, headers, body, validators, tags, etag });
  };

  it('answers though fill fails, and keeps nothing', async () => {
    expect(await open(failing('fill')).answer(request, load)).toMatchObject({ outcome: 'MISS', stored: false });
  });

  it.each([
    ['release', async () => ({ ...(await load()), ttlMs: 0 })],
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
    const cache = open((called) => {
      tried.push(called);
      return fail(called);
    }, 300);
    expect(await cache.answer(request, () => loadWith(tried))).toMatchObject({ outcome: 'MISS' });
    expect(tried).toContain(operation);
  });

  it('shares the failure of a load though it cannot be remembered', async () => {
    const cache = open(failing('fail'));
    const down = new Error('down');
    await expect(cache.answer(request, () => Promise.reject(down))).rejects.toBe(down);
  });

  it('promises no invalidation', async () => {
    const cache = open(failing('invalidate', 'list'));
    await expect(cache.invalidate({ kind: 'key', key: 'k' })).rejects.toMatchObject({ code: 'cache-unavailable' });
    await expect(cache.list('*', undefined, 1)).rejects.toMatchObject({ code: 'cache-unavailable' });
  });
});
