import { CACHE_MANAGER, CacheModule, type Cache } from '@nestjs/cache-manager';
import {
  Controller,
  Get,
  Inject,
  UseInterceptors,
  type INestApplicationContext,
  type LoggerService,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  CacheInvalidator,
  CacheRule,
  ResponseCacheInterceptor,
  ResponseCacheModule,
  StoreHealth,
} from '../../src/cache';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';

@Controller('items')
@UseInterceptors(ResponseCacheInterceptor)
class ItemsController {
  private calls = 0;

  constructor(@Inject(CACHE_MANAGER) readonly cache: unknown) {}

  @Get()
  @CacheRule({ upstream: 'shop', tags: () => ['items'] })
  list() {
    return { calls: ++this.calls };
  }
}

let app: INestApplicationContext;
let redis: RedisProcess;
beforeAll(async () => (redis = await RedisProcess.start()));
afterAll(() => redis.stop());
afterEach(() => app.close());

async function open(adapter: object, imports: Parameters<typeof Test.createTestingModule>[0]['imports']) {
  const warned: string[] = [];
  const warn = (message: unknown): void => void warned.push(String(message));
  const silent = (): void => undefined;
  const logger: LoggerService = { log: silent, warn, error: silent, fatal: silent };
  const module = await Test.createTestingModule({ imports: imports ?? [], controllers: [ItemsController] }).compile();
  const server = module.createNestApplication(adapter as never, { logger });
  app = server;
  await server.listen(0, '127.0.0.1');
  const url = `${await server.getUrl()}/items`;
  const get = async () => {
    const { headers, body } = await request(url);
    return [headers['x-cache'], body.toString()];
  };
  return { get, warned };
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('on %s, forRoot()', (_name, adapter) => {
  it('without options caches in this process, and is invalidated from code', async () => {
    const { get, warned } = await open(adapter(), [ResponseCacheModule.forRoot()]);
    expect([await get(), await get()]).toEqual([
      ['MISS', '{"calls":1}'],
      ['HIT', '{"calls":1}'],
    ]);
    expect(await app.get(CacheInvalidator, { strict: false }).invalidate({ tags: ['items'] })).toBe(1);
    expect(await get()).toEqual(['MISS', '{"calls":2}']);
    expect(warned).toEqual([]);
  });

  it('with the URI of a Redis shares entries through it', async () => {
    const { get } = await open(adapter(), [
      ResponseCacheModule.forRootAsync({ useFactory: () => ({ redis: { url: redis.uri, keyPrefix: _name } }) }),
    ]);
    const health = app.get(StoreHealth, { strict: false });
    await waitUntil(() => health.get().isUp, { what: 'Redis' });
    expect(await get()).toEqual(['MISS', '{"calls":1}']);
    await waitUntil(async () => (await redis.command('KEYS', `${_name}:*`)).includes('items'), {
      what: 'the entry',
    });
    expect(await get()).toEqual(['HIT', '{"calls":1}']);
  });
});

it("warns of a CacheModule of the application's own, and says what to do", async () => {
  const { warned } = await open(new FastifyAdapter(), [ResponseCacheModule.forRoot(), CacheModule.register()]);
  expect(warned).toEqual([
    expect.stringMatching(/^CacheModule provides CACHE_MANAGER too: .*Remove CacheModule\.register/),
  ]);
});

it('works in an application without HTTP: a command or a microservice', async () => {
  app = await NestFactory.createApplicationContext(ResponseCacheModule.forRoot(), { logger: false });
  const cache = app.get<Cache>(CACHE_MANAGER, { strict: false });
  await cache.set('price', { price: 1 }, 60_000);
  expect(await cache.get('price')).toEqual({ price: 1 });
});
