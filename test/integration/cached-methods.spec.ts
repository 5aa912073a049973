import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import {
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Param,
  Scope,
  SetMetadata,
  type Provider,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Cacheable, CacheEvents, CacheEvict, CacheInvalidator, CachePut } from '../../src/cache';
import { RedisProcess } from '../support/redis-process';
import { openRoutes, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

/** What the methods below read and write, and how often they were called. */
class Shelf {
  version = 1;
  calls = 0;
  failure: Error | undefined;
  private gate: Promise<void> = Promise.resolve();

  hold(): () => void {
    let open = (): void => undefined;
    this.gate = new Promise((resolve) => (open = resolve));
    return () => {
      this.gate = Promise.resolve();
      open();
    };
  }

  async read(): Promise<number> {
    this.calls += 1;
    const { version, gate } = this;
    await gate;
    if (this.failure) throw this.failure;
    return version;
  }
}

@Injectable()
class ProductsService {
  private readonly prefix = 'product';

  constructor(readonly shelf: Shelf) {}

  @Cacheable({ key: (id: string) => `product:${id}`, tags: (id: string) => ['products', `product:${id}`] })
  async find(id: string) {
    return { name: `${this.prefix} ${id}`, version: await this.shelf.read() };
  }

  @Cacheable({ ttlMs: 60_000 })
  async search(words: unknown, _page?: unknown) {
    return { words: typeof words, version: await this.shelf.read() };
  }

  @Cacheable({ key: 'stale-while-revalidate', ttlMs: 20, staleWhileRevalidateMs: 60_000 })
  async revalidated() {
    return { version: await this.shelf.read() };
  }

  @Cacheable({ key: 'stale-if-error', ttlMs: 20, staleIfErrorMs: 60_000 })
  async withFallback() {
    return { version: await this.shelf.read() };
  }

  @Cacheable({ key: 'nothing', negativeTtlMs: 60_000 })
  async nothing(): Promise<unknown> {
    await this.shelf.read();
    return undefined;
  }

  @Cacheable({ key: 'since' })
  async since() {
    await this.shelf.read();
    return { since: new Date(0) };
  }

  @Cacheable({ key: 'bytes' })
  async bytes() {
    await this.shelf.read();
    return Buffer.from([0, 255]);
  }

  @CachePut({ key: (id: string) => `product:${id}`, tags: ['products'] })
  async change(id: string, version: number) {
    const gate = this.shelf.read();
    this.shelf.version = version;
    await gate;
    return { name: `${this.prefix} ${id}`, version };
  }

  @CacheEvict({ key: (id: string) => `product:${id}` })
  async remove(_id: string) {
    this.shelf.version += 1;
    if (this.shelf.failure) throw this.shelf.failure;
    await Promise.resolve();
  }

  @CacheEvict({ tags: ['products'], mode: 'stale' })
  async reprice() {
    this.shelf.version += 1;
    await Promise.resolve();
  }
}

@Injectable()
class SaleProductsService extends ProductsService {
  override async search(words: unknown) {
    return { ...(await super.search(words)), sale: true };
  }

  @Cacheable({ key: (id: string) => `product:${id}` })
  override async find(id: string) {
    const { name, version } = await super.find(id);
    return { name: `${name} on sale`, version };
  }

  @CachePut({ key: (id: string) => `product:${id}` })
  async raise(id: string) {
    this.shelf.version += 1;
    return this.find(id);
  }
}

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

async function open(providers: Provider[] = [], options: RouteAppOptions = {}) {
  const shelf = new Shelf();
  const log: string[] = [];
  const all = [{ provide: Shelf, useValue: shelf }, ProductsService, ...providers];
  const opened = await openRoutes([], { ...options, providers: all, log });
  const get = <T>(type: abstract new (...args: never[]) => T): T => opened.app.get(type, { strict: false });
  return { ...opened, shelf, log, get, products: get(ProductsService), invalidator: get(CacheInvalidator) };
}

describe('a cached method', () => {
  let app: Awaited<ReturnType<typeof open>>;

  afterEach(() => app.close());

  it('is called once for concurrent calls, with its own instance, and then not at all', async () => {
    app = await open();
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
    app = await open();
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
    app = await open();
    const first = await app.products.find('a');
    first.version = 99;
    expect(await app.products.find('a')).toEqual({ name: 'product a', version: 1 });
    (await app.products.find('a')).version = 98;
    expect((await app.products.find('a')).version).toBe(1);
  });

  it('distinguishes arguments by value and type, in any order of members', async () => {
    app = await open();
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
    app = await open();
    await app.products.search('secret-token');
    const { items } = await app.cache!.list('*', undefined, 10);
    expect(items.map(({ key }) => key)).toEqual([expect.stringMatching(/^app:ProductsService\.search:[\w-]{43}$/)]);
  });

  it('is not cached by arguments that are no plain data, and says so once', async () => {
    app = await open();
    const signal = new AbortController().signal;
    await app.products.search(signal);
    await app.products.search(signal);
    expect(app.shelf.calls).toBe(2);
    expect(
      app.log.filter((line) => line.includes('ProductsService.search is not cached: an argument is a AbortSignal')),
    ).toHaveLength(1);
  });

  it('throws its own error to all waiting calls, stores none, and is called again', async () => {
    app = await open();
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
    app = await open();
    await app.products.revalidated();
    app.shelf.version = 2;
    await waitUntil(async () => (await app.products.revalidated()).version === 2, { what: 'the refreshed value' });
    expect(app.shelf.calls).toBeGreaterThan(1);
  });

  it('gives the stale value instead of a failure, but not instead of a refusal', async () => {
    app = await open();
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
    app = await open();
    expect([await app.products.nothing(), await app.products.nothing(), app.shelf.calls]).toEqual([
      undefined,
      undefined,
      1,
    ]);
  });

  it('gives bytes as bytes', async () => {
    app = await open();
    for (let at = 0; at < 2; at++) expect(await app.products.bytes()).toEqual(Buffer.from([0, 255]));
    expect(app.shelf.calls).toBe(1);
  });

  it('is not cached where JSON would change its value, and says which member', async () => {
    app = await open();
    for (let at = 0; at < 2; at++) expect(await app.products.since()).toEqual({ since: new Date(0) });
    expect(app.shelf.calls).toBe(2);
    expect(app.log.join('\n')).toContain('the value.since is a Date');
  });

  it('is one cache with CACHE_MANAGER', async () => {
    app = await open();
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
    app = await open();
    const products = new ProductsService(new Shelf());
    await products.find('a');
    await products.find('a');
    expect(products.shelf.calls).toBe(2);
  });
});

describe('the default key of a cached method', () => {
  let app: Awaited<ReturnType<typeof open>>;

  afterEach(() => app.close());

  it('distinguishes a class from the one it inherits the method from', async () => {
    app = await open([SaleProductsService]);
    expect(await app.products.search('a')).toEqual({ words: 'string', version: 1 });
    expect(await app.get(SaleProductsService).search('a')).toEqual({ words: 'string', version: 1, sale: true });
    expect(app.shelf.calls).toBe(2);
  });

  it('is not used by two providers of one name, and a warning says so', async () => {
    const other = { provide: 'other', useFactory: (shelf: Shelf) => new ProductsService(shelf), inject: [Shelf] };
    app = await open([other]);
    await app.products.search('a');
    await app.products.search('a');
    expect(app.shelf.calls).toBe(2);
    expect(app.log.filter((line) => line.includes('there are 2 providers of a class ProductsService'))).toHaveLength(1);
    await app.products.find('a');
    await app.app.get<ProductsService>('other', { strict: false }).find('a');
    expect(app.shelf.calls).toBe(3); // with a key of its own it is cached
  });

  it('is used by the one instance that a factory makes', async () => {
    @Injectable()
    class Made {
      calls = 0;
      @Cacheable()
      async read() {
        return Promise.resolve({ calls: ++this.calls });
      }
    }
    app = await open([{ provide: Made, useFactory: () => new Made() }]);
    expect([await app.get(Made).read(), await app.get(Made).read()]).toEqual([{ calls: 1 }, { calls: 1 }]);
  });

  it('is not used by a provider that is made for each request; a key of its own is, with the instance that calls', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class MineService {
      static calls = 0;
      constructor(@Inject(REQUEST) private readonly request: FastifyRequest) {}

      private get user(): string {
        return String(this.request.headers['x-user']);
      }

      @Cacheable()
      async mine() {
        MineService.calls += 1;
        return Promise.resolve({ user: this.user });
      }

      @Cacheable({ key: (user: string) => `mine:${user}` })
      async keyed(_user: string) {
        MineService.calls += 1;
        return Promise.resolve({ user: this.user });
      }
    }
    @Controller()
    class MineController {
      constructor(private readonly service: MineService) {}
      @Get('mine')
      mine() {
        return this.service.mine();
      }
      @Get('keyed/:user')
      keyed(@Param('user') user: string) {
        return this.service.keyed(user);
      }
    }
    const log: string[] = [];
    app = await open();
    const routes = await openRoutes([MineController], { providers: [MineService], log });
    const ask = async (path: string, user: string) =>
      JSON.parse((await routes.get(path, { 'x-user': user })).text) as object;
    expect([await ask('/mine', 'alice'), await ask('/mine', 'bob')]).toEqual([{ user: 'alice' }, { user: 'bob' }]);
    expect(log.filter((line) => line.includes('MineService is not cached: it is made for each request'))).toHaveLength(
      1,
    );
    MineService.calls = 0;
    expect([await ask('/keyed/a', 'a'), await ask('/keyed/a', 'a'), MineService.calls]).toEqual([
      ...[{ user: 'a' }, { user: 'a' }, 1],
    ]);
    await routes.close();
  });
});

