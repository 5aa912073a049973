import type { CacheEntry } from '../../model/cache-entry';
import { MemoryTier } from './memory-tier';
import { newEntryId } from '../../model/random-id';

function entryOf(more: Partial<CacheEntry> = {}): CacheEntry {
  return {
    ...{ id: newEntryId(), status: 200, headers: [], validators: {}, upstream: 'test', tags: [], etag: '"e"' },
    ...{
      storedAt: 0,
      freshUntil: 1_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      mustRevalidate: false,
      loadDurationMs: 0,
      coding: 'identity',
    },
    body: Buffer.from('hello'),
    ...more,
  };
}

const limits = { maxBytes: 1_000_000, maxEntries: 100 };

describe('the memory tier', () => {
  it('gives an entry back as it was put, whatever its fields', () => {
    const tier = new MemoryTier(limits);
    const entry = entryOf({
      ...{
        validators: { etag: '"v"', lastModified: 'x' },
        tags: ['a', 'b'],
        hitFlagName: 'cached',
        retainForRevalidationMs: 5,
        indexMark: 6,
        softPurgeMark: 7,
      },
      headers: [
        ['link', '<1>'],
        ['link', '<2>'],
        ['x-long', 'v'.repeat(5_000)],
      ],
    });
    tier.put('key', entry, true);
    expect(tier.get('key', 0)).toEqual(entry);
  });

  it('keeps a field line that several entries have in common once, and the others apart', () => {
    const tier = new MemoryTier(limits);
    const headersOf = (etag: string): CacheEntry['headers'] => [
      ['server', ['git', 'hub'].join('')],
      ['etag', etag],
    ];
    for (const name of ['one', 'two']) tier.put(name, entryOf({ headers: headersOf(`"${name}"`) }), true);
    const [one, two] = ['one', 'two'].map((name) => tier.get(name, 0)?.headers ?? []);
    expect(one?.[0]).toBe(two?.[0]);
    expect([one?.[1], two?.[1]]).toEqual([
      ['etag', '"one"'],
      ['etag', '"two"'],
    ]);
  });

  it.each([5, 60, 2_000])('keeps no more than the %i bytes of a body, where they are a slice of many', (length) => {
    const tier = new MemoryTier(limits);
    const read = Buffer.allocUnsafe(65_536).fill('x');
    tier.put('key', entryOf({ body: read.subarray(100, 100 + length) }), true);
    const { body } = tier.get('key', 0)!;
    expect(body).toEqual(read.subarray(100, 100 + length));
    expect(body.buffer.byteLength).toBe(length);
  });

  it('finds one key of a tag, or several, and no key that has gone', () => {
    const tier = new MemoryTier(limits);
    const keysOf = (): string[] => tier.keysOf({ kind: 'tag', tag: 't' });
    for (const key of ['a', 'a', 'b', 'c']) tier.put(key, entryOf({ tags: ['t'] }), true);
    expect(keysOf().sort()).toEqual(['a', 'b', 'c']);
    for (const key of ['a', 'c']) tier.delete(key);
    expect(keysOf()).toEqual(['b']);
    tier.put('b', entryOf({ tags: [] }), true);
    expect(keysOf()).toEqual([]);
  });

  it('takes no memory for a number of entries that its bytes have no room for', () => {
    const before = process.memoryUsage().heapUsed + process.memoryUsage().external;
    const tier = new MemoryTier({ maxBytes: 1_000_000, maxEntries: 50_000_000 });
    expect(process.memoryUsage().heapUsed + process.memoryUsage().external - before).toBeLessThan(50_000_000);
    expect(tier.size).toBe(0);
  });

  describe('with a share for each caller', () => {
    const A = `test:${'a'.repeat(16)}`;
    const B = `test:${'b'.repeat(16)}`;
    const SHARED = `test:-${'s'.repeat(15)}`;
    const room = { maxBytes: 60_000, maxEntries: 1_000, maxCallerShare: 0.25 };
    const fill = (tier: MemoryTier, partition: string, count: number, from = 0): void => {
      for (let n = from; n < from + count; n++)
        tier.put(`${partition}:/${n}`, entryOf({ body: Buffer.alloc(500, n) }), true);
    };
    const keysIn = (tier: MemoryTier, partition: string): string[] =>
      tier.keysOf({ kind: 'prefix', prefix: `${partition}:` });

    it('gives a caller all the memory that is free', () => {
      const tier = new MemoryTier(room);
      fill(tier, A, 30);
      expect(keysIn(tier, A)).toHaveLength(30);
    });

    it.each([
      ['bytes', room],
      ['entries', { ...room, maxBytes: 1_000_000, maxEntries: 20 }],
    ])('lets a caller over its share push out its own oldest entries alone, in a memory full of %s', (_of, limited) => {
      const evicted: string[] = [];
      const tier = new MemoryTier(limited, (key) => evicted.push(key));
      fill(tier, B, 2);
      fill(tier, SHARED, 2);
      fill(tier, 'test:-', 2);
      fill(tier, 'GET', 2);
      fill(tier, A, 2_000);
      expect([B, SHARED, 'test:-', 'GET'].map((one) => keysIn(tier, one).length)).toEqual([2, 2, 2, 2]);
      const own = keysIn(tier, A);
      expect(own).toContain(`${A}:/1999`);
      expect(evicted).toEqual(Array.from({ length: 2_000 - own.length }, (_, n) => `${A}:/${n}`));
    });

    it('gives room to a caller within its share: the least recently used entries go', () => {
      const tier = new MemoryTier(room);
      fill(tier, A, 2_000);
      const before = keysIn(tier, A).length;
      fill(tier, B, 5);
      expect(keysIn(tier, B)).toHaveLength(5);
      expect(keysIn(tier, A).length).toBeLessThan(before);
    });

    it('has no limit for partitions that callers share', () => {
      const tier = new MemoryTier(room);
      fill(tier, B, 2);
      fill(tier, SHARED, 2_000);
      expect(keysIn(tier, B)).toEqual([]);
    });

    it('counts an entry that is replaced or removed no longer', () => {
      const tier = new MemoryTier(room);
      for (let n = 0; n < 500; n++) fill(tier, A, 1);
      fill(tier, A, 9, 1);
      tier.clear();
      fill(tier, 'test:-', 2_000);
      const before = keysIn(tier, 'test:-').length;
      fill(tier, A, 5, 100);
      expect(keysIn(tier, A)).toHaveLength(5);
      expect(keysIn(tier, 'test:-').length).toBeLessThan(before);
    });
  });
});
