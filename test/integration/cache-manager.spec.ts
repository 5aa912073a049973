import { Cache as CacheToken, CACHE_MANAGER } from '@nestjs/cache-manager';
import { CacheInvalidator, type TaggingCache } from '../../src/cache';
import { waitUntil } from '../support/wait-until';
import { useNestShop } from '../support/nest-shop';

describe.each(['memory', 'redis'] as const)('CACHE_MANAGER over the store in %s', (kind) => {
  const shop = useNestShop(kind);

  it('wraps: calls once, then gives what is stored', async () => {
    let calls = 0;
    const wrapped = () => shop.cache.wrap('wrapped', () => ({ calls: ++calls }), 60_000);
    expect([await wrapped(), await wrapped(), calls]).toEqual([{ calls: 1 }, { calls: 1 }, 1]);
  });

  it('keeps any JSON value, and ends it with its ttl', async () => {
    for (const value of [1, 'text', false, null, [1, { a: null }], { deep: { er: [] } }]) {
      await shop.cache.set('value', value, 60_000);
      expect(await shop.cache.get('value')).toEqual(value);
    }
    await shop.cache.set('value', 1, 15);
    await waitUntil(async () => (await shop.cache.get('value')) === undefined, { what: 'the end of 15 ms' });
  });

  it('returns undefined for missing entries, and reads and deletes many', async () => {
    expect(await shop.cache.get('nothing')).toBeUndefined();
    await shop.cache.mset([
      { key: 'm1', value: 1 },
      { key: 'm2', value: 2 },
    ]);
    expect(await shop.cache.mget(['m1', 'm2', 'm3'])).toEqual([1, 2, undefined]);
    await shop.cache.mdel(['m1', 'm2']);
    expect(await shop.cache.mget(['m1', 'm2'])).toEqual([undefined, undefined]);
  });

  describe('values that JSON would change', () => {
    class Item {
      constructor(readonly name: string) {}
    }
    const refused: [string, unknown, string][] = [
      ['a BigInt', 1n, 'the value is a bigint'],
      ['a Map', new Map([[1, 2]]), 'the value is a Map'],
      ['a Set within', { a: { tags: new Set() } }, 'the value.a.tags is a Set'],
      ['a class instance in a list', [1, new Item('x')], 'the value.1 is a Item'],
      ['a Date', { since: new Date() }, 'the value.since is a Date'],
      ['NaN', { share: NaN }, 'the value.share is NaN'],
      ['a function', () => 1, 'the value is a function'],
      ['an ArrayBuffer', new ArrayBuffer(1), 'the value is a ArrayBuffer'],
      ['half of a surrogate pair', '\ud800', 'the value is a text with half of a surrogate pair'],
    ];

    it.each(refused)('are refused with a message that names the fault: %s', async (_what, value, why) => {
      await expect(shop.cache.set('refused', value)).rejects.toThrow(why);
      expect(await shop.cache.get('refused')).toBeUndefined();
    });

    it.each(refused)('are returned to the caller of wrap unchanged, and not stored: %s', async (_what, value) => {
      let calls = 0;
      const wrapped = () => shop.cache.wrap('refused', () => (calls++, value), 60_000);
      expect([await wrapped(), await wrapped(), calls]).toEqual([value, value, 2]);
    });
  });

  it.each([
    new Uint8Array([1, 255]),
    new Float64Array([1.5, NaN]),
    new BigInt64Array([-1n]),
    new Uint16Array(new Uint16Array([1, 2, 3]).buffer, 2, 1),
    Buffer.from([0, 1]),
  ])('keeps the type of bytes: %p', async (value) => {
    await shop.cache.set('bytes', value, 60_000);
    const found = await shop.cache.get<object>('bytes');
    expect(found).toEqual(value);
    expect(found?.constructor).toBe(value.constructor);
    const { buffer, byteOffset } = found as Uint8Array<ArrayBuffer>;
    new Uint8Array(buffer, byteOffset)[0] = 77; // the caller's own
    expect(await shop.cache.get('bytes')).toEqual(value);
  });

  it.each([
    ['undefined', undefined, 60_000],
    ['a value whose lifetime is over', 2, -1],
  ])('has nothing more of a key that is set to %s', async (_what, value, ttl) => {
    await shop.cache.set('replaced', 1, 60_000);
    await shop.cache.set<unknown>('replaced', value, ttl);
    expect(await shop.cache.get('replaced')).toBeUndefined();
  });

  it('iterates over keys and values', async () => {
    await shop.cache.clear();
    await shop.cache.set('i 1 \u00e9', { a: 1 });
    await shop.cache.set('i2', 'two');
    const [keyv] = shop.cache.stores;
    const found: unknown[] = [];
    for await (const pair of keyv?.iterator?.(undefined) ?? []) found.push(pair);
    expect(found.sort()).toEqual([
      ['i 1 \u00e9', { a: 1 }],
      ['i2', 'two'],
    ]);
  });

  it('calls the wrapped function once for concurrent calls, and throws its error', async () => {
    let calls = 0;
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const load = async () => {
      calls += 1;
      await gate;
      return { calls };
    };
    const all = Array.from({ length: 20 }, () => shop.cache.wrap('together', load, 60_000));
    await waitUntil(() => calls === 1, { what: 'the load' });
    open();
    expect(await Promise.all(all)).toEqual(Array.from({ length: 20 }, () => ({ calls: 1 })));
    const failure = new Error('down');
    await expect(shop.cache.wrap('failing', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await shop.cache.wrap('failing', () => 'up')).toBe('up');
  });

  it('wraps: undefined is not kept, null is', async () => {
    let calls = 0;
    const wrap = (value: unknown) => shop.cache.wrap('none', () => (calls++, value), 60_000);
    expect([await wrap(undefined), await wrap(undefined), calls]).toEqual([undefined, undefined, 2]);
    expect([await wrap(null), await wrap(1), calls]).toEqual([null, null, 3]);
  });

  it('wraps with a ttl by value, a refresh before the end, and the raw form', async () => {
    const ttl = (value: number) => (value === 1 ? 20 : 60_000);
    expect(await shop.cache.wrap('by-value', () => 1, ttl)).toBe(1);
    await waitUntil(async () => (await shop.cache.wrap('by-value', () => 2, ttl)) === 2, { what: 'the end of 20 ms' });
    expect(await shop.cache.wrap('by-value', () => 3, ttl)).toBe(2);
    let version = 1;
    const early = () => shop.cache.wrap('early', () => version, { ttl: 60_000, refreshThreshold: 59_990 });
    expect(await early()).toBe(1);
    version = 2;
    await waitUntil(async () => (await early()) === 2, { what: 'the refresh' });
    const { value, expires } = (await shop.cache.wrap('raw', () => 'x', { ttl: 60_000, raw: true })) as {
      value: string;
      expires: number;
    };
    expect(value).toBe('x');
    expect(expires).toBeGreaterThan(Date.now());
  });

  it('removes by tags what was set or wrapped with them', async () => {
    const tagging = shop.app.get<TaggingCache>(CACHE_MANAGER);
    await tagging.set('t1', 1, { tags: ['prices'] });
    await tagging.wrap('t2', () => 2, { ttl: 60_000, tags: ['prices', 'others'] });
    await tagging.set('t3', 3, { ttl: 60_000 });
    expect(await shop.app.get(CacheInvalidator).invalidate({ tags: ['prices'], keys: ['t4'] })).toBe(2);
    expect(await shop.cache.mget(['t1', 't2', 't3'])).toEqual([undefined, undefined, 3]);
  });

  it('is what is injected as Cache, too', () => {
    expect(shop.app.get(CacheToken)).toBe(shop.cache);
  });

  it('clears what is ours and nothing else', async () => {
    await shop.redis?.command('SET', 'other-application', '1');
    await shop.cache.set('mine', 1, 60_000);
    await shop.cache.clear();
    expect(await shop.cache.get('mine')).toBeUndefined();
    if (shop.redis) expect(await shop.redis.command('GET', 'other-application')).toBe('1');
  });
});
