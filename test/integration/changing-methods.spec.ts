import { Injectable } from '@nestjs/common';
import { Cacheable, CacheEvict } from '../../src/cache';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';
import { openShop, SaleProductsService, Shelf } from '../support/product-shop';

/** Two methods that call each other; the second call ends it. */
@Injectable()
class TwinService {
  constructor(private readonly shelf: Shelf) {}

  @Cacheable({ key: 'one' })
  async one(calls = true): Promise<string> {
    const version = await this.shelf.read();
    return calls ? `one ${version}, ${await this.two(false)}` : `one ${version}`;
  }

  @Cacheable({ key: 'two' })
  async two(calls = true): Promise<string> {
    const version = await this.shelf.read();
    return calls ? `two ${version}, ${await this.one(false)}` : `two ${version}`;
  }
}

describe('a method that changes something', () => {
  let app: Awaited<ReturnType<typeof openShop>>;

  afterEach(() => app.close());

  it('removes what it names, whether it succeeds or fails', async () => {
    app = await openShop();
    await app.products.find('a');
    await app.products.remove('a');
    expect((await app.products.find('a')).version).toBe(2);
    app.shelf.failure = new Error('unknown outcome');
    await expect(app.products.remove('a')).rejects.toBe(app.shelf.failure);
    app.shelf.failure = undefined;
    expect((await app.products.find('a')).version).toBe(3);
  });

  it('has a load that began before it stored nowhere', async () => {
    app = await openShop();
    const release = app.shelf.hold();
    const old = app.products.find('a');
    await waitUntil(() => app.shelf.calls === 1, { what: 'the load' });
    await app.products.remove('a');
    release();
    expect((await old).version).toBe(1);
    expect((await app.products.find('a')).version).toBe(2);
  });

  it('soft-purges by tag', async () => {
    app = await openShop([], { policy: { staleIfErrorMs: 60_000 } });
    await app.products.find('a');
    await app.products.reprice();
    app.shelf.failure = new Error('down');
    expect((await app.products.find('a')).version).toBe(1);
    app.shelf.failure = undefined;
    expect((await app.products.find('a')).version).toBe(2);
  });

  it('stores what it returns', async () => {
    app = await openShop();
    await app.products.find('a');
    await app.products.change('a', 7);
    const { calls } = app.shelf;
    expect(await app.products.find('a')).toEqual({ name: 'product a', version: 7 });
    expect(app.shelf.calls).toBe(calls);
    expect(await app.invalidator.invalidate({ tags: ['products'] })).toBe(1);
  });

  it('and one that is overridden, may ask for their own key: they get what the inner call returns', async () => {
    app = await openShop([SaleProductsService]);
    const sale = app.get(SaleProductsService);
    for (const version of [1, 2, 3]) {
      const value = { name: 'product a on sale', version };
      if (version > 1) expect(await sale.raise('a')).toEqual(value);
      expect(await Promise.all([sale.find('a'), sale.find('a')])).toEqual([value, value]);
      expect(app.shelf.calls).toBe(version);
    }
  });

  it('does not wait for a method that waits for it: it calls that one itself', async () => {
    app = await openShop([TwinService]);
    const twins = app.get(TwinService);
    const release = app.shelf.hold();
    const both = Promise.all([twins.one(), twins.two()]);
    await waitUntil(() => app.shelf.calls === 2, { what: 'both loads' });
    release();
    const [one, two] = await both;
    expect([one, two]).toContainEqual(expect.stringMatching(/^(one 1, two 1|two 1, one 1)$/));
    expect(await Promise.all([twins.one(), twins.two()])).toEqual([one, two]);
  });

  it('stores nothing where two change the same at once, and removes what was there', async () => {
    app = await openShop();
    await app.products.find('a');
    const release = app.shelf.hold();
    const first = app.products.change('a', 2);
    await waitUntil(() => app.shelf.calls === 2, { what: 'the first change' });
    const second = app.products.change('a', 3);
    await waitUntil(() => app.shelf.calls === 3, { what: 'the second change' });
    release();
    await Promise.all([first, second]);
    expect((await app.products.find('a')).version).toBe(3);
    expect(app.shelf.calls).toBe(4);
  });

  it('needs something to remove', () => {
    expect(() => CacheEvict({})).toThrow('@CacheEvict() removes nothing: name a key, tags or a prefix');
  });
});

describe('cached methods of two replicas on one Redis', () => {
  let redis: RedisProcess;

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  it('are called by one of them for both, and removed on both', async () => {
    const a = await openShop([], { redis });
    const b = await openShop([], { redis });
    for (const { invalidator } of [a, b]) {
      const isUp = () =>
        invalidator.invalidate({ keys: ['up'] }).then(
          () => true,
          () => false,
        );
      await waitUntil(isUp, { what: 'Redis' });
    }
    const release = a.shelf.hold();
    const first = a.products.find('a');
    await waitUntil(() => a.shelf.calls === 1, { what: 'the call' });
    const waiting = b.products.find('a');
    release();
    expect([await first, await waiting]).toEqual([
      { name: 'product a', version: 1 },
      { name: 'product a', version: 1 },
    ]);
    expect([a.shelf.calls, b.shelf.calls]).toEqual([1, 0]);
    await a.products.remove('a');
    await waitUntil(
      async () => {
        await b.products.find('a');
        return a.shelf.calls + b.shelf.calls === 2;
      },
      {
        what: 'one new call',
      },
    );
    await Promise.all([a.close(), b.close()]);
  });
});
