import 'reflect-metadata';
import { CacheInterceptor, CacheModule, type CacheOptions } from '@nestjs/cache-manager';
import { Controller, Get, Module, Param, UseInterceptors } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { heldBytes } from './heap';
import { loadPeer } from './load-peer';
import { payloadOf, type Payload } from './payload';
import { fetchUser } from './upstream';

/*
 * What the Nest documentation tells to do: `CacheModule` and `CacheInterceptor`, in memory or with @keyv/redis
 * (REDIS_URL), on Fastify or Express (ADAPTER).
 */

interface KeyvRedis {
  readonly createKeyv: (url: string) => unknown;
}

interface PlatformExpress {
  ExpressAdapter: new () => AbstractHttpAdapter;
}

@Controller()
export class StockController {
  @Get('payload/:bytes')
  @UseInterceptors(CacheInterceptor)
  payload(@Param('bytes') bytes: string): Payload {
    return payloadOf(Number(bytes));
  }

  @Get('users/:account')
  @UseInterceptors(CacheInterceptor)
  user(@Param('account') account: string): Promise<Record<string, unknown>> {
    return fetchUser(account);
  }

  @Get('heap')
  heap(): { bytes: number } {
    return { bytes: heldBytes() };
  }
}

@Module({ imports: [CacheModule.register(cacheOptions())], controllers: [StockController] })
export class StockModule {}

function cacheOptions(): CacheOptions {
  const ttl = Number(process.env['TTL_MS'] ?? 3_600_000);
  const url = process.env['REDIS_URL'];
  if (url === undefined) return { ttl };
  const { createKeyv } = loadPeer<KeyvRedis>('@keyv/redis');
  return { ttl, stores: [createKeyv(url)] as unknown as CacheOptions['stores'] };
}

async function boot(): Promise<void> {
  const adapter =
    process.env['ADAPTER'] === 'express'
      ? new (loadPeer<PlatformExpress>('@nestjs/platform-express').ExpressAdapter)()
      : new FastifyAdapter();
  const app = await NestFactory.create(StockModule, adapter, { logger: ['error', 'warn'] });
  await app.listen(Number(process.env['PORT']), '127.0.0.1');
}

void boot();
