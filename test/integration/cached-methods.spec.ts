import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import { ForbiddenException, SetMetadata } from '@nestjs/common';
import { Cacheable, CacheEvents } from '../../src/cache';
import { waitUntil } from '../support/wait-until';
import { openShop, ProductsService, Shelf } from '../support/product-shop';

describe('a cached method', () => {
  let app: Awaited<ReturnType<typeof openShop>>;

  afterEach(() => app.close());

  it('is called once for concurrent calls, with its own instance, and then not at all', async () => {
    app = await openShop();
    const release = app.shelf.hold();
    const callers = Array.from({ length: 50 }, () => app.products.find('a'));
    await waitUntil(() => app.shelf.calls === 1, { what: 'the call' });
    release();
    const values = await Promise.all(callers);
    expect(new Set(values.map((one) => JSON.stringify(one)))).toEqual(new Set(['{"name":"product a","version":1}']));
    expect(await app.products.find('a')).toEqual({ name: 'product a', version: 1 });
    expect(app.shelf.calls).toBe(1);
  });

  it('publishes how each call was answered, without its arguments', async () => {
    app = await openShop();
    const seen: string[] = [];
    app.get(CacheEvents).onMethodCalled(({ method, outcome }) => seen.push(`${method} ${outcome}`));
    const { products, shelf } = app;
    await products.find('a');
    await products.find('a');
    await products.search(new AbortController().signal);
    shelf.failure = new Error('failed');
    await expect(products.find('b')).rejects.toThrow('failed');
    expect(seen).toEqual([
      'ProductsService.find MISS',
      'ProductsService.find HIT',
      'ProductsService.search BYPASS',
      'ProductsService.find ERROR',
    ]);
  });

  it('gives each caller an object of its own', async () => {
    app = await openShop();
    const first = await app.products.find('a');
    first.version = 99;
    expect(await app.products.find('a')).toEqual({ name: 'product a', version: 1 });
    (await app.products.find('a')).version = 98;
    expect((await app.products.find('a')).version).toBe(1);
  });

  it('distinguishes arguments by value and type, in any order of members', async () => {
    app = await openShop();
    const { products, shelf } = app;
    for (const words of [
      '1',
      1,
      1n,
      null,
      undefined,
      [1],
      ['1'],
      { a: 1 },
      { a: '1' },
      NaN,
      [1, [2]],
      [[1], 2],
      new Date(1),
    ])
      await products.search(words);
    expect(shelf.calls).toBe(13);
    await products.search({ b: 1, a: 2 });
    await products.search({ a: 2, b: 1 });
    await products.search('1', undefined);
    expect(shelf.calls).toBe(14);
    await products.search('1', '2');
    expect(shelf.calls).toBe(15);
  });

  it('has no argument in its default key', async () => {
    app = await openShop();
    await app.products.search('secret-token');
    const { items } = await app.cache!.list('*', undefined, 10);
    expect(items.map(({ key }) => key)).toEqual([expect.stringMatching(/^app:ProductsService\.search:[\w-]{43}$/)]);
  });

  it('is not cached by arguments that are no plain data, and says so once', async () => {
    app = await openShop();
    const signal = new AbortController().signal;
    await app.products.search(signal);
    await app.products.search(signal);
    expect(app.shelf.calls).toBe(2);
    expect(
      app.log.filter((line) => line.includes('ProductsService.search is not cached: an argument is a AbortSignal')),
    ).toHaveLength(1);
  });

  it('is not cached by a key with the text of an object in it, which is the same for all, and says so once', async () => {
    app = await openShop();
    for (const id of [{ name: 'a' }, { name: 'b' }, Promise.resolve('c')]) await app.products.find(id as never);
    expect(app.shelf.calls).toBe(3);
    expect(
      app.log.filter((line) => line.includes('ProductsService.find is not cached: its key has [object')),
    ).toHaveLength(1);
  });

  it('throws its own error to all waiting calls, stores none, and is called again', async () => {
    app = await openShop();
    const failure = new ForbiddenException('not yours');
    app.shelf.failure = failure;
    const release = app.shelf.hold();
    const callers = [1, 2, 3].map(() => app.products.find('a').catch((error: unknown) => error));
    await waitUntil(() => app.shelf.calls === 1, { what: 'the call' });
    release();
    expect((await Promise.all(callers)).every((error) => error === failure)).toBe(true);
    for (let at = 0; at < 5; at++) await expect(app.products.find('a')).rejects.toBe(failure);
    app.shelf.failure = undefined;
    expect(await app.products.find('a')).toMatchObject({ version: 1 });
  });

  it('gives the stale value while it is called again behind the answer', async () => {
    app = await openShop();
    await app.products.revalidated();
    app.shelf.version = 2;
    await waitUntil(async () => (await app.products.revalidated()).version === 2, { what: 'the refreshed value' });
    expect(app.shelf.calls).toBeGreaterThan(1);
  });

  it('gives the stale value instead of a failure, but not instead of a refusal', async () => {
    app = await openShop();
    await app.products.withFallback();
    app.shelf.failure = new Error('down');
    const before = app.shelf.calls;
    await waitUntil(
      async () => {
        await app.products.withFallback();
        return app.shelf.calls > before;
      },
      {
        what: 'a failed call',
      },
    );
    expect(await app.products.withFallback()).toEqual({ version: 1 });
    app.shelf.failure = new ForbiddenException();
    await expect(app.products.withFallback()).rejects.toBe(app.shelf.failure);
    app.shelf.failure = new Error('down');
    await expect(app.products.withFallback()).rejects.toBe(app.shelf.failure);
  });

  it('keeps undefined for as long as a value that is not found', async () => {
    app = await openShop();
    expect([await app.products.nothing(), await app.products.nothing(), app.shelf.calls]).toEqual([
      undefined,
      undefined,
      1,
    ]);
  });

  it('gives bytes as bytes', async () => {
    app = await openShop();
    for (let at = 0; at < 2; at++) expect(await app.products.bytes()).toEqual(Buffer.from([0, 255]));
    expect(app.shelf.calls).toBe(1);
  });

  it('is not cached where JSON would change its value, and says which member', async () => {
    app = await openShop();
    for (let at = 0; at < 2; at++) expect(await app.products.since()).toEqual({ since: new Date(0) });
    expect(app.shelf.calls).toBe(2);
    expect(app.log.join('\n')).toContain('the value.since is a Date');
  });

  it('is one cache with CACHE_MANAGER', async () => {
    app = await openShop();
    await app.products.find('a');
    const cache = app.app.get<Cache>(CACHE_MANAGER, { strict: false });
    expect(await cache.get('product:a')).toEqual({ name: 'product a', version: 1 });
    await cache.del('product:a');
    await app.products.find('a');
    expect(app.shelf.calls).toBe(2);
  });

  it('keeps what other decorators say of the method', () => {
    class Decorated {
      @SetMetadata('above', 1)
      @Cacheable()
      @SetMetadata('below', 2)
      async read(_a: string, _b: string) {
        return Promise.resolve(1);
      }
    }
    const read = Object.getOwnPropertyDescriptor(Decorated.prototype, 'read')?.value as () => unknown;
    expect([Reflect.getMetadata('above', read), Reflect.getMetadata('below', read), read.name, read.length]).toEqual([
      ...[1, 2, 'read', 2],
    ]);
  });

  it('is called as it is by an instance that Nest has not made', async () => {
    app = await openShop();
    const products = new ProductsService(new Shelf());
    await products.find('a');
    await products.find('a');
    expect(products.shelf.calls).toBe(2);
  });
});
