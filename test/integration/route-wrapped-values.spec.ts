import {
  ConflictException,
  Controller,
  Get,
  GoneException,
  Injectable,
  NotFoundException,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { catchError, map, retry, timeout } from 'rxjs';
import {
  CacheRule,
  NotModified,
  ResponseCacheInterceptor,
  CacheableResult,
  CurrentLoad,
  type HandlerLoad,
} from '../../src/cache';
import { registerProblems } from '../../src/kernel/problem-table';
import { AppError } from '../../src/kernel/app-error';
import { Gate } from '../support/barrier';
import { itOnFastify, openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';

let calls: number;
let gate: Gate;
let count: number;

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
class Louder implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ({ louder: value })));
  }
}

@Controller('kept')
@UseInterceptors(ResponseCacheInterceptor)
class KeptController {
  @Get('missing')
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  missing() {
    calls += 1;
    throw new NotFoundException('no such thing');
  }

  @Get('gone')
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  gone() {
    calls += 1;
    throw new GoneException({ own: 'body' });
  }

  @Get('account')
  @CacheRule({ upstream: 'things' })
  account() {
    calls += 1;
    throw new AppError('account-not-found', 'There is no such account.');
  }
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
});
afterEach(async () => {
  gate.open();
  for (const app of opened.splice(0)) await app.close();
});

const global = (useClass: Type): Provider[] => [{ provide: APP_INTERCEPTOR, useClass }];

@Injectable()
class Retry implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(retry(1));
  }
}

@Injectable()
class Again implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(catchError(() => next.handle()));
  }
}

@Injectable()
class AgainWhenLate implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      timeout(30),
      catchError(() => next.handle()),
    );
  }
}

/** As a serializer that makes another object of each it gets. */
@Injectable()
class Rebuilding implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    const shown = (value: object): object =>
      Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'password'));
    return next.handle().pipe(map((value: object) => shown(value)));
  }
}

class Account {
  readonly id = 1;
  readonly password = 'secret';
}

let failures: number;

function wrappingController(...interceptors: Type[]): Type {
  @Controller('wrapped')
  @UseInterceptors(...interceptors)
  class Wrapping {
    @Get('count')
    @CacheRule({ upstream: 'things', key: () => 'count' })
    async count() {
      calls += 1;
      await gate.wait();
      if (failures-- > 0) throw new ConflictException('once');
      return new CacheableResult({ count }, { validators: { etag: '"1"' }, tags: ['counts'] });
    }

    @Get('validated')
    @CacheRule({ upstream: 'things', key: () => 'validated', ttlMs: 1 })
    async validated(@CurrentLoad() { validators }: HandlerLoad) {
      calls += 1;
      await gate.wait();
      if (validators !== undefined && failures-- > 0) throw new ConflictException('once');
      return validators === undefined
        ? new CacheableResult({ count }, { validators: { etag: '"1"' } })
        : new NotModified();
    }

    @Get('account')
    @CacheRule({ upstream: 'things', key: () => 'account' })
    account() {
      calls += 1;
      return new CacheableResult(new Account(), { tags: ['accounts'] });
    }
  }
  return Wrapping;
}

describe('an interceptor around that calls the handler again', () => {
  it.each([Retry, Again])('gets a plain value, and none that waits for a validation: %p', async (interceptor) => {
    const { get } = await open(wrappingController(interceptor, ResponseCacheInterceptor));
    failures = 1;
    for (let times = 0; times < 3; times++) expect((await get('/wrapped/count')).text).toBe('{"count":5}');
    failures = 0;
    expect((await get('/wrapped/validated')).text).toBe('{"count":5}');
    failures = 1;
    for (let times = 0; times < 3; times++) expect((await get('/wrapped/validated')).text).toBe('{"count":5}');
  });

  it('gets one while the first load still runs', async () => {
    failures = 0;
    const { get } = await open(wrappingController(AgainWhenLate, ResponseCacheInterceptor));
    expect((await get('/wrapped/validated')).text).toBe('{"count":5}');
    for (const path of ['count', 'validated']) {
      gate = new Gate();
      const answer = get(`/wrapped/${path}`);
      await gate.untilWaiting(2);
      gate.open();
      expect((await answer).text).toBe('{"count":5}');
    }
  });
});

describe('an interceptor behind the cache', () => {
  const orders: [string, Type[]][] = [
    ['behind it', [ResponseCacheInterceptor, Rebuilding]],
    ['between it twice', [ResponseCacheInterceptor, Rebuilding, ResponseCacheInterceptor]],
  ];

  it.each(orders)('that serializes entities gets the value alone, %s; its tags hold', async (_where, interceptors) => {
    const { get, cache } = await open(wrappingController(...interceptors));
    for (let times = 0; times < 3; times++) expect((await get('/wrapped/account')).text).toBe('{"id":1}');
    expect(calls).toBe(1);
    await cache?.invalidate({ kind: 'tag', tag: 'accounts' });
    await get('/wrapped/account');
    expect(calls).toBe(2);
  });

  it('that makes an envelope has the value in it', async () => {
    failures = 0;
    const { get } = await open(wrappingController(ResponseCacheInterceptor, Louder));
    for (let times = 0; times < 3; times++) expect((await get('/wrapped/count')).text).toBe('{"louder":{"count":5}}');
    expect(calls).toBe(1);
  });

  it('takes no part in a validation', async () => {
    failures = 0;
    const { get } = await open(wrappingController(ResponseCacheInterceptor, Louder));
    for (let times = 0; times < 3; times++)
      expect((await get('/wrapped/validated')).text).toBe('{"louder":{"count":5}}');
  });
});

describe('an error that is kept, where values are handed on', () => {
  registerProblems({
    'account-not-found': { status: 404, title: 'Account not found', mayRetry: false, isAnswer: true },
  });

  const around: [string, RouteAppOptions][] = [
    ['an interceptor for all', { providers: global(Envelope) }],
    [
      'a hook before serialization',
      {
        prepare: (_app, fastify) =>
          void fastify.addHook('preSerialization', (_request, _reply, payload, done) =>
            done(null, { hooked: payload }),
          ),
      },
    ],
  ];

  itOnFastify().each(around)(
    'has its own status and body on the miss and on hits behind %s',
    async (_what, options) => {
      const { get } = await open(KeptController, { ...options, answersProblems: true });
      const right: [string, object][] = [
        ['missing', { status: 404, detail: 'no such thing' }],
        ['gone', { status: 410 }],
        ['account', { status: 404, code: 'account-not-found', detail: 'There is no such account.' }],
      ];
      for (const [path, problem] of right) {
        calls = 0;
        for (let times = 0; times < 3; times++) {
          const { status, text, headers } = await get(`/kept/${path}`);
          expect([status, JSON.parse(text)]).toEqual([
            (problem as { status: number }).status,
            expect.objectContaining({ ...problem, type: expect.any(String) as string }),
          ]);
          expect([headers['content-type'], headers['x-cache']]).toEqual([
            'application/problem+json; charset=utf-8',
            times === 0 ? 'MISS' : 'HIT',
          ]);
        }
        expect(calls).toBe(1);
      }
    },
  );
});