describe('a method that changes something', () => {
  let app: Awaited<ReturnType<typeof open>>;

  afterEach(() => app.close());

  it('removes what it names, whether it succeeds or fails', async () => {
    app = await open();
    await app.products.find('a');
    await app.products.remove('a');
    expect((await app.products.find('a')).version).toBe(2);
    app.shelf.failure = new Error('unknown outcome');
    await expect(app.products.remove('a')).rejects.toBe(app.shelf.failure);
    app.shelf.failure = undefined;
    expect((await app.products.find('a')).version).toBe(3);
  });

  it('has a load that began before it stored nowhere', async () => {
    app = await open();
    const release = app.shelf.hold();
    const old = app.products.find('a');
    await waitUntil(() => app.shelf.calls === 1, { what: 'the load' });
    await app.products.remove('a');
    release();
    expect((await old).version).toBe(1);
    expect((await app.products.find('a')).version).toBe(2);
  });

  it('soft-purges by tag', async () => {
    app = await open([], { policy: { staleIfErrorMs: 60_000 } });
    await app.products.find('a');
    await app.products.reprice();
    app.shelf.failure = new Error('down');
    expect((await app.products.find('a')).version).toBe(1);
    app.shelf.failure = undefined;
    expect((await app.products.find('a')).version).toBe(2);
  });

  it('stores what it returns', async () => {
    app = await open();
    await app.products.find('a');
    await app.products.change('a', 7);
    const { calls } = app.shelf;
    expect(await app.products.find('a')).toEqual({ name: 'product a', version: 7 });
    expect(app.shelf.calls).toBe(calls);
    expect(await app.invalidator.invalidate({ tags: ['products'] })).toBe(1);
  });

  it('and one that is overridden, may ask for their own key: they get what the inner call returns', async () => {
    app = await open([SaleProductsService]);
    const sale = app.get(SaleProductsService);
    for (const version of [1, 2, 3]) {
      const value = { name: 'product a on sale', version };
      if (version > 1) expect(await sale.raise('a')).toEqual(value);
      expect(await Promise.all([sale.find('a'), sale.find('a')])).toEqual([value, value]);
      expect(app.shelf.calls).toBe(version);
    }
  });

  it('does not wait for a method that waits for it: it calls that one itself', async () => {
    app = await open([TwinService]);
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
    app = await open();
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
    const a = await open([], { redis });
    const b = await open([], { redis });
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
