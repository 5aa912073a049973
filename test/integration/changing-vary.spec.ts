import { Readable } from 'node:stream';
import { HttpCache } from '../../src/cache/engine/http-cache';
import type { Origin } from '../../src/cache/model/exchange';
import { Loader } from '../../src/cache/engine/loader';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { ManualClock } from '../../src/kernel/clock';

describe('a URL whose responses vary at one time and not at another', () => {
  it('gives a response that varies only to requests with equal fields', async () => {
    const clock = new ManualClock(1_000_000);
    const store = new MemoryStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock);
    const waits = { deadlineMs: 5_000, staleAfterMs: 5_000 };
    const loader = new Loader(store, clock, {
      ...{ leaseMs: 5_000, pollMs: 20, loadTimeoutMs: 10_000, maxEntryBytes: 1_000_000 },
    });
    const cache = new HttpCache(store, loader, clock, {
      ...{ retainForRevalidationMs: 600_000, selecting: [], maxEntryBytes: 1_000_000, ...waits },
    });
    const get = async (x: string, vary: readonly string[]): Promise<string> => {
      const origin: Origin = () =>
        Promise.resolve({
          status: 200,
          headers: [['cache-control', 'max-age=1'], ...vary.map((name) => ['vary', name] as const)],
          ...{ requestedAt: clock.now(), receivedAt: clock.now(), body: Readable.from([Buffer.from(`for ${x}`)]) },
        });
      const answer = await cache.exchange(
        {
          ...{ key: 'k', tags: [], upstream: 'u', method: 'GET', kind: 'shared', hasAuthorization: false },
          ...{ headers: [['x', x]], signal: new AbortController().signal },
        },
        origin,
      );
      const body = answer.kind === 'stored' ? answer.entry.body : answer.body;
      return Buffer.isBuffer(body) ? body.toString() : 'streamed';
    };
    expect(await get('1', [])).toBe('for 1');
    clock.advance(2_000);
    expect(await get('1', ['x'])).toBe('for 1');
    clock.advance(2_000);
    expect(await get('2', ['x'])).toBe('for 2');
    expect(await get('3', ['x'])).toBe('for 3');
    expect(await get('2', ['x'])).toBe('for 2');
  });
});
