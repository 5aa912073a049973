import {
  BadGatewayException,
  Catch,
  ConflictException,
  Controller,
  ForbiddenException,
  Get,
  HttpException,
  NotFoundException,
  Param,
  ParseIntPipe,
  Req,
  Res,
  ServiceUnavailableException,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CacheRule, CacheStore, ResponseCacheInterceptor, StoreHealth } from '../../src/cache';
import type { Server } from 'node:http';
import { Gate } from '../support/barrier';
import { RedisProcess } from '../support/redis-process';
import { itOnFastify, openRoutes, openStock, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

let calls: number;
let gate: Gate;
/** What handlers throw; undefined: they answer. */
let thrown: (() => unknown) | undefined;
/** The status that a handler sets on its reply, other than for an admin. */
let byStatus: number;

@Catch(HttpException)
class TeapotFilter implements ExceptionFilter {
  catch(error: HttpException, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(error.getStatus()).send({ brewed: error.message });
  }
}

class OutOfStock extends NotFoundException {
  readonly since = 'Monday';
}

@Catch(NotFoundException)
class MissingFilter implements ExceptionFilter {
  catch(error: NotFoundException, host: ArgumentsHost): void {
    const since = error instanceof OutOfStock ? error.since : undefined;
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(404).send({ shop: 'missing', since, said: error.getResponse() });
  }
}

@Catch(ServiceUnavailableException)
class ClosedFilter implements ExceptionFilter {
  catch(error: ServiceUnavailableException, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(503).send({ shop: 'closed', said: error.getResponse() });
  }
}

class Nobody implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('errors')
@UseInterceptors(ResponseCacheInterceptor)
class ErrorsController {
  @Get('price')
  @CacheRule({ upstream: 'things' })
  async price() {
    calls += 1;
    await gate.wait();
    if (thrown) throw thrown();
    return { price: 1 };
  }

  @Get('filtered')
  @UseFilters(TeapotFilter)
  @CacheRule({ upstream: 'things' })
  async filtered() {
    calls += 1;
    await gate.wait();
    throw thrown?.();
  }

  @Get('report')
  @CacheRule({ upstream: 'things', key: () => 'report' })
  async report(@Req() request: FastifyRequest) {
    calls += 1;
    await gate.wait();
    if (request.headers['x-role'] !== 'admin') throw new ForbiddenException('not for you');
    return { report: 1 };
  }

  @Get('by-status')
  @CacheRule({ upstream: 'things', key: () => 'by-status' })
  async byStatus(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    calls += 1;
    await gate.wait();
    if (thrown) throw thrown();
    const user = String(request.headers['x-user']);
    if (byStatus !== 200 && request.headers['x-role'] !== 'admin') void reply.status(byStatus);
    return { user };
  }

  @Get('kept')
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  kept() {
    calls += 1;
    if (thrown) throw thrown();
    return { kept: 1 };
  }

  @Get('own-filters')
  @UseFilters(MissingFilter, ClosedFilter)
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  async ownFilters() {
    calls += 1;
    await gate.wait();
    throw thrown?.();
  }

  @Get('numbers/:id')
  @CacheRule({ upstream: 'things' })
  number(@Param('id', ParseIntPipe) id: number) {
    return { id };
  }
}

@Controller('guarded')
@UseGuards(Nobody)
class GuardedController {
  @Get()
  get() {
    return {};
  }
}

const opened: RouteApp[] = [];
const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  const app = await openRoutes([ErrorsController, GuardedController], options);
  opened.push(app);
  return app;
};

beforeEach(() => {
  calls = 0;
  thrown = undefined;
  byStatus = 200;
  gate = new Gate();
  gate.open();
});
afterEach(async () => {
  gate.open();
  for (const app of opened.splice(0)) await app.close();
});

const gone = (): HttpException => new NotFoundException('no such price');

