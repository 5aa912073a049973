import { CacheTTL } from '@nestjs/cache-manager';
import {
  Controller,
  createParamDecorator,
  Get,
  Headers,
  Ip,
  Query,
  Req,
  Scope,
  UnauthorizedException,
  UseGuards,
  UseInterceptors,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { CacheRule, ResponseCacheInterceptor, CurrentLoad, type HandlerLoad } from '../../src/cache';
import { openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { four, inTurn } from './in-turn';

let calls: number;
const requestOf = (context: ExecutionContext): FastifyRequest => context.switchToHttp().getRequest<FastifyRequest>();

const nameOf = ({ headers }: FastifyRequest): string | undefined => headers['x-name']?.toString();

class ApiKey implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (requestOf(context).headers['x-api-key'] === undefined) throw new UnauthorizedException();
    return true;
  }
}

@Controller('mine')
@UseInterceptors(ResponseCacheInterceptor)
class Mine {
  @Get('guarded')
  @UseGuards(ApiKey)
  @CacheTTL(60_000)
  guarded(@Req() { headers }: FastifyRequest) {
    calls += 1;
    return { key: headers['x-api-key'] };
  }

  @Get('told-apart')
  @UseGuards(ApiKey)
  @CacheRule({ upstream: 'mine', keyBy: ({ headers }) => String(headers['x-api-key']) })
  toldApart(@Req() { headers }: FastifyRequest) {
    calls += 1;
    return { key: headers['x-api-key'] };
  }

  @Get('by-language')
  @CacheRule({
    upstream: 'mine',
    key: () => 'by-language',
    byUrl: true,
    keyBy: ({ headers }) => String(headers['x-lang']),
  })
  byLanguage(@Req() { headers }: FastifyRequest) {
    calls += 1;
    return { lang: headers['x-lang'] };
  }

  @Get('open')
  @CacheTTL(60_000)
  open() {
    return { calls: ++calls };
  }
}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
@UseInterceptors(ResponseCacheInterceptor)
class Scoped {
  @Get()
  @CacheTTL(60_000)
  get(@Req() { headers }: FastifyRequest) {
    calls += 1;
    return { user: headers['x-user'] };
  }
}

const Tenant = createParamDecorator((_: unknown, context: ExecutionContext) => requestOf(context).headers['x-name']);

@Controller('reads')
@UseInterceptors(ResponseCacheInterceptor)
class Reads {
  @Get('fields')
  @CacheTTL(60_000)
  fields(@Headers('x-name') name: string) {
    return { name };
  }

  @Get('request')
  @CacheRule({ upstream: 'reads' })
  request(@Req() request: FastifyRequest) {
    return { name: nameOf(request) };
  }

  @Get('own')
  @CacheTTL(60_000)
  own(@Tenant() name: string) {
    return { name };
  }

  @Get('address')
  @CacheTTL(60_000)
  address(@Ip() _ip: string) {
    return { calls: ++calls };
  }

  @Get('by')
  @CacheRule({ upstream: 'reads', keyBy: nameOf })
  by(@Tenant() name: string) {
    return { name, calls: ++calls };
  }

  @Get('harmless')
  @CacheRule({ upstream: 'reads' })
  harmless(@Query('q') q: string, @CurrentLoad() _load: HandlerLoad) {
    return { q, calls: ++calls };
  }
}

let app: RouteApp;
const open = async (controllers: Type[], options: RouteAppOptions = {}): Promise<RouteApp> =>
  (app = await openRoutes(controllers, options));

beforeEach(() => (calls = 0));
afterEach(() => app.close());

describe('a route that answers each caller otherwise', () => {
  const alice = { 'x-api-key': 'alice-secret', 'x-lang': 'en', 'x-user': 'alice' };
  const bob = { 'x-api-key': 'bob-secret', 'x-lang': 'de', 'x-user': 'bob' };

  it('is not cached behind a guard, and that is said once', async () => {
    const log: string[] = [];
    await open([Mine], { log });
    expect(await inTurn(app, '/mine/guarded', [alice, bob])).toEqual(
      four([{ key: 'alice-secret' }, { key: 'bob-secret' }]),
    );
    expect((await app.get('/mine/guarded')).status).toBe(401);
    expect(log.filter((line) => line.includes('Mine.guarded is not cached: a guard'))).toEqual([
      expect.stringContaining('keyBy'),
    ]);
  });

  it('is not cached behind a guard for all', async () => {
    await open([Mine], { providers: [{ provide: APP_GUARD, useClass: ApiKey }] });
    expect(await inTurn(app, '/mine/open', [alice, bob])).not.toEqual(four([{ calls: 1 }, { calls: 1 }]));
    expect(calls).toBe(8);
  });

  it('is not cached in a controller that is made for each request', async () => {
    const log: string[] = [];
    await open([Scoped], { log });
    expect(await inTurn(app, '/scoped', [alice, bob])).toEqual(four([{ user: 'alice' }, { user: 'bob' }]));
    expect(log.filter((line) => line.includes('Scoped.get is not cached'))).toHaveLength(1);
  });

  it('is cached by the value of keyBy, which is in no key', async () => {
    await open([Mine]);
    const right = four([{ key: 'alice-secret' }, { key: 'bob-secret' }]);
    expect(await inTurn(app, '/mine/told-apart', [alice, bob])).toEqual(right);
    expect(calls).toBe(2);
    const { items } = (await app.cache?.list('*', undefined, 100)) ?? { items: [] };
    expect(items).toHaveLength(2);
    for (const { key } of items) expect(key).not.toMatch(/alice|bob/);
  });

  it('is cached by it beside a key, wherever hits are answered', async () => {
    await open([Mine]);
    expect(await inTurn(app, '/mine/by-language', [alice, bob])).toEqual(four([{ lang: 'en' }, { lang: 'de' }]));
    expect(calls).toBe(2);
  });
});

describe('a handler that reads what is not in its key', () => {
  const callers = [{ 'x-name': 'alice' }, { 'x-name': 'bob' }];

  it.each(['fields', 'request', 'own', 'address'])('is not cached, which is said once: %s', async (path) => {
    const log: string[] = [];
    await open([Reads], { log });
    const answers = await inTurn(app, `/reads/${path}`, callers);
    const [alice, bob] = path === 'address' ? [{ calls: 7 }, { calls: 8 }] : [{ name: 'alice' }, { name: 'bob' }];
    expect(answers[3]).toEqual([alice, bob]);
    expect(log.filter((line) => line.includes(`Reads.${path} is not cached`) && line.includes('keyBy'))).toHaveLength(
      1,
    );
  });

  it('is cached by what its rule names, and without decorators that read the caller', async () => {
    await open([Reads]);
    expect(await inTurn(app, '/reads/by', callers)).toEqual(
      four([
        { name: 'alice', calls: 1 },
        { name: 'bob', calls: 2 },
      ]),
    );
    expect(await inTurn(app, '/reads/harmless?q=1', [{}])).toEqual(four([{ q: '1', calls: 3 }]));
  });
});
