import {
  Catch,
  Controller,
  Get,
  HttpException,
  NotImplementedException,
  ServiceUnavailableException,
  UseFilters,
  UseInterceptors,
  type ArgumentsHost,
  type ExceptionFilter,
  type Type,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import type { Server } from 'node:http';
import { CacheRule, CacheStore, ResponseCacheInterceptor, StoreHealth } from '../../src/cache';
import { Gate } from '../support/barrier';
import { RedisProcess } from '../support/redis-process';
import { itOnFastify, openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

/** An error of the application's domain: it knows nothing of statuses. */
class SoldOut extends Error {
  constructor(readonly item: string) {
    super('sold out');
  }
}
/** One of the application's own classes that has a status. */
class Closed extends ServiceUnavailableException {
  readonly until = 'nine';
}

let gate: Gate;
let calls: number;
let thrown: (() => unknown) | undefined;

const answer = (host: ArgumentsHost, status: number, body: object): void =>
  void host.switchToHttp().getResponse<FastifyReply>().status(status).send(body);

@Catch(SoldOut)
class SoldOutFilter implements ExceptionFilter {
  catch({ item }: SoldOut, host: ArgumentsHost): void {
    answer(host, 409, { soldOut: item });
  }
}

@Catch(Closed)
class ClosedFilter implements ExceptionFilter {
  catch({ until }: Closed, host: ArgumentsHost): void {
    answer(host, 503, { closedUntil: until });
  }
}

@Catch(ServiceUnavailableException)
class UnavailableFilter implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    answer(host, 503, { unavailable: true });
  }
}

@Catch()
class EveryFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    if (error instanceof SoldOut) answer(host, 409, { soldOut: error.item });
    else answer(host, 500, { broken: true });
  }
}

@Controller('plain')
@UseInterceptors(ResponseCacheInterceptor)
class PlainController {
  @Get()
  @CacheRule({ upstream: 'things' })
  async get() {
    const call = ++calls;
    await gate.wait();
    if (thrown) throw thrown();
    return { call };
  }
}

@Controller('filtered')
@UseFilters(SoldOutFilter, ClosedFilter)
@UseInterceptors(ResponseCacheInterceptor)
class FilteredController extends PlainController {}

@Controller('unavailable')
@UseFilters(UnavailableFilter)
@UseInterceptors(ResponseCacheInterceptor)
class UnavailableController extends PlainController {}

const opened: RouteApp[] = [];
const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  const app = await openRoutes([PlainController, FilteredController, UnavailableController], options);
  opened.push(app);
  return app;
};
const globally = (filter: Type): RouteAppOptions => ({ providers: [{ provide: APP_FILTER, useClass: filter }] });

beforeEach(() => {
  calls = 0;
  thrown = undefined;
  gate = new Gate();
  gate.open();
});
afterEach(async () => {
  gate.open();
  for (const app of opened.splice(0)) await app.close();
});

const soldOut = (): unknown => new SoldOut('lamp');
const SOLD_OUT = [409, '{"soldOut":"lamp"}'];