describe("an exception of Nest's", () => {
  const exceptions: [string, () => unknown][] = [
    ['404', gone],
    ['409', () => new ConflictException('x', { description: 'why' })],
    ['401', () => new UnauthorizedException()],
    ['418', () => new HttpException({ own: 'body' }, 418)],
    ['302', () => new HttpException({ url: '/elsewhere' }, 302)],
    ['304', () => new HttpException('', 304)],
    ['299', () => new HttpException({ own: 'body' }, 299)],
    ['502', () => new BadGatewayException('the shop is closed')],
    ['501', () => new HttpException('not yet', 501)],
  ];

  it.each(exceptions)('%s has the status and body of stock Nest, each time', async (_status, error) => {
    thrown = error;
    const stock = await openStock([ErrorsController].map(uncached));
    opened.push(stock);
    const right = await stock.get('/errors/price');
    const { get } = await open();
    for (let times = 0; times < 5; times++) {
      const { status, text } = await get('/errors/price');
      expect([times, status, text]).toEqual([times, right.status, right.text]);
    }
    calls = 0;
    thrown = undefined;
    if (right.status < 500) expect((await get('/errors/price')).status).toBe(200);
  });

  it('goes to the filters of its route', async () => {
    thrown = gone;
    const { get } = await open();
    for (let times = 0; times < 3; times++) {
      const { status, text } = await get('/errors/filtered');
      expect([status, JSON.parse(text)]).toEqual([404, { brewed: 'no such price' }]);
    }
  });

  it('of a pipe is no failure of the route', async () => {
    const { get } = await open();
    for (let times = 0; times < 5; times++) expect((await get('/errors/numbers/x')).status).toBe(400);
    expect((await get('/errors/numbers/1')).text).toBe('{"id":1}');
  });

  itOnFastify()('keeps its status in a problem of the service', async () => {
    const { get } = await open({ answersProblems: true });
    thrown = gone;
    expect(JSON.parse((await get('/errors/price')).text)).toMatchObject({ detail: 'no such price' });
    for (const [status, error] of exceptions.filter(([status]) => Number(status) >= 400)) {
      thrown = error;
      const answer = await get('/errors/price');
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        Number(status),
        expect.objectContaining({ status: Number(status) }),
      ]);
    }
    expect((await get('/guarded')).status).toBe(403);
    expect(JSON.parse((await get('/nowhere')).text)).toMatchObject({ code: 'route-not-found' });
  });
});

describe('an entry whose resource is refused or gone', () => {
  it.each([
    [404, gone],
    [403, () => new ForbiddenException()],
    [401, () => new UnauthorizedException()],
    [410, () => new HttpException('gone', 410)],
  ])('is removed by %d, and does not come back at a 503', async (status, error) => {
    const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    expect((await get('/errors/price')).status).toBe(200);
    thrown = error;
    expect((await get('/errors/price')).status).toBe(status);
    thrown = () => new HttpException('down', 503);
    expect((await get('/errors/price')).status).toBe(503);
  });

  it('is removed when the refusal comes by a refresh behind a stale answer', async () => {
    const { get } = await open({ policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 86_400_000 } });
    await get('/errors/price');
    thrown = gone;
    await waitUntil(async () => (await get('/errors/price')).status === 404, { what: 'the 404' });
  });

  it.each([
    ['500', () => new HttpException('broken', 500)],
    ['502', () => new BadGatewayException()],
    ['no status', () => new Error('broken')],
  ])('is served stale at %s', async (_status, error) => {
    const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    await get('/errors/price');
    thrown = error;
    const { status, headers, text } = await get('/errors/price');
    expect([status, text, headers['cache-status']]).toEqual([
      200,
      '{"price":1}',
      expect.stringContaining('STALE_ON_ERROR'),
    ]);
  });

  it.each([
    [501, 200, 'stays for the next failure'],
    [409, 500, 'is replaced: the origin has decided (RFC 9111 §4.3.3)'],
  ])('is not served stale at %d, and after it a failure is answered %d: it %s', async (status, afterwards) => {
    const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    await get('/errors/price');
    thrown = () => new HttpException('no', status);
    expect((await get('/errors/price')).status).toBe(status);
    thrown = () => new Error('broken');
    expect((await get('/errors/price')).status).toBe(afterwards);
  });
});

