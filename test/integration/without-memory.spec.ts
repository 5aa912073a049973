import { Controller, Get, Module, UseInterceptors } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { gunzipSync } from 'node:zlib';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheRule, ResponseCacheInterceptor, ResponseCacheModule } from '../../src/cache';
import { CacheStore } from '../../src/cache/store/cache-store';
import { StoreHealth } from '../../src/cache/nest/store-health';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { plainSettings } from '../support/response-cache';
import { waitUntil } from '../support/wait-until';

let text = '';
let loads = 0;

@Controller('things')
@UseInterceptors(ResponseCacheInterceptor)
class ThingsController {
  @Get('large')
  @CacheRule({ upstream: 'things', key: () => 'large' })
  large() {
    loads += 1;
    return { text };
  }
}

describe('without entries in memory, a hit in Redis', () => {
  let redis: RedisProcess;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    @Module({
      imports: [
        ResponseCacheModule.forRootAsync({
          useFactory: () => ({
            ...plainSettings,
            l1: { maxBytes: 0, maxEntries: 1_000 },
            redis: { endpoint: parseRedisEndpoint(redis.uri), keyPrefix: 'larder', commandTimeoutMs: 2_000, tls: {} },
            deadlineMs: 5_000,
          }),
        }),
      ],
      controllers: [ThingsController],
    })
    class ThingsModule {}
    const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
    app = module.createNestApplication<NestFastifyApplication>(createAdapter());
    await app.listen(0, '127.0.0.1');
    await waitUntil(() => app.get(StoreHealth, { strict: false }).get().isUp, { what: 'Redis' });
  });
  afterAll(async () => {
    await app.close();
    await redis.stop();
  });

  const read = async (takesGzip: boolean) => {
    const { port } = app.getHttpServer().address() as { port: number };
    const headers = takesGzip ? { 'accept-encoding': 'gzip' } : {};
    const answer = await request(`http://127.0.0.1:${port}/things/large`, { headers });
    const isGzip = answer.headers['content-encoding'] === 'gzip';
    const { text: seen } = JSON.parse((isGzip ? gunzipSync(answer.body) : answer.body).toString()) as { text: string };
    return { status: String(answer.headers['cache-status']), isGzip, seen };
  };

  it.each(['first', 'second', 'third'])('is what is stored, in the coding that was asked for (%s)', async (word) => {
    text = `${word} `.repeat(1_000);
    loads = 0;
    await app.get(CacheStore, { strict: false }).invalidate({ kind: 'prefix', prefix: 'things:' }, 'purge');
    expect((await read(true)).seen).toBe(text);
    for (const takesGzip of [true, false, true, false, false]) {
      const answer = await read(takesGzip);
      expect(answer.status).toContain('detail=HIT/l2');
      expect([answer.isGzip, answer.seen]).toEqual([takesGzip, text]);
    }
    expect(loads).toBe(1);
  });
});
