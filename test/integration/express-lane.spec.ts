import {
  Controller,
  Get,
  Injectable,
  Module,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestModule,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyRequest } from 'fastify';
import { createAdapter } from '../../src/app.setup';
import { CacheRule, ResponseCacheInterceptor, ResponseCacheModule } from '../../src/cache';
import { EDGE_FIELDS } from '../../src/http/edge-hooks';
import { keptProblem } from '../../src/http/problem-table';
import { rawRequest, request } from '../support/raw-http';

const policy = { ttlMs: 60_000, negativeTtlMs: 1_000, swrMs: 0, sieMs: 0, jitter: 0, earlyRefreshBeta: 0 };

/** What must run on every request, and did. */
const seen = { guard: 0, interceptor: 0, middleware: 0 };

@Injectable()
class CountingGuard implements CanActivate {
  canActivate(): boolean {
    seen.guard += 1;
    return true;
  }
}

@Injectable()
class CountingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    seen.interceptor += 1;
    return next.handle();
  }
}

const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id;

@Controller('things')
@UseInterceptors(ResponseCacheInterceptor)
class ThingsController {
  @Get('plain/:id')
  @CacheRule({ upstream: 'things', key: (request) => `plain:${idOf(request)}` })
  plain() {
    return { text: 'ü'.repeat(10) };
  }

  @Get('large/:id')
  @CacheRule({ upstream: 'things', key: (request) => `large:${idOf(request)}` })
  large() {
    return { text: 'x'.repeat(100_000) };
  }

  @Get('marked/:id')
  @CacheRule({ upstream: 'things', key: (request) => `marked:${idOf(request)}`, marker: 'cached' })
  marked() {
    return { value: 1 };
  }

  @Get('guarded/:id')
  @UseGuards(CountingGuard)
  @CacheRule({ upstream: 'things', key: (request) => `guarded:${idOf(request)}` })
  guarded() {
    return { value: 1 };
  }

  @Get('tenant')
  @CacheRule({ upstream: 'things', key: ({ headers }) => `tenant:${String(headers['x-tenant'])}` })
  tenant() {
    return { value: 1 };
  }
}

/** An interceptor in front of the cache's. */
@Controller('watched')
@UseInterceptors(CountingInterceptor, ResponseCacheInterceptor)
class WatchedController {
  @Get(':id')
  @CacheRule({ upstream: 'things', key: (request) => `watched:${idOf(request)}` })
  watched() {
    return { value: 1 };
  }
}

async function open(laneEnabled: boolean): Promise<NestFastifyApplication> {
  @Module({
    imports: [
      ResponseCacheModule.registerAsync({
        useFactory: () => ({
          policy,
          l1: { maxBytes: 10_000_000, maxEntries: 1_000 },
          leaseMs: 2_000,
          deadlineMs: 2_000,
          staleAfterMs: 1_000,
          loadTimeoutMs: 2_000,
          maxEntryBytes: 1_000_000,
          laneEnabled,
          edgeFields: EDGE_FIELDS,
          problemOf: keptProblem,
        }),
      }),
    ],
    controllers: [ThingsController, WatchedController],
  })
  class ThingsModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer
        .apply((_request: unknown, _response: unknown, next: () => void) => {
          seen.middleware += 1;
          next();
        })
        .forRoutes('*path');
    }
  }
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter());
  await app.listen(0, '127.0.0.1');
  return app;
}

const portOf = (app: NestFastifyApplication) => (app.getHttpServer().address() as { port: number }).port;

describe('a fresh hit in memory', () => {
  let withLane: NestFastifyApplication;
  let without: NestFastifyApplication;

  beforeAll(async () => {
    [withLane, without] = await Promise.all([open(true), open(false)]);
  });
  afterAll(() => Promise.all([withLane.close(), without.close()]));

  /** The third answer: the first loads, the second teaches the lane the route. */
  async function thirdAnswer(app: NestFastifyApplication, line: string, fields: string): Promise<string> {
    const bytes = `${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${fields}\r\n`;
    const warm = `GET ${line.split(' ')[1]!} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    for (let times = 0; times < 2; times++) await rawRequest(portOf(app), warm);
    const answer = (await rawRequest(portOf(app), bytes)).toString('latin1');
    return answer.replace(/(x-request-id|x-response-time|Date): .*/g, '$1: …');
  }

  it.each([
    ['GET /things/plain/1', ''],
    ['HEAD /things/plain/1', ''],
    ['GET /things/large/1', ''],
    ['GET /things/marked/1', ''],
    ['GET /things/plain/1', 'if-none-match: *\r\n'],
    ['GET /things/plain/1', 'if-none-match: "other"\r\n'],
    ['GET /things/plain/1?query=is-not-in-the-key', ''],
    ['GET /things/plain/1', 'origin: https://elsewhere.example\r\n'],
  ])('is the same to the byte by the lane and by the interceptor: %s %j', async (line, fields) => {
    const [lane, interceptor] = await Promise.all([
      thirdAnswer(withLane, line, fields),
      thirdAnswer(without, line, fields),
    ]);
    expect(lane).toContain('detail=HIT/l1');
    expect(lane).toBe(interceptor);
  });

  it.each([
    ['guard', '/things/guarded/1'],
    ['interceptor', '/watched/1'],
    ['middleware', '/things/plain/2'],
  ] as const)('passes by no %s', async (what, path) => {
    const before = seen[what];
    for (let times = 0; times < 5; times++)
      expect((await request(`http://127.0.0.1:${portOf(withLane)}${path}`)).status).toBe(200);
    expect(seen[what]).toBe(before + 5);
  });

  it('is told apart by whatever its key is made of', async () => {
    const ask = (tenant: string) =>
      request(`http://127.0.0.1:${portOf(withLane)}/things/tenant`, { headers: { 'x-tenant': tenant } });
    for (let times = 0; times < 3; times++) await ask('a');
    expect((await ask('a')).headers['x-cache']).toBe('HIT');
    expect((await ask('b')).headers['x-cache']).toBe('MISS');
  });
});
