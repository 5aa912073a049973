import { Cache as CacheToken, CACHE_MANAGER, CacheKey, CacheTTL, type Cache } from '@nestjs/cache-manager';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  NotFoundException,
  Post,
  Req,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyRequest } from 'fastify';
import { createAdapter } from '../../src/bootstrap/app.setup';
import {
  CacheInvalidator,
  CacheRule,
  ResponseCacheInterceptor,
  ResponseCacheModule,
  type TaggingCache,
} from '../../src/cache';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

const policy = {
  ttlMs: 60_000,
  negativeTtlMs: 1_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  jitter: 0,
  earlyRefreshBeta: 0,
};

/** Around the cache: values are handed on. */
class AsNothing implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

/** What a team has that used @nestjs/cache-manager so far. */
@Controller('shop')
@UseInterceptors(ResponseCacheInterceptor)
class ShopController {
  static calls = 0;
  static value: unknown;

  constructor(@Inject(CACHE_MANAGER) readonly cache: Cache) {}

  @Get('items')
  @CacheKey('shop-items')
  @CacheTTL(60_000)
  items() {
    return { call: ++ShopController.calls };
  }

  @Get('brief')
  @CacheTTL(20)
  brief() {
    return { call: ++ShopController.calls };
  }

  @Get('dynamic')
  @CacheKey((context) => `dynamic:${context.switchToHttp().getRequest<FastifyRequest>().headers['x-tenant'] as string}`)
  dynamic(@Req() request: FastifyRequest) {
    return { tenant: request.headers['x-tenant'], call: ++ShopController.calls };
  }

  @Get('created')
  @CacheRule({ upstream: 'shop' })
  @HttpCode(203)
  @Header('x-kept', 'yes')
  created() {
    return { call: ++ShopController.calls };
  }

  @Get('private')
  @CacheRule({ upstream: 'shop' })
  @Header('cache-control', 'private')
  forOne() {
    return { call: ++ShopController.calls };
  }

  @Get('any')
  @CacheKey('shop-any')
  @CacheTTL(60_000)
  any() {
    ShopController.calls += 1;
    return ShopController.value;
  }

  @Get('html')
  @CacheKey('shop-html')
  @CacheTTL(60_000)
  @Header('content-type', 'text/html; charset=utf-8')
  html() {
    return '<p>hi</p>';
  }

  @Get('missing')
  @CacheKey('shop-missing')
  @CacheRule({ upstream: 'shop', negativeTtlMs: 60_000 })
  missing() {
    ShopController.calls += 1;
    throw new NotFoundException('no such item');
  }

  @Post('items')
  @CacheKey('shop-items')
  add() {
    return { call: ++ShopController.calls };
  }
}

@Controller('shop')
@UseInterceptors(AsNothing, ResponseCacheInterceptor)
class HandedController {
  @Get('handed')
  @CacheKey('shop-handed')
  @CacheTTL(60_000)
  handed() {
    ShopController.calls += 1;
    return ShopController.value;
  }
}