describe('requests that wait for one load', () => {
  it('are not refused because another was', async () => {
    const { get } = await open();
    gate = new Gate();
    const stranger = get('/errors/report');
    await gate.untilWaiting(1);
    const entitled = get('/errors/report', { 'x-role': 'admin' });
    setImmediate(() => gate.open());
    expect((await stranger).status).toBe(403);
    expect([(await entitled).status, (await entitled).text]).toEqual([200, '{"report":1}']);
  });

  it('are answered after any number of strangers', async () => {
    const { get } = await open();
    for (let times = 0; times < 4; times++) expect((await get('/errors/report')).status).toBe(403);
    expect((await get('/errors/report', { 'x-role': 'admin' })).text).toBe('{"report":1}');
  });

  it('share a 404: the handler runs once', async () => {
    const { get } = await open();
    thrown = gone;
    gate = new Gate();
    const first = get('/errors/price');
    await gate.untilWaiting(1);
    let arrived = 0;
    (opened[0]?.app.getHttpServer() as Server).on('request', () => (arrived += 1));
    const others = [get('/errors/price'), get('/errors/price')];
    await waitUntil(() => arrived === 2, { what: 'the others' });
    setImmediate(() => gate.open());
    for (const { status } of await Promise.all([first, ...others])) expect(status).toBe(404);
    expect(calls).toBe(1);
  });
});

describe('a status that the handler sets on its reply', () => {
  /** Two requests at once: the first one's load has begun when the second one comes. */
  const both = async ({ get }: RouteApp, second: Record<string, string>) => {
    gate = new Gate();
    const first = get('/errors/by-status', { 'x-user': 'bob' });
    await gate.untilWaiting(1);
    let arrived = 0;
    (opened[0]?.app.getHttpServer() as Server).on('request', () => (arrived += 1));
    const other = get('/errors/by-status', second);
    await waitUntil(() => arrived === 1, { what: 'the other' });
    setImmediate(() => gate.open());
    return Promise.all([first, other]);
  };

  it.each([401, 403, 429, 302, 503])('%d is for its own client alone', async (status) => {
    byStatus = status;
    const [first, other] = await both(await open(), { 'x-user': 'alice', 'x-role': 'admin' });
    expect([first.status, first.text]).toEqual([status, '{"user":"bob"}']);
    expect([other.status, other.text]).toEqual([200, '{"user":"alice"}']);
  });

  it.each([404, 409, 410, 422])('%d is shared by waiting requests, and not stored', async (status) => {
    byStatus = status;
    const app = await open();
    for (const answer of await both(app, { 'x-user': 'alice' })) expect(answer.status).toBe(status);
    expect(calls).toBe(1);
    byStatus = 200;
    expect((await app.get('/errors/by-status')).status).toBe(200);
  });

  it.each([401, 403, 404, 409, 410])(
    '%d removes the stale entry: a later failure does not bring it back',
    async (status) => {
      const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
      expect((await get('/errors/by-status')).status).toBe(200);
      byStatus = status;
      expect((await get('/errors/by-status')).status).toBe(status);
      thrown = () => new Error('broken');
      expect((await get('/errors/by-status')).status).toBe(500);
    },
  );

  it('404 of a refresh behind a stale answer removes it, too', async () => {
    const { get } = await open({ policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 86_400_000 } });
    await get('/errors/by-status');
    byStatus = 404;
    await waitUntil(async () => (await get('/errors/by-status')).status === 404, { what: 'the 404' });
  });
});

describe('a not found that the rule keeps', () => {
  it('is thrown again for each request, by the filters of the application', async () => {
    thrown = gone;
    const { get } = await open();
    const miss = await get('/errors/kept');
    thrown = undefined;
    const hit = await get('/errors/kept');
    expect([hit.status, hit.text]).toEqual([404, miss.text]);
    expect([hit.headers['x-cache'], hit.headers['cache-status']]).toEqual([
      'HIT',
      expect.stringContaining('hit; ttl='),
    ]);
    expect(calls).toBe(1);
  });

  it('is not kept of other statuses', async () => {
    thrown = () => new ForbiddenException();
    const { get } = await open();
    await get('/errors/kept');
    thrown = undefined;
    expect((await get('/errors/kept')).text).toBe('{"kept":1}');
  });
});

