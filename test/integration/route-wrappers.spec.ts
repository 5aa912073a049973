import { CacheKey, CacheTTL } from '@nestjs/cache-manager';
import { Controller, Get, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { map } from 'rxjs';
import { NotModified, ResponseCacheInterceptor, CacheableResult, CurrentLoad, type HandlerLoad } from '../../src/cache';
import { openRoutes, type RouteApp } from '../support/route-app';

let calls: number;
const price = () => new CacheableResult({ price: ++calls }, { tags: ['prices'], validators: { etag: '"1"' } });

/** Makes an object anew of each that it gets, as a serialiser does. */
class Rebuild implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ({ ...(value as object) })));
  }
}

/** Cached as in stock Nest, without a rule; an interceptor is between the cache and the handlers. */
@Controller('by-method')
@UseInterceptors(ResponseCacheInterceptor, Rebuild)
class ByMethodController {
  @Get('ttl')
  @CacheTTL(60_000)
  byTtl() {
    return price();
  }

  @Get('key')
  @CacheKey('price')
  byKey() {
    return price();
  }

  @Get('validated')
  @CacheTTL(60_000)
  validated(@CurrentLoad() { validators }: HandlerLoad) {
    return validators === undefined ? price() : new NotModified();
  }
}

@Controller('by-class')
@CacheTTL(60_000)
@UseInterceptors(ResponseCacheInterceptor, Rebuild)
class ByClassController {
  @Get('ttl')
  byClass() {
    return price();
  }
}

@Controller('around')
@UseInterceptors(Rebuild, ResponseCacheInterceptor)
class AroundController {
  @Get('ttl')
  @CacheTTL(60_000)
  around() {
    return price();
  }
}

describe('what a handler wraps its value in, on a route without @CacheRule,', () => {
  let app: RouteApp;
  beforeEach(async () => {
    calls = 0;
    app = await openRoutes([ByMethodController, ByClassController, AroundController], {
      policy: { staleIfErrorMs: 60_000 },
    });
  });
  afterEach(() => app.close());

  it.each(['/by-method/ttl', '/by-method/key', '/by-class/ttl', '/around/ttl'])(
    'is seen by no interceptor, and counts for the entry: %s',
    async (path) => {
      for (const cached of ['MISS', 'HIT']) {
        const { status, text, headers } = await app.get(path);
        expect([status, text, headers['x-cache']]).toEqual([200, '{"price":1}', cached]);
      }
      expect(await app.cache?.invalidate({ kind: 'tag', tag: 'prices' })).toBe(1);
      expect((await app.get(path)).text).toBe('{"price":2}');
    },
  );

  it('may say that the stored answer still holds', async () => {
    expect((await app.get('/by-method/validated')).text).toBe('{"price":1}');
    await app.cache?.invalidate({ kind: 'prefix', prefix: '' }, 'stale');
    const { text, headers } = await app.get('/by-method/validated');
    expect([text, headers['cache-status']]).toEqual(['{"price":1}', expect.stringContaining('fwd-status=304')]);
  });
});
