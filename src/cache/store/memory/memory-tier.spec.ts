import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { CacheEntry } from '../../model/cache-entry';
import { MemoryTier } from './memory-tier';
import { newEntryId } from '../../model/random-id';
import { hasText, keepUnpacked, keepWith, keptWith } from './resident-entry';

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

  it('keeps field lines that entries have in common once, and gives each entry its own back', () => {
    const tier = new MemoryTier({ ...limits, maxEntries: 1_000 });
    const headersOf = (at: number): CacheEntry['headers'] => [
      ['server', ['git', 'hub'].join('')],
      ['etag', `"${at}"`],
      ['x-often', String(at % 3)],
      ...(at % 5 === 0 ? ([['x-rare', ['a', '', 'a\nb'][at % 3]!]] as const) : []),
      ['set-cookie', `${at}`],
      ['set-cookie', ''],
    ];
    const sizes = Array.from({ length: 1_000 }, (_, at) => {
      const before = tier.bytes;
      tier.put(`key-${at}`, entryOf({ headers: headersOf(at) }), true);
      return tier.bytes - before;
    });
    for (let at = 0; at < 1_000; at++) expect(tier.get(`key-${at}`, 0)!.headers).toEqual(headersOf(at));
    expect(sizes.at(-1)).toBeLessThan(sizes[0]!);
  });

  it.each([5, 60, 2_000, 20_000])(
    'keeps the %i bytes of a body as they are, and not what they are a slice of',
    (length) => {
      const tier = new MemoryTier(limits);
      const read = randomBytes(65_536);
      tier.put('key', entryOf({ body: read.subarray(100, 100 + length) }), true);
      const { body } = tier.get('key', 0)!;
      expect(body.equals(read.subarray(100, 100 + length))).toBe(true);
      expect(body.buffer).not.toBe(read.buffer);
    },
  );

  it('keeps an unpacked body in place of its gzip form only if that form can be made of it again', () => {
    const tier = new MemoryTier(limits);
    const text = 'text '.repeat(400);
    const packed = gzipSync(text, { level: 9 });
    const foreign = Buffer.from(packed);
    foreign[9] = 77; // the operating system, as another writer may name it
    for (const body of [packed, foreign]) {
      tier.put('key', entryOf({ body, coding: 'gzip' }), true);
      const entry = tier.get('key', 0)!;
      expect(keepUnpacked(entry, `${text}x`)).toBe(0);
      const isOurs = body === packed;
      expect(keepUnpacked(entry, text) > 0).toBe(isOurs);
      expect(hasText(entry, text)).toBe(isOurs);
      expect(entry.body.equals(body)).toBe(true);
      expect({ ...entry }).toEqual(entryOf({ id: entry.id, body, coding: 'gzip' }));
    }
  });

  it('counts what is kept with an entry as long as the entry is there', () => {
    const tier = new MemoryTier({ maxBytes: 20_000, maxEntries: 100 });
    tier.put('key', entryOf({ tags: ['t'] }), false);
    const entry = tier.get('key', 0)!;
    const { bytes } = tier;
    expect(keepWith(entry, { bytes: 1_000 })).toBe(true);
    expect(keepWith(entry, { bytes: 3_000 })).toBe(true);
    expect(keepWith(entry, { bytes: 5_000 })).toBe(false); // more than a quarter of all
    expect([tier.bytes, tier.preparedBytes]).toEqual([bytes, 3_000]);
    expect(keptWith(entry)).toEqual({ bytes: 3_000 });
    expect(tier.keysOf({ kind: 'tag', tag: 't' })).toEqual(['key']);
    tier.deleteUnshared();
    expect([tier.size, tier.bytes, tier.preparedBytes]).toEqual([0, 0, 0]);
    expect(keepWith(entry, { bytes: 1_000 })).toBe(false);
    expect(tier.preparedBytes).toBe(0);
  });

  it('keeps as many entries as it may, those that were used last', () => {
    const tier = new MemoryTier({ ...limits, maxEntries: 2 });
    for (const key of ['a', 'b']) tier.put(key, entryOf(), true);
    tier.get('a', 0);
    tier.put('c', entryOf(), true);
    expect(tier.keys().sort()).toEqual(['a', 'c']);
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