describe("filters for one of Nest's classes", () => {
  it.each([
    ['an object', () => new NotFoundException('no item'), { message: 'no item', error: 'Not Found', statusCode: 404 }],
    ['a text', () => Reflect.construct(HttpException, ['no item', 404], NotFoundException) as unknown, 'no item'],
  ])('get a kept not found with %s by its class', async (_body, error, said) => {
    thrown = error;
    const { get } = await open();
    for (let times = 0; times < 3; times++)
      expect(JSON.parse((await get('/errors/own-filters')).text)).toEqual({ shop: 'missing', said });
    expect(calls).toBe(1);
  });

  it('get the exception itself on the first answer', async () => {
    thrown = () => new OutOfStock('no item');
    const { get } = await open();
    expect(JSON.parse((await get('/errors/own-filters')).text)).toMatchObject({ since: 'Monday' });
    expect(JSON.parse((await get('/errors/own-filters')).text)).toMatchObject({ shop: 'missing' });
  });

  it('get a failure by its class while the route pauses', async () => {
    thrown = () => new ServiceUnavailableException({ till: 'nine' });
    const { get } = await open();
    for (let times = 0; times < 6; times++)
      expect(JSON.parse((await get('/errors/own-filters')).text)).toEqual({ shop: 'closed', said: { till: 'nine' } });
    expect(calls).toBeLessThan(6);
  });
});

describe('a waiter on another replica', () => {
  let redis: RedisProcess;
  beforeAll(async () => (redis = await RedisProcess.start()));
  afterAll(() => redis.stop());

  it('gets a failure by its class', async () => {
    const [a, b] = [await open({ redis }), await open({ redis })];
    for (const { get } of [a, b])
      await waitUntil(async () => (await get('/errors/numbers/2')).headers['cache-status']?.includes('/l') ?? false, {
        what: 'Redis',
      });
    thrown = () => new ServiceUnavailableException({ till: 'nine' });
    gate = new Gate();
    const first = a.get('/errors/own-filters');
    await gate.untilWaiting(1);
    const second = b.get('/errors/own-filters');
    setImmediate(() => gate.open());
    for (const { text } of await Promise.all([first, second]))
      expect(JSON.parse(text)).toEqual({ shop: 'closed', said: { till: 'nine' } });
  });

  it.each([
    [404, 2, gone],
    [403, 2, () => new ForbiddenException()],
    [502, 1, () => new BadGatewayException('the shop is closed')],
  ])('gets %d as well, by %d calls: a failure is shared, a refusal requested again', async (status, times, error) => {
    const [a, b] = [await open({ redis }), await open({ redis })];
    for (const { app } of [a, b])
      await waitUntil(() => app.get(StoreHealth, { strict: false }).get().isUp, { what: 'Redis' });
    thrown = error;
    gate = new Gate();
    const host = { host: 'shop.example' }; // the key of a route has the host in it
    const first = a.get('/errors/price', host);
    await gate.untilWaiting(1);
    const waits = jest.spyOn(b.app.get(CacheStore, { strict: false }), 'change');
    const second = b.get('/errors/price', host);
    await waitUntil(() => waits.mock.calls.length > 0, { what: 'the other to wait' });
    gate.open();
    const answers = await Promise.all([first, second]);
    expect(answers.map((answer) => answer.status)).toEqual([status, status]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(calls).toBe(times);
  });
});

/** The controller without the cache. */
function uncached(): typeof ErrorsController {
  @Controller('errors')
  class Plain {
    @Get('price')
    price() {
      throw thrown?.();
    }
  }
  return Plain as unknown as typeof ErrorsController;
}
