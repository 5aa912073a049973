import {
  BadGatewayException,
  ConflictException,
  Controller,
  ForbiddenException,
  Get,
  HttpException,
  NotFoundException,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { CacheStore, StoreHealth } from '../../src/cache';
import { Gate } from '../support/barrier';
import { RedisProcess } from '../support/redis-process';
import { itOnFastify, openStock } from '../support/route-app';
import { waitUntil } from '../support/wait-until';
import { ErrorsController, handler, OutOfStock, openErrors, opened, useErrorRoutes } from '../support/error-routes';

useErrorRoutes();

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
    handler.thrown = error;
    const stock = await openStock([ErrorsController].map(uncached));
    opened.push(stock);
    const right = await stock.get('/errors/price');
    const { get } = await openErrors();
    for (let times = 0; times < 5; times++) {
      const { status, text } = await get('/errors/price');
      expect([times, status, text]).toEqual([times, right.status, right.text]);
    }
    handler.calls = 0;
    handler.thrown = undefined;
    if (right.status < 500) expect((await get('/errors/price')).status).toBe(200);
  });

  it('goes to the filters of its route', async () => {
    handler.thrown = gone;
    const { get } = await openErrors();
    for (let times = 0; times < 3; times++) {
      const { status, text } = await get('/errors/filtered');
      expect([status, JSON.parse(text)]).toEqual([404, { brewed: 'no such price' }]);
    }
  });

  it('of a pipe is no failure of the route', async () => {
    const { get } = await openErrors();
    for (let times = 0; times < 5; times++) expect((await get('/errors/numbers/x')).status).toBe(400);
    expect((await get('/errors/numbers/1')).text).toBe('{"id":1}');
  });

  itOnFastify()('keeps its status in a problem of the service', async () => {
    const { get } = await openErrors({ answersProblems: true });
    handler.thrown = gone;
    expect(JSON.parse((await get('/errors/price')).text)).toMatchObject({ detail: 'no such price' });
    for (const [status, error] of exceptions.filter(([status]) => Number(status) >= 400)) {
      handler.thrown = error;
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

describe('a not found that the rule keeps', () => {
  it('is handler.thrown again for each request, by the filters of the application', async () => {
    handler.thrown = gone;
    const { get } = await openErrors();
    const miss = await get('/errors/kept');
    handler.thrown = undefined;
    const hit = await get('/errors/kept');
    expect([hit.status, hit.text]).toEqual([404, miss.text]);
    expect([hit.headers['x-cache'], hit.headers['cache-status']]).toEqual([
      'HIT',
      expect.stringContaining('hit; ttl='),
    ]);
    expect(handler.calls).toBe(1);
  });

  it('is not kept of other statuses', async () => {
    handler.thrown = () => new ForbiddenException();
    const { get } = await openErrors();
    await get('/errors/kept');
    handler.thrown = undefined;
    expect((await get('/errors/kept')).text).toBe('{"kept":1}');
  });
});

describe("filters for one of Nest's classes", () => {
  it.each([
    ['an object', () => new NotFoundException('no item'), { message: 'no item', error: 'Not Found', statusCode: 404 }],
    ['a text', () => Reflect.construct(HttpException, ['no item', 404], NotFoundException) as unknown, 'no item'],
  ])('get a kept not found with %s by its class', async (_body, error, said) => {
    handler.thrown = error;
    const { get } = await openErrors();
    for (let times = 0; times < 3; times++)
      expect(JSON.parse((await get('/errors/own-filters')).text)).toEqual({ shop: 'missing', said });
    expect(handler.calls).toBe(1);
  });

  it('get the exception itself on the first answer', async () => {
    handler.thrown = () => new OutOfStock('no item');
    const { get } = await openErrors();
    expect(JSON.parse((await get('/errors/own-filters')).text)).toMatchObject({ since: 'Monday' });
    expect(JSON.parse((await get('/errors/own-filters')).text)).toMatchObject({ shop: 'missing' });
  });

  it('get a failure by its class while the route pauses', async () => {
    handler.thrown = () => new ServiceUnavailableException({ till: 'nine' });
    const { get } = await openErrors();
    for (let times = 0; times < 6; times++)
      expect(JSON.parse((await get('/errors/own-filters')).text)).toEqual({ shop: 'closed', said: { till: 'nine' } });
    expect(handler.calls).toBeLessThan(6);
  });
});

describe('a waiter on another replica', () => {
  let redis: RedisProcess;
  beforeAll(async () => (redis = await RedisProcess.start()));
  afterAll(() => redis.stop());

  it('gets a failure by its class', async () => {
    const [a, b] = [await openErrors({ redis }), await openErrors({ redis })];
    for (const { get } of [a, b])
      await waitUntil(async () => (await get('/errors/numbers/2')).headers['cache-status']?.includes('/l') ?? false, {
        what: 'Redis',
      });
    handler.thrown = () => new ServiceUnavailableException({ till: 'nine' });
    handler.gate = new Gate();
    const first = a.get('/errors/own-filters');
    await handler.gate.untilWaiting(1);
    const second = b.get('/errors/own-filters');
    setImmediate(() => handler.gate.open());
    for (const { text } of await Promise.all([first, second]))
      expect(JSON.parse(text)).toEqual({ shop: 'closed', said: { till: 'nine' } });
  });

  it.each([
    [404, 2, gone],
    [403, 2, () => new ForbiddenException()],
    [502, 1, () => new BadGatewayException('the shop is closed')],
  ])('gets %d as well, by %d calls: a failure is shared, a refusal requested again', async (status, times, error) => {
    const [a, b] = [await openErrors({ redis }), await openErrors({ redis })];
    for (const { app } of [a, b])
      await waitUntil(() => app.get(StoreHealth, { strict: false }).get().isUp, { what: 'Redis' });
    handler.thrown = error;
    handler.gate = new Gate();
    const host = { host: 'shop.example' }; // the key of a route has the host in it
    const first = a.get('/errors/price', host);
    await handler.gate.untilWaiting(1);
    const waits = jest.spyOn(b.app.get(CacheStore, { strict: false }), 'change');
    const second = b.get('/errors/price', host);
    await waitUntil(() => waits.mock.calls.length > 0, { what: 'the other to wait' });
    handler.gate.open();
    const answers = await Promise.all([first, second]);
    expect(answers.map((answer) => answer.status)).toEqual([status, status]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(handler.calls).toBe(times);
  });
});

/** The controller without the cache. */
function uncached(): typeof ErrorsController {
  @Controller('errors')
  class Plain {
    @Get('price')
    price() {
      throw handler.thrown?.();
    }
  }
  return Plain as unknown as typeof ErrorsController;
}
