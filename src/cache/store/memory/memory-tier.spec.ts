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
});