async function open(redis?: RedisProcess): Promise<NestFastifyApplication> {
  const module = await Test.createTestingModule({
    imports: [
      ResponseCacheModule.forRootAsync({
        useFactory: () => ({
          policy,
          l1: { maxBytes: 10_000_000, maxEntries: 1_000 },
          leaseMs: 2_000,
          deadlineMs: 2_000,
          staleAfterMs: 1_000,
          loadTimeoutMs: 2_000,
          maxEntryBytes: 1_000_000,
          fastPathEnabled: true,
          redis: redis && {
            endpoint: parseRedisEndpoint(redis.uri),
            keyPrefix: 'shop',
            commandTimeoutMs: 10_000,
            tls: {},
          },
        }),
      }),
    ],
    controllers: [ShopController, HandedController],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter());
  await app.listen(0, '127.0.0.1');
  return app;
}

describe.each(['memory', 'redis'] as const)("Nest's own cache API over the store in %s", (kind) => {
  let redis: RedisProcess | undefined;
  let app: NestFastifyApplication;
  let cache: Cache;

  beforeAll(async () => {
    redis = kind === 'redis' ? await RedisProcess.start() : undefined;
    app = await open(redis);
    cache = app.get<Cache>(CACHE_MANAGER);
    await waitUntil(
      async () =>
        await cache.set('up', 1).then(
          () => true,
          () => false,
        ),
      { what: 'the store' },
    );
  });
  afterAll(async () => {
    await app.close();
    await redis?.stop();
  });

  const send = async (path: string, options: Parameters<typeof request>[1] = {}) =>
    request(`${await app.getUrl()}${path}`, options);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await send(path, { headers });
    return { status, headers: fields, json: JSON.parse(body.toString()) as Record<string, unknown> };
  };

  it('keeps the meaning of @CacheKey and @CacheTTL', async () => {
    const first = await get('/shop/items');
    const second = await get('/shop/items?ignored=as-in-nest');
    expect([first.headers['x-cache'], second.headers['x-cache'], second.json]).toEqual(['MISS', 'HIT', first.json]);
    const { json } = await get('/shop/brief');
    await waitUntil(async () => (await get('/shop/brief')).json['call'] !== json['call'], { what: 'the end of 20 ms' });
  });

  it('asks a key that is a function', async () => {
    const a = await get('/shop/dynamic', { 'x-tenant': 'a' });
    const b = await get('/shop/dynamic', { 'x-tenant': 'b' });
    expect([a.json['tenant'], b.json['tenant']]).toEqual(['a', 'b']);
    expect((await get('/shop/dynamic', { 'x-tenant': 'a' })).json).toEqual(a.json);
  });

  it('keeps status and header fields of a hit', async () => {
    await get('/shop/created');
    const hit = await get('/shop/created');
    expect([hit.status, hit.headers['x-kept'], hit.headers['x-cache']]).toEqual([203, 'yes', 'HIT']);
  });

  it('caches neither what is private nor what is asked with credentials under a key that names no caller', async () => {
    const calls = ShopController.calls;
    await get('/shop/private');
    await get('/shop/private');
    await get('/shop/created', { authorization: 'Bearer a' });
    expect(ShopController.calls).toBe(calls + 3);
  });

  it('never caches a POST', async () => {
    const calls = ShopController.calls;
    await send('/shop/items', { method: 'POST' });
    await send('/shop/items', { method: 'POST' });
    expect(ShopController.calls).toBe(calls + 2);
  });

  it('is one cache with the interceptor: reads, deletes and sets count in both', async () => {
    const { json } = await get('/shop/items');
    expect(await cache.get('shop-items')).toEqual(json);
    await cache.del('shop-items');
    expect((await get('/shop/items')).json['call']).not.toBe(json['call']);
    await cache.set('shop-items', { call: 'set by hand' }, 60_000);
    expect(await get('/shop/items')).toMatchObject({ json: { call: 'set by hand' }, headers: { 'x-cache': 'HIT' } });
    await cache.del('shop-items');
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
    const form = ({ status, headers, body }: Awaited<ReturnType<typeof send>>) => [
      status,
      headers['content-type'],
      body.toString('latin1'),
    ];

    it.each(values)('gives what its handler returned: %s', async (_what, value) => {
      for (const path of pathsOf(value)) {
        ShopController.value = value;
        await cache.del(`shop-${path}`);
        await send(`/shop/${path}`);
        expect(await cache.get(`shop-${path}`)).toEqual(value);
      }
    });

    it.each(values)('is answered by the route as if its handler had returned it: %s', async (_what, value, type) => {
      for (const path of pathsOf(value)) {
        ShopController.value = value;
        await cache.del(`shop-${path}`);
        const returned = form(await send(`/shop/${path}`));
        expect(returned[1]).toBe(type);
        await cache.del(`shop-${path}`);
        await cache.set(`shop-${path}`, value, 60_000);
        const { calls } = ShopController;
        expect(form(await send(`/shop/${path}`))).toEqual(returned);
        expect(ShopController.calls).toBe(calls);
      }
    });

    it('gives text of any kind as text', async () => {
      await send('/shop/html');
      expect(await cache.get('shop-html')).toBe('<p>hi</p>');
    });

    it('has nothing of an error that the route keeps', async () => {
      expect((await send('/shop/missing')).status).toBe(404);
      expect(await cache.get('shop-missing')).toBeUndefined();
      const { calls } = ShopController;
      expect((await send('/shop/missing')).status).toBe(404);
      expect(ShopController.calls).toBe(calls);
    });
  });

  it('wraps: calls once, then gives what is stored', async () => {
    let calls = 0;
    const wrapped = () => cache.wrap('wrapped', () => ({ calls: ++calls }), 60_000);
    expect([await wrapped(), await wrapped(), calls]).toEqual([{ calls: 1 }, { calls: 1 }, 1]);
  });

  it('keeps any JSON value, and ends it with its ttl', async () => {
    for (const value of [1, 'text', false, null, [1, { a: null }], { deep: { er: [] } }]) {
      await cache.set('value', value, 60_000);
      expect(await cache.get('value')).toEqual(value);
    }
    await cache.set('value', 1, 15);
    await waitUntil(async () => (await cache.get('value')) === undefined, { what: 'the end of 15 ms' });
  });

  it('returns undefined for missing entries, and reads and deletes many', async () => {
    expect(await cache.get('nothing')).toBeUndefined();
    await cache.mset([
      { key: 'm1', value: 1 },
      { key: 'm2', value: 2 },
    ]);
    expect(await cache.mget(['m1', 'm2', 'm3'])).toEqual([1, 2, undefined]);
    await cache.mdel(['m1', 'm2']);
    expect(await cache.mget(['m1', 'm2'])).toEqual([undefined, undefined]);
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
      await expect(cache.set('refused', value)).rejects.toThrow(why);
      expect(await cache.get('refused')).toBeUndefined();
    });

    it.each(refused)('are returned to the caller of wrap unchanged, and not stored: %s', async (_what, value) => {
      let calls = 0;
      const wrapped = () => cache.wrap('refused', () => (calls++, value), 60_000);
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
    await cache.set('bytes', value, 60_000);
    const found = await cache.get<object>('bytes');
    expect(found).toEqual(value);
    expect(found?.constructor).toBe(value.constructor);
    const { buffer, byteOffset } = found as Uint8Array<ArrayBuffer>;
    new Uint8Array(buffer, byteOffset)[0] = 77; // the caller's own
    expect(await cache.get('bytes')).toEqual(value);
  });

  it.each([
    ['undefined', undefined, 60_000],
    ['a value whose lifetime is over', 2, -1],
  ])('has nothing more of a key that is set to %s', async (_what, value, ttl) => {
    await cache.set('replaced', 1, 60_000);
    await cache.set<unknown>('replaced', value, ttl);
    expect(await cache.get('replaced')).toBeUndefined();
  });

  it('iterates over keys and values', async () => {
    await cache.clear();
    await cache.set('i 1 \u00e9', { a: 1 });
    await cache.set('i2', 'two');
    const [keyv] = cache.stores;
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
    const all = Array.from({ length: 20 }, () => cache.wrap('together', load, 60_000));
    await waitUntil(() => calls === 1, { what: 'the load' });
    open();
    expect(await Promise.all(all)).toEqual(Array.from({ length: 20 }, () => ({ calls: 1 })));
    const failure = new Error('down');
    await expect(cache.wrap('failing', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await cache.wrap('failing', () => 'up')).toBe('up');
  });

  it('wraps: undefined is not kept, null is', async () => {
    let calls = 0;
    const wrap = (value: unknown) => cache.wrap('none', () => (calls++, value), 60_000);
    expect([await wrap(undefined), await wrap(undefined), calls]).toEqual([undefined, undefined, 2]);
    expect([await wrap(null), await wrap(1), calls]).toEqual([null, null, 3]);
  });

  it('wraps with a ttl by value, a refresh before the end, and the raw form', async () => {
    const ttl = (value: number) => (value === 1 ? 20 : 60_000);
    expect(await cache.wrap('by-value', () => 1, ttl)).toBe(1);
    await waitUntil(async () => (await cache.wrap('by-value', () => 2, ttl)) === 2, { what: 'the end of 20 ms' });
    expect(await cache.wrap('by-value', () => 3, ttl)).toBe(2);
    let version = 1;
    const early = () => cache.wrap('early', () => version, { ttl: 60_000, refreshThreshold: 59_990 });
    expect(await early()).toBe(1);
    version = 2;
    await waitUntil(async () => (await early()) === 2, { what: 'the refresh' });
    const { value, expires } = (await cache.wrap('raw', () => 'x', { ttl: 60_000, raw: true })) as {
      value: string;
      expires: number;
    };
    expect(value).toBe('x');
    expect(expires).toBeGreaterThan(Date.now());
  });

  it('removes by tags what was set or wrapped with them', async () => {
    const tagging = app.get<TaggingCache>(CACHE_MANAGER);
    await tagging.set('t1', 1, { tags: ['prices'] });
    await tagging.wrap('t2', () => 2, { ttl: 60_000, tags: ['prices', 'others'] });
    await tagging.set('t3', 3, { ttl: 60_000 });
    expect(await app.get(CacheInvalidator).invalidate({ tags: ['prices'], keys: ['t4'] })).toBe(2);
    expect(await cache.mget(['t1', 't2', 't3'])).toEqual([undefined, undefined, 3]);
  });

  it('is what is injected as Cache, too', () => {
    expect(app.get(CacheToken)).toBe(cache);
  });

  it('clears what is ours and nothing else', async () => {
    await redis?.command('SET', 'other-application', '1');
    await cache.set('mine', 1, 60_000);
    await cache.clear();
    expect(await cache.get('mine')).toBeUndefined();
    if (redis) expect(await redis.command('GET', 'other-application')).toBe('1');
  });
});
