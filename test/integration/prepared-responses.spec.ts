import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CacheEntry } from '../../src/cache';
import { newEntryId } from '../../src/cache/model/random-id';
import { PreparedResponses } from '../../src/cache/fast-path/prepared-responses';
import { MemoryTier } from '../../src/cache/store/memory/memory-tier';
import { RouteResponses } from '../../src/cache/nest/route-responses';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function entryOf(bodyBytes: number): CacheEntry {
  return {
    ...{ id: newEntryId(), status: 200, headers: [], validators: {}, upstream: 'test', tags: [], etag: '"e"' },
    ...{
      storedAt: 0,
      freshUntil: 1,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      mustRevalidate: false,
      loadDurationMs: 0,
      coding: 'identity',
    },
    body: randomBytes(bodyBytes),
  };
}

const LIMITS = { maxBytes: 10_000_000, maxEntries: 1_000 };

/** The entry as memory has it, if there is memory. */
function storedIn(tier: MemoryTier | undefined, entry: CacheEntry, key = entry.id): CacheEntry {
  tier?.put(key, entry, true);
  return tier?.get(key, 0) ?? entry;
}

/** Prepares responses of so many entries, one after the other under one key; resolves to the number that is kept all the same. */
async function keptOf(count: number, responses: RouteResponses, tier?: MemoryTier): Promise<number> {
  const bodies = Array.from({ length: count }, () => {
    const entry = storedIn(tier, entryOf(1_000_000), 'key');
    responses.getIfReady(entry, 'key', undefined);
    return new WeakRef(entry.body);
  });
  await setImmediate();
  collectGarbage();
  return bodies.filter((body) => body.deref()).length;
}

function preparedOf(maxBytes: number): PreparedResponses {
  return new PreparedResponses({ l1: { maxBytes, maxEntries: 1_000 } });
}

describe('a prepared response', () => {
  it('is found with its entry', () => {
    const responses = new RouteResponses(preparedOf(10_000_000));
    const entry = storedIn(new MemoryTier(LIMITS), entryOf(1_000_000));
    const ready = responses.getIfReady(entry, 'key', undefined);
    expect(ready).toBeDefined();
    expect(responses.getIfReady(entry, 'key', undefined)).toBe(ready);
  });

  it('keeps no entry that memory has evicted', async () => {
    expect(await keptOf(50, new RouteResponses(preparedOf(10_000_000)), new MemoryTier(LIMITS))).toBeLessThanOrEqual(1);
  });

  it('is kept without memory for entries too, within a few megabytes', async () => {
    const prepared = preparedOf(0);
    expect(await keptOf(50, new RouteResponses(prepared))).toBeLessThanOrEqual(4);
    expect(prepared.bytes).toBeGreaterThan(3_000_000);
  });
});
