import {
  Controller,
  Get,
  Injectable,
  NotFoundException,
  RequestTimeoutException,
  Res,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { CacheTTL } from '@nestjs/cache-manager';
import type { FastifyInstance, FastifyReply, preSerializationHookHandler } from 'fastify';
import { catchError, map, throwError, timeout } from 'rxjs';
import { ResponseCacheInterceptor } from '../../src/cache';
import { Gate } from '../support/barrier';
import { itOnFastify, openRoutes, openStock, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

let calls: number;
let gate: Gate;
/** How long `Patience` waits. */
let patienceMs: number;
let count: number;

class User {
  readonly id = 1;
  readonly password = 'secret';
}

/** As Nest's ClassSerializerInterceptor with `@Exclude() password`: it knows an entity by its class. */
@Injectable()
class EntitySerializer implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => (value instanceof User ? { id: value.id } : value)));
  }
}

@Injectable()
class Envelope implements NestInterceptor {
  private sent = 0;

  intercept(context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      map((data: unknown) => {
        void context.switchToHttp().getResponse<FastifyReply>().header('x-envelope', String(++this.sent));
        return { data };
      }),
    );
  }
}

@Injectable()
class Patience implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      timeout(patienceMs),
      catchError((error: Error) =>
        throwError(() => (error.name === 'TimeoutError' ? new RequestTimeoutException('out of patience') : error)),
      ),
    );
  }
}

@Injectable()
class Louder implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ({ louder: value })));
  }
}

class Routes {
  @Get('user')
  user() {
    calls += 1;
    return new User();
  }

  @Get('plain')
  async plain() {
    calls += 1;
    await gate.wait();
    return { count, at: 'x'.repeat(2_000) };
  }

  @Get('text')
  text() {
    calls += 1;
    return 'text';
  }

  @Get('null')
  nothing() {
    calls += 1;
    return null;
  }

  @Get('fields')
  async fields(@Res({ passthrough: true }) reply: FastifyReply) {
    calls += 1;
    await gate.wait();
    void reply.header('x-handler', String(count)).status(203);
    return { count };
  }

  @Get('missing')
  missing() {
    calls += 1;
    throw new NotFoundException('nothing');
  }
}

/** The routes, with the cache and interceptors in an order. */
function controllerOf(...interceptors: Type[]): Type {
  @Controller('routes')
  @CacheTTL(60_000)
  @UseInterceptors(...interceptors)
  class Cached extends Routes {}
  return Cached;
}

function stockController(): Type {
  @Controller('routes')
  class Plain extends Routes {}
  return Plain;
}

const opened: RouteApp[] = [];
const open = async (controller: Type, options: RouteAppOptions = {}): Promise<RouteApp> => {
  const app = await openRoutes([controller], options);
  opened.push(app);
  return app;
};

beforeEach(() => {
  calls = 0;
  count = 5;
  gate = new Gate();
  gate.open();
  patienceMs = 60_000;
});
afterEach(async () => {
  gate.open();
  for (const app of opened.splice(0)) await app.close();
});

const global = (useClass: Type): Provider[] => [{ provide: APP_INTERCEPTOR, useClass }];