describe('an error that a filter knows by its class', () => {
  it.each([
    ['of the controller', '/filtered', {}],
    ['of the application', '/plain', globally(SoldOutFilter)],
    ['that catches all', '/plain', globally(EveryFilter)],
  ])('reaches the filter %s each time, without a pause', async (_where, path, options) => {
    thrown = soldOut;
    const { get } = await open(options);
    for (let times = 1; times <= 6; times++) {
      const { status, text } = await get(path);
      expect([times, status, text]).toEqual([times, ...SOLD_OUT]);
    }
    thrown = undefined;
    expect((await get(path)).text).toBe('{"call":7}');
  });

  it('reaches it as its own class where that extends one of Nest with a status', async () => {
    thrown = () => new Closed();
    const { get } = await open();
    for (let times = 0; times < 6; times++) expect((await get('/filtered')).text).toBe('{"closedUntil":"nine"}');
  });

  it('is not given to a filter of another class', async () => {
    thrown = () => new HttpException('down', 503); // would be thrown anew as Nest's class for 503
    const { get } = await open();
    const first = await get('/unavailable');
    for (let times = 0; times < 5; times++)
      expect(await get('/unavailable')).toMatchObject({ status: 503, text: first.text });
  });

  it('is shared by requests that wait for one load: the handler runs once', async () => {
    thrown = soldOut;
    const { app, get } = await open();
    gate = new Gate();
    let arrived = 0;
    (app.getHttpServer() as Server).on('request', () => (arrived += 1));
    const answers = [get('/filtered')];
    await gate.untilWaiting(1);
    answers.push(get('/filtered'), get('/filtered'));
    await waitUntil(() => arrived === 3, { what: 'the others' });
    setImmediate(() => gate.open());
    for (const { status, text } of await Promise.all(answers)) expect([status, text]).toEqual(SOLD_OUT);
    expect(calls).toBe(1);
  });

  it('lets a stale answer stand in', async () => {
    const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 60_000 } });
    expect((await get('/filtered')).text).toBe('{"call":1}');
    thrown = soldOut;
    const { status, text, headers } = await get('/filtered');
    expect([status, text]).toEqual([200, '{"call":1}']);
    expect(headers['cache-status']).toContain('STALE_ON_ERROR');
  });
});

it('an error of a class of its own with a status that hides nothing is not hidden by a stale answer', async () => {
  class Unfinished extends NotImplementedException {}
  const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 60_000 }, ...globally(EveryFilter) });
  await get('/plain');
  thrown = () => new Unfinished();
  expect((await get('/plain')).text).toBe('{"broken":true}');
});

describe('an error that no filter knows by its class', () => {
  it.each([
    ['a plain error', '/filtered', () => new Error('broken'), 500],
    ["one of Nest's classes", '/unavailable', () => new ServiceUnavailableException(), 503],
    ['a plain error, without filters', '/plain', () => new Error('broken'), 500],
  ])('pauses the route, with the answer of the first time: %s', async (_what, path, error, status) => {
    thrown = error;
    const { get } = await open();
    const first = await get(path);
    expect(first.status).toBe(status);
    for (let times = 0; times < 7; times++) expect(await get(path)).toMatchObject({ status, text: first.text });
    expect(calls).toBeLessThan(8);
  });

  itOnFastify()('pauses under the filter of the service, which answers by the code', async () => {
    thrown = () => new Error('broken');
    const { get } = await open({ answersProblems: true });
    for (let times = 0; times < 8; times++)
      expect(JSON.parse((await get('/plain')).text)).toMatchObject({ status: 500, code: 'internal' });
    expect(calls).toBeLessThan(8);
  });
});

describe('on another replica', () => {
  let redis: RedisProcess;
  beforeAll(async () => (redis = await RedisProcess.start()));
  afterAll(() => redis.stop());

  it.each([
    ['a domain error', soldOut, SOLD_OUT],
    ['a class that extends one of Nest', () => new Closed(), [503, '{"closedUntil":"nine"}']],
  ])('a request that waits gets the same answer by a call of its own: %s', async (_what, error, expected) => {
    const [a, b] = [await open({ redis }), await open({ redis })];
    for (const { app } of [a, b])
      await waitUntil(() => app.get(StoreHealth, { strict: false }).get().isUp, { what: 'Redis' });
    thrown = error;
    gate = new Gate();
    const host = { host: 'shop.example' };
    const first = a.get('/filtered', host);
    await gate.untilWaiting(1);
    const waits = jest.spyOn(b.app.get(CacheStore, { strict: false }), 'change');
    const second = b.get('/filtered', host);
    await waitUntil(() => waits.mock.calls.length > 0, { what: 'the other to wait' });
    gate.open();
    for (const { status, text } of await Promise.all([first, second])) expect([status, text]).toEqual(expected);
    expect(calls).toBe(2);
  });
});
