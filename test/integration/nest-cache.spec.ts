import { waitUntil } from '../support/wait-until';
import { ShopController, useNestShop } from '../support/nest-shop';

describe.each(['memory', 'redis'] as const)("Nest's own decorators over the store in %s", (kind) => {
  const shop = useNestShop(kind);

  it('keeps the meaning of @CacheKey and @CacheTTL', async () => {
    const first = await shop.get('/shop/items');
    const second = await shop.get('/shop/items?ignored=as-in-nest');
    expect([first.headers['x-cache'], second.headers['x-cache'], second.json]).toEqual(['MISS', 'HIT', first.json]);
    const { json } = await shop.get('/shop/brief');
    await waitUntil(async () => (await shop.get('/shop/brief')).json['call'] !== json['call'], {
      what: 'the end of 20 ms',
    });
  });

  it('asks a key that is a function', async () => {
    const a = await shop.get('/shop/dynamic', { 'x-tenant': 'a' });
    const b = await shop.get('/shop/dynamic', { 'x-tenant': 'b' });
    expect([a.json['tenant'], b.json['tenant']]).toEqual(['a', 'b']);
    expect((await shop.get('/shop/dynamic', { 'x-tenant': 'a' })).json).toEqual(a.json);
  });

  it('keeps status and header fields of a hit', async () => {
    await shop.get('/shop/created');
    const hit = await shop.get('/shop/created');
    expect([hit.status, hit.headers['x-kept'], hit.headers['x-cache']]).toEqual([203, 'yes', 'HIT']);
  });

  it('caches neither what is private nor what is asked with credentials under a key that names no caller', async () => {
    const calls = ShopController.calls;
    await shop.get('/shop/private');
    await shop.get('/shop/private');
    await shop.get('/shop/created', { authorization: 'Bearer a' });
    expect(ShopController.calls).toBe(calls + 3);
  });

  it('never caches a POST', async () => {
    const calls = ShopController.calls;
    await shop.send('/shop/items', { method: 'POST' });
    await shop.send('/shop/items', { method: 'POST' });
    expect(ShopController.calls).toBe(calls + 2);
  });

  it('is one cache with the interceptor: reads, deletes and sets count in both', async () => {
    const { json } = await shop.get('/shop/items');
    expect(await shop.cache.get('shop-items')).toEqual(json);
    await shop.cache.del('shop-items');
    expect((await shop.get('/shop/items')).json['call']).not.toBe(json['call']);
    await shop.cache.set('shop-items', { call: 'set by hand' }, 60_000);
    expect(await shop.get('/shop/items')).toMatchObject({
      json: { call: 'set by hand' },
      headers: { 'x-cache': 'HIT' },
    });
    await shop.cache.del('shop-items');
  });

  describe('of one key with a route', () => {
    const values: [string, unknown, string | undefined][] = [
      ['an object', { a: [1, null] }, 'application/json; charset=utf-8'],
      ['a number', 7, 'application/json; charset=utf-8'],
      ['a text', 'hello', 'text/plain; charset=utf-8'],
      ['an empty text', '', 'text/plain; charset=utf-8'],
      ['a long text', 'hello '.repeat(1_000), 'text/plain; charset=utf-8'],
      ['bytes', Buffer.from([0, 1, 255]), 'application/octet-stream'],
    ];
    // An interceptor around gets plain data only.
    const pathsOf = (value: unknown) => (Buffer.isBuffer(value) ? ['any'] : ['any', 'handed']);
    const form = ({ status, headers, body }: Awaited<ReturnType<typeof shop.send>>) => [
      status,
      headers['content-type'],
      body.toString('latin1'),
    ];

    it.each(values)('gives what its handler returned: %s', async (_what, value) => {
      for (const path of pathsOf(value)) {
        ShopController.value = value;
        await shop.cache.del(`shop-${path}`);
        await shop.send(`/shop/${path}`);
        expect(await shop.cache.get(`shop-${path}`)).toEqual(value);
      }
    });

    it.each(values)('is answered by the route as if its handler had returned it: %s', async (_what, value, type) => {
      for (const path of pathsOf(value)) {
        ShopController.value = value;
        await shop.cache.del(`shop-${path}`);
        const returned = form(await shop.send(`/shop/${path}`));
        expect(returned[1]).toBe(type);
        await shop.cache.del(`shop-${path}`);
        await shop.cache.set(`shop-${path}`, value, 60_000);
        const { calls } = ShopController;
        expect(form(await shop.send(`/shop/${path}`))).toEqual(returned);
        expect(ShopController.calls).toBe(calls);
      }
    });

    it('gives text of any kind as text', async () => {
      await shop.send('/shop/html');
      expect(await shop.cache.get('shop-html')).toBe('<p>hi</p>');
    });

    it('has nothing of an error that the route keeps', async () => {
      expect((await shop.send('/shop/missing')).status).toBe(404);
      expect(await shop.cache.get('shop-missing')).toBeUndefined();
      const { calls } = ShopController;
      expect((await shop.send('/shop/missing')).status).toBe(404);
      expect(ShopController.calls).toBe(calls);
    });
  });
});
