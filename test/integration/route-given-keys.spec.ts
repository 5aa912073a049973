import { CACHE_MANAGER, CacheKey, CacheTTL, type Cache } from '@nestjs/cache-manager';
import {
  Controller,
  Get,
  Head,
  Query,
  Req,
  Res,
  UseInterceptors,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';
import { four, inTurn } from './in-turn';

let calls: number;
const requestOf = (context: ExecutionContext): FastifyRequest => context.switchToHttp().getRequest<FastifyRequest>();

const nameOf = ({ headers }: FastifyRequest): string | undefined => headers['x-name']?.toString();

@Controller('class-key')
@CacheKey('one-for-all')
@CacheTTL(60_000)
@UseInterceptors(ResponseCacheInterceptor)
class ClassKey {
  @Get('a')
  a() {
    return 'a';
  }

  @Get('b')
  b() {
    return 'b';
  }
}

@Controller('rules')
@UseInterceptors(ResponseCacheInterceptor)
class KeyRules {
  @Get('named')
  @CacheKey('named')
  @CacheRule({ upstream: 'rules', keyBy: nameOf })
  named(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('made')
  @CacheKey((context) => Promise.resolve(`made/${requestOf(context).url.length}`))
  @CacheRule({ upstream: 'rules', keyBy: nameOf })
  made(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('part')
  @CacheRule({ upstream: 'rules', resource: () => 'r', key: nameOf })
  part(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('by')
  @CacheRule({ upstream: 'rules', keyBy: nameOf })
  by(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('keyed')
  @CacheRule({ upstream: 'rules', key: nameOf })
  keyed(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('promise')
  @CacheRule({ upstream: 'rules', key: (request) => Promise.resolve(nameOf(request)) as never })
  promise(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('rejected')
  @CacheRule({ upstream: 'rules', keyBy: () => Promise.reject(new Error('no session')) as never })
  rejected(@Req() request: FastifyRequest) {
    return { name: nameOf(request), calls: ++calls };
  }

  @Get('list')
  @CacheRule({ upstream: 'rules', key: ({ query }) => (query as { id: string }).id })
  list(@Query('id') id: unknown) {
    return { id, calls: ++calls };
  }

  @Get('number')
  @CacheKey((context) => requestOf(context).url.length as never)
  @CacheTTL(60_000)
  number() {
    return { calls: ++calls };
  }
}

@Controller('nest')
@UseInterceptors(ResponseCacheInterceptor)
class NestKeys {
  @Get('me')
  @CacheKey((context) => (requestOf(context).headers['x-session'] ? undefined : '/x/me'))
  @CacheTTL(60_000)
  me(@Req() { headers }: FastifyRequest) {
    calls += 1;
    return { session: headers['x-session'] ?? null };
  }

  @Get('default-ttl')
  @CacheKey('default-ttl')
  @CacheTTL(() => undefined as never)
  defaultTtl() {
    return { calls: ++calls };
  }

  @Head('x')
  @CacheTTL(60_000)
  head(@Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('x-from', 'head');
  }

  @Get('x')
  @CacheTTL(60_000)
  get() {
    calls += 1;
    return { from: 'get' };
  }

  @Get('endless')
  @CacheTTL(0)
  endless() {
    return { calls: ++calls };
  }

  @Get('infinite')
  @CacheTTL(Infinity)
  infinite() {
    return { calls: ++calls };
  }

  @Get('infinite-rule')
  @CacheRule({
    upstream: 'nest',
    ttlMs: 1e300,
    staleWhileRevalidateMs: Infinity,
    staleIfErrorMs: NaN,
    negativeTtlMs: Infinity,
  })
  infiniteRule() {
    return { calls: ++calls };
  }

  @Get('endless-rule')
  @CacheRule({ upstream: 'nest', ttlMs: 0 })
  endlessRule() {
    return { calls: ++calls };
  }
}

let app: RouteApp;
let redis: RedisProcess | undefined;
const open = async (controllers: Type[], options: RouteAppOptions = {}): Promise<RouteApp> =>
  (app = await openRoutes(controllers, options));

beforeEach(() => (calls = 0));
afterEach(async () => {
  await app.close();
  await redis?.stop();
  redis = undefined;
});

describe('what a rule gives for a key', () => {
  const alice = { 'x-name': 'alice' };
  const bob = { 'x-name': 'bob' };

  it.each(['named', 'made', 'by', 'keyed', 'part'])('distinguishes callers: %s', async (path) => {
    await open([KeyRules]);
    expect(await inTurn(app, `/rules/${path}`, [alice, bob])).toEqual(
      four([
        { name: 'alice', calls: 1 },
        { name: 'bob', calls: 2 },
      ]),
    );
  });

  it.each(['named', 'by', 'keyed', 'part'])('is nothing: the request passes by the cache, %s', async (path) => {
    const log: string[] = [];
    await open([KeyRules], { log });
    expect(await inTurn(app, `/rules/${path}`, [{}])).toEqual([1, 2, 3, 4].map((one) => [{ calls: one }]));
    expect(log).toEqual([]);
  });

  it.each(['promise', 'rejected'])(
    'is no text: the request passes by the cache, which is said once, %s',
    async (path) => {
      const log: string[] = [];
      await open([KeyRules], { log });
      const answers = await inTurn(app, `/rules/${path}`, [alice, bob]);
      expect(answers[3]).toEqual([
        { name: 'alice', calls: 7 },
        { name: 'bob', calls: 8 },
      ]);
      expect(log.filter((line) => line.includes(`KeyRules.${path}`) && line.includes('a promise'))).toHaveLength(1);
    },
  );

  it('is a list, of a parameter that is repeated: that request alone passes by the cache', async () => {
    await open([KeyRules]);
    const once = (await app.get('/rules/list?id=1,2')).text;
    expect((await app.get('/rules/list?id=1&id=2')).text).toBe('{"id":["1","2"],"calls":2}');
    expect((await app.get('/rules/list?id=1,2')).text).toBe(once);
  });

  it('is a number: its text is the key', async () => {
    await open([KeyRules]);
    expect(await inTurn(app, '/rules/number', [{}])).toEqual(four([{ calls: 1 }]));
    expect((await app.get('/rules/number?a')).text).toBe('{"calls":2}');
  });
});

describe("stock Nest's decorators", () => {
  it('@CacheKey on a class names no entry', async () => {
    await open([ClassKey]);
    for (const path of ['a', 'b', 'a', 'b']) expect((await app.get(`/class-key/${path}`)).text).toBe(path);
  });

  it('@CacheKey that returns nothing passes by the cache', async () => {
    await open([NestKeys]);
    const sessions = [{ 'x-session': 'alice' }, { 'x-session': 'bob' }];
    expect(await inTurn(app, '/nest/me', sessions)).toEqual(four([{ session: 'alice' }, { session: 'bob' }]));
    expect(await inTurn(app, '/nest/me', [{}])).toEqual(four([{ session: null }]));
    expect(calls).toBe(9);
  });

  it('@CacheTTL that returns nothing leaves the default', async () => {
    await open([NestKeys]);
    expect(await inTurn(app, '/nest/default-ttl', [{}])).toEqual(four([{ calls: 1 }]));
  });

  it('@Head of its own is not the @Get of the same path', async () => {
    await open([NestKeys]);
    for (let times = 0; times < 3; times++) {
      expect((await app.get('/nest/x', {}, 'HEAD')).headers['x-from']).toBe('head');
      const { text, headers } = await app.get('/nest/x');
      expect([text, headers['x-from']]).toEqual(['{"from":"get"}', undefined]);
    }
    expect(calls).toBe(1);
  });

  it('Infinity is a lifetime without end, in Redis too', async () => {
    redis = await RedisProcess.start();
    await open([NestKeys], { redis });
    const isReached = async () => (await app.cache?.list('*', undefined, 1).catch(() => undefined)) !== undefined;
    await waitUntil(isReached, { what: 'Redis to be reached' });
    for (const path of ['/nest/infinite', '/nest/infinite-rule']) {
      calls = 0;
      expect(await inTurn(app, path, [{}])).toEqual(four([{ calls: 1 }]));
    }
    const list = async () => (await app.cache?.list('*', undefined, 100))?.items ?? [];
    await waitUntil(async () => (await list()).length === 2, { what: 'both entries in Redis' });
    for (const { expiresInMs } of await list()) expect(expiresInMs).toBeGreaterThan(86_400_000 * 300);
  });

  it('0 is a lifetime without end: @CacheTTL, a rule, and CACHE_MANAGER', async () => {
    await open([NestKeys]);
    for (const path of ['/nest/endless', '/nest/endless-rule']) {
      calls = 0;
      expect(await inTurn(app, path, [{}])).toEqual(four([{ calls: 1 }]));
    }
    const cache = app.app.get<Cache>(CACHE_MANAGER, { strict: false });
    await cache.set('zero', 1, 0);
    await cache.set('none', 2);
    expect([await cache.get('zero'), await cache.get('none')]).toEqual([1, 2]);
    const listed = (await app.cache?.list('*', undefined, 100))?.items ?? [];
    expect(listed).toHaveLength(4);
    for (const { expiresInMs } of listed) expect(expiresInMs).toBeGreaterThan(86_400_000 * 300);
  });
});
