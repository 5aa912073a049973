import { CACHE_MANAGER, CacheKey, CacheTTL, type Cache } from '@nestjs/cache-manager';
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
import { CacheRule, ResponseCacheInterceptor, ResponseCacheModule } from '../../src/cache';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { request } from './raw-http';
import { RedisProcess } from './redis-process';
import { waitUntil } from './wait-until';
import { plainSettings } from './response-cache';

/** Around the cache: values are handed on. */
class AsNothing implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

/** What a team has that used @nestjs/cache-manager so far. */
@Controller('shop')
@UseInterceptors(ResponseCacheInterceptor)
export class ShopController {
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
          ...plainSettings,
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

/** Such an application for the tests of a block, over the store in memory or in Redis. */
export function useNestShop(kind: 'memory' | 'redis') {
  const shop = {} as { app: NestFastifyApplication; cache: Cache; redis: RedisProcess | undefined };
  beforeAll(async () => {
    const redis = kind === 'redis' ? await RedisProcess.start() : undefined;
    const app = await open(redis);
    const cache = app.get<Cache>(CACHE_MANAGER);
    Object.assign(shop, { app, cache, redis });
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
    await shop.app.close();
    await shop.redis?.stop();
  });
  const send = async (path: string, options: Parameters<typeof request>[1] = {}) =>
    request(`${await shop.app.getUrl()}${path}`, options);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await send(path, { headers });
    return { status, headers: fields, json: JSON.parse(body.toString()) as Record<string, unknown> };
  };
  return Object.assign(shop, { send, get });
}
