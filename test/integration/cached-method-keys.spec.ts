import { Controller, Get, Inject, Injectable, Param, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Cacheable } from '../../src/cache';
import { openRoutes } from '../support/route-app';
import { openShop, ProductsService, SaleProductsService, Shelf } from '../support/product-shop';

describe('the default key of a cached method', () => {
  let app: Awaited<ReturnType<typeof openShop>>;

  afterEach(() => app.close());

  it('distinguishes a class from the one it inherits the method from', async () => {
    app = await openShop([SaleProductsService]);
    expect(await app.products.search('a')).toEqual({ words: 'string', version: 1 });
    expect(await app.get(SaleProductsService).search('a')).toEqual({ words: 'string', version: 1, sale: true });
    expect(app.shelf.calls).toBe(2);
  });

  it('is not used by two providers of one name, and a warning says so', async () => {
    const other = { provide: 'other', useFactory: (shelf: Shelf) => new ProductsService(shelf), inject: [Shelf] };
    app = await openShop([other]);
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
    app = await openShop([{ provide: Made, useFactory: () => new Made() }]);
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
    app = await openShop();
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
