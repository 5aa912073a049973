import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CacheEntry } from '../../src/cache';
import { newEntryId } from '../../src/cache/core/random-id';
import { Deliveries } from '../../src/cache/deliveries';
import type { ResponseCacheModuleOptions } from '../../src/cache/response-cache.options';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function entryOf(bodyBytes: number): CacheEntry {
  return {
    ...{ id: newEntryId(), status: 200, headers: [], validators: {}, upstream: 'test', tags: [], etag: '"e"' },
    ...{ storedAt: 0, freshUntil: 1, swrMs: 0, sieMs: 0, mustRevalidate: false, loadMs: 0, coding: 'identity' },
    body: randomBytes(bodyBytes),
  };
}

/** Has answers to so many entries made ready, and keeps none of them; how many of them are kept all the same. */
async function keptOf(count: number, deliveries: Deliveries): Promise<number> {
  const bodies = Array.from({ length: count }, () => {
    const entry = entryOf(1_000_000);
    deliveries.ready(entry, 'key', undefined);
    return new WeakRef(entry.body);
  });
  await setImmediate();
  collectGarbage();
  return bodies.filter((body) => body.deref()).length;
}

function deliveriesOf(maxBytes: number): Deliveries {
  return new Deliveries({ l1: { maxBytes, maxEntries: 1_000 } } as ResponseCacheModuleOptions);
}

describe('what is ready to be sent', () => {
  it('is found with its entry', () => {
    const deliveries = deliveriesOf(10_000_000);
    const entry = entryOf(1_000_000);
    const ready = deliveries.ready(entry, 'key', undefined);
    expect(ready).toBeDefined();
    expect(deliveries.ready(entry, 'key', undefined)).toBe(ready);
  });

  it('keeps no entry that memory does not', async () => {
    expect(await keptOf(50, deliveriesOf(10_000_000))).toBeLessThanOrEqual(1);
  });

  it('keeps a few megabytes where memory is off, bodies among them', async () => {
    const deliveries = deliveriesOf(0);
    expect(await keptOf(50, deliveries)).toBeLessThanOrEqual(4);
    expect(deliveries.bytes).toBeGreaterThan(3_000_000);
  });
});