describe('an interceptor around the cache', () => {
  it('keeps the password of an entity out of every answer', async () => {
    const log: string[] = [];
    const { get } = await open(controllerOf(ResponseCacheInterceptor), {
      providers: global(EntitySerializer),
      log,
    });
    for (let times = 0; times < 3; times++) expect((await get('/routes/user')).text).toBe('{"id":1}');
    expect(log.filter((line) => line.includes('Cached.user is not cached'))).toHaveLength(1);
  });

  it.each(['plain', 'text', 'null'])('has its word in each answer of %s, as in stock Nest', async (path) => {
    const stock = await openStock([stockController()], { providers: global(Envelope) });
    opened.push(stock);
    const right = await stock.get(`/routes/${path}`);
    calls = 0;
    const { get } = await open(controllerOf(ResponseCacheInterceptor), { providers: global(Envelope) });
    for (let times = 1; times < 4; times++) {
      const { status, text, headers } = await get(`/routes/${path}`);
      expect([status, text, headers['content-type']]).toEqual([200, right.text, right.headers['content-type']]);
      expect([headers['x-envelope'], headers['x-cache']]).toEqual([String(times), times === 1 ? 'MISS' : 'HIT']);
    }
    expect(calls).toBe(1);
  });

  it('has it where it stands before the cache on the controller', async () => {
    const { get } = await open(controllerOf(Envelope, ResponseCacheInterceptor, Louder));
    for (let times = 0; times < 3; times++) expect((await get('/routes/text')).text).toBe('{"data":{"louder":"text"}}');
    expect(calls).toBe(1);
  });

  it('gets status and fields of the handler on hits, and its own are not stored', async () => {
    const { get } = await open(controllerOf(Envelope, ResponseCacheInterceptor));
    for (let times = 1; times < 4; times++) {
      const { status, text, headers } = await get('/routes/fields');
      expect([status, text, headers['x-handler']]).toEqual([203, '{"data":{"count":5}}', '5']);
      expect(headers['x-envelope']).toBe(String(times));
    }
    expect(calls).toBe(1);
  });

  it.each(['plain', 'fields'])('gets the new value of %s after a stale one', async (path) => {
    const { get } = await open(controllerOf(Envelope, ResponseCacheInterceptor), {
      policy: { staleWhileRevalidateMs: 60_000 },
    });
    await get(`/routes/${path}`);
    count = 6;
    await opened[0]?.cache?.invalidate({ kind: 'prefix', prefix: '' }, 'stale');
    await waitUntil(async () => (await get(`/routes/${path}`)).text.includes('"count":6'), { what: 'the new value' });
  });

  it('may answer before the handler does: the load goes on', async () => {
    const { get } = await open(controllerOf(Patience, ResponseCacheInterceptor));
    gate = new Gate();
    patienceMs = 50;
    const { status, text } = await get('/routes/plain');
    expect([status, JSON.parse(text)]).toMatchObject([408, { message: 'out of patience' }]);
    patienceMs = 60_000;
    gate.open();
    await waitUntil(async () => (await get('/routes/plain')).headers['x-cache'] === 'HIT', { what: 'the hit' });
    expect(calls).toBe(1);
  });

  it('may answer before a handler that sets fields: nothing of them is mixed', async () => {
    const { get } = await open(controllerOf(Patience, ResponseCacheInterceptor));
    gate = new Gate();
    patienceMs = 50;
    expect((await get('/routes/fields')).status).toBe(408);
    patienceMs = 60_000;
    gate.open();
    for (let times = 0; times < 3; times++) {
      const { status, headers } = await get('/routes/fields');
      expect([status, headers['x-handler']]).toEqual([203, '5']);
    }
  });

  it('gets the errors of the handler', async () => {
    const { get } = await open(controllerOf(Patience, ResponseCacheInterceptor));
    for (let times = 0; times < 4; times++) expect((await get('/routes/missing')).status).toBe(404);
  });
});

itOnFastify().each<[string, (fastify: FastifyInstance, hook: preSerializationHookHandler) => void]>([
  ['the server', (fastify, hook) => void fastify.addHook('preSerialization', hook)],
  [
    'a route',
    (fastify, hook) => void fastify.addHook('onRoute', (options) => void (options.preSerialization = [hook])),
  ],
])('a hook of %s before serialization has its word in each answer', async (_whose, add) => {
  let hooked = 0;
  const { get } = await open(controllerOf(ResponseCacheInterceptor), {
    prepare: (_app, fastify) =>
      add(fastify, (_request, _reply, payload, done) => done(null, { hooked: ++hooked, payload })),
  });
  for (let times = 1; times < 4; times++)
    expect(JSON.parse((await get('/routes/plain')).text)).toMatchObject({ hooked: times, payload: { count: 5 } });
  expect(calls).toBe(1);
});

describe('the cache in front of a route twice', () => {
  it.each([
    ['for all and on the controller', () => controllerOf(ResponseCacheInterceptor), ResponseCacheInterceptor],
    ['twice on the controller', () => controllerOf(ResponseCacheInterceptor, ResponseCacheInterceptor), undefined],
  ])('%s answers as once', async (_where, controller, everywhere) => {
    const { get } = await open(controller(), { providers: everywhere ? global(everywhere) : [] });
    const answers = [await get('/routes/text'), await get('/routes/text'), await get('/routes/text')];
    expect(answers.map(({ text, headers }) => [text, headers['x-cache']])).toEqual([
      ['text', 'MISS'],
      ['text', 'HIT'],
      ['text', 'HIT'],
    ]);
    expect(calls).toBe(1);
  });
});
