import { CACHE_MANAGER, CacheInterceptor, CacheKey, CacheModule, CacheTTL, type Cache } from '@nestjs/cache-manager';
import {
  Controller,
  Delete,
  Get,
  Header,
  Inject,
  NotFoundException,
  Param,
  Res,
  UseInterceptors,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import type { ServerResponse } from 'node:http';
import { ResponseCacheInterceptor, ResponseCacheModule } from '../../src';
import { request } from '../support/raw-http';

/*
 * The rows of docs/guides/migrate-from-cache-interceptor.md: the same controller under Nest's CacheInterceptor and under Larder's.
 */

function controllerWith(kind: string, interceptor: Type): Type {
  @Controller()
  @UseInterceptors(interceptor)
  class ShopController {
    private calls = 0;
    /** How many calls of `slow` end together. */
    private callers = kind === 'stock' ? 10 : 1;

    constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

    @Get('without-rule')
    withoutRule() {
      return { calls: ++this.calls };
    }

    @Get('plain')
    @CacheTTL(60_000)
    plain() {
      return { calls: ++this.calls };
    }

    @Get('slow')
    @CacheTTL(60_000)
    async slow() {
      this.calls += 1;
      while (this.calls < this.callers) await new Promise((resolve) => setImmediate(resolve));
      return {};
    }

    @Get('fields')
    @CacheTTL(60_000)
    fields(@Res({ passthrough: true }) response: ServerResponse) {
      response.statusCode = 203;
      response.setHeader('x-shop', 'open');
      return { calls: ++this.calls };
    }

    @Get('no-store')
    @CacheTTL(60_000)
    @Header('Cache-Control', 'no-store')
    noStore() {
      return { calls: ++this.calls };
    }

    @Get('nothing')
    @CacheTTL(60_000)
    nothing() {
      this.calls += 1;
      return null;
    }

    @Get('named')
    @CacheKey('named')
    named() {
      return { calls: ++this.calls };
    }

    @Delete('named')
    async remove() {
      return { removed: await this.cache.del('named') };
    }

    @Get('endless')
    @CacheTTL(0)
    endless() {
      return { calls: ++this.calls };
    }

    @Get('missing/:id')
    missing(@Param('id') id: string) {
      this.calls += 1;
      throw new NotFoundException(`${id} is missing`);
    }

    @Get('calls')
    @CacheKey(() => undefined)
    count() {
      return this.calls;
    }
  }
  return ShopController;
}

const kinds: readonly (readonly [string, Type, () => DynamicModule])[] = [
  ['stock', CacheInterceptor, () => CacheModule.register()],
  ['larder', ResponseCacheInterceptor, () => ResponseCacheModule.forRoot()],
];

describe.each(kinds)('the same controller under the interceptor of %s', (kind, interceptor, module) => {
  let app: INestApplication;
  let url: string;
  const isStock = kind === 'stock';
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const answer = await request(`${url}/${path}`, { headers, method });
    return { status: answer.status, headers: answer.headers, body: answer.body.toString() };
  };
  /** How many times the handler is called by two requests. */
  const callsOf = async (path: string, ...headers: Record<string, string>[]): Promise<number> => {
    const before = Number((await get('calls')).body);
    await get(path, headers[0]);
    await get(path, headers[1] ?? headers[0]);
    return Number((await get('calls')).body) - before;
  };

  beforeEach(async () => {
    const built = await Test.createTestingModule({
      imports: [module()],
      controllers: [controllerWith(kind, interceptor)],
    })
      .setLogger(false as never)
      .compile();
    app = built.createNestApplication(new ExpressAdapter());
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterEach(() => app.close());

  it('caches a GET without a decorator, or only those with one, and says HIT or MISS in X-Cache', async () => {
    expect(await callsOf('without-rule')).toBe(isStock ? 1 : 2);
    expect(await callsOf('plain')).toBe(1);
    expect((await get('plain?a')).headers['x-cache']).toBe('MISS');
    expect((await get('plain?a')).headers['x-cache']).toBe('HIT');
    expect(await callsOf('endless')).toBe(1);
  });

  it('takes the order of parameters for the same or for another resource', async () => {
    await get('plain?a=1&b=2');
    expect((await get('plain?b=2&a=1')).headers['x-cache']).toBe(isStock ? 'MISS' : 'HIT');
  });

  it('shares responses of callers with credentials, or keeps them out', async () => {
    expect(await callsOf('plain', { authorization: 'Bearer a' }, { authorization: 'Bearer b' })).toBe(isStock ? 1 : 2);
    expect(await callsOf('plain?cookie', { cookie: 'session=a' }, { cookie: 'session=b' })).toBe(isStock ? 1 : 2);
  });

  it('calls the handler for each of ten requests at once, or for one', async () => {
    await Promise.all(Array.from({ length: 10 }, () => get('slow')));
    expect((await get('calls')).body).toBe(isStock ? '10' : '1');
  });

  it('loses or keeps the status and fields that the handler sets', async () => {
    await get('fields');
    const { status, headers } = await get('fields');
    expect([status, headers['x-shop']]).toEqual(isStock ? [200, undefined] : [203, 'open']);
  });

  it("stores a response in spite of the handler's no-store, or not", async () => {
    expect(await callsOf('no-store')).toBe(isStock ? 1 : 2);
  });

  it('calls the handler again where it gave null, or not', async () => {
    expect(await callsOf('nothing')).toBe(isStock ? 2 : 1);
  });

  it('stores no exception', async () => {
    expect(await callsOf('missing/7')).toBe(2);
    expect((await get('missing/7')).body).toBe('{"message":"7 is missing","error":"Not Found","statusCode":404}');
  });

  it('is invalidated by CACHE_MANAGER under the name of @CacheKey', async () => {
    await get('named');
    expect((await get('named')).headers['x-cache']).toBe('HIT');
    await get('named', {}, 'DELETE');
    expect((await get('named')).headers['x-cache']).toBe('MISS');
  });

  it('answers HEAD by the handler, or from the cache, and has a strong or a weak entity tag', async () => {
    const { headers } = await get('plain');
    expect(String(headers['etag']).startsWith('W/')).toBe(isStock);
    expect((await get('plain', { 'if-none-match': String(headers['etag']) })).status).toBe(304);
    expect((await get('plain', {}, 'HEAD')).headers['x-cache']).toBe(isStock ? undefined : 'HIT');
  });
});
