import { Catch, Controller, Get, Req, ServiceUnavailableException, UseFilters, UseInterceptors } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Server } from 'node:http';
import { CacheRule, CacheStore, ResponseCacheInterceptor, StoreHealth } from '../../src/cache';
import { Gate } from '../support/barrier';
import { RedisProcess } from '../support/redis-process';
import { openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

let gate: Gate;
let calls: number;
/** What a handler rejects with when its client leaves. */
let aborted: () => Error;

/** As a client of an API does it that is given the request's signal. */
function untilClosed(request: FastifyRequest): Promise<never> {
  return new Promise((_resolve, reject) => request.socket.once('close', () => reject(aborted())));
}

@Catch(TypeError)
class TypeErrorFilter implements ExceptionFilter {
  catch(_error: TypeError, host: ArgumentsHost): void {
    void host.switchToHttp().getResponse<FastifyReply>().status(409).send({ aborted: true });
  }
}

@Controller('leaders')
@UseInterceptors(ResponseCacheInterceptor)
class LeadersController {
  @Get('feed')
  @CacheRule({ upstream: 'things', key: () => 'feed' })
  async feed(@Req() request: FastifyRequest) {
    const call = ++calls;
    await Promise.race([gate.wait(), untilClosed(request)]);
    return { call };
  }

  @Get('filtered')
  @UseFilters(TypeErrorFilter)
  @CacheRule({ upstream: 'things', key: () => 'filtered' })
  filtered(@Req() request: FastifyRequest) {
    return this.feed(request);
  }
}

const opened: RouteApp[] = [];
const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  const app = await openRoutes([LeadersController], options);
  opened.push(app);
  return app;
};

beforeEach(() => {
  calls = 0;
  gate = new Gate();
  aborted = () => new Error('the client has gone');
});
afterEach(async () => {
  gate.open();
  for (const app of opened.splice(0)) await app.close();
});

/** A request that its client gives up, and what happens to it. */
function askAndLeave({ send }: RouteApp, path: string) {
  const leaving = new AbortController();
  const asked = send(path, { signal: leaving.signal }).then(
    () => 'answered',
    () => 'left',
  );
  return { asked, leave: () => leaving.abort() };
}

/** `count` requests, once the server has all of them. */
async function waiters({ app, get }: RouteApp, path: string, count: number) {
  let arrived = 0;
  (app.getHttpServer() as Server).on('request', () => (arrived += 1));
  const answers = Array.from({ length: count }, () => get(path));
  await waitUntil(() => arrived === count, { what: 'those who wait' });
  await new Promise((resolve) => setImmediate(resolve));
  return answers;
}

describe('requests that wait for a load when its client disconnects and its handler stops,', () => {
  const failures: [string, () => Error][] = [
    ['an error', () => new Error('the client has gone')],
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
    ['a 503', () => new ServiceUnavailableException()],
  ];

  it.each(failures)('are answered by one load of their own after %s', async (_what, error) => {
    aborted = error;
    const replica = await open();
    const leader = askAndLeave(replica, '/leaders/feed');
    await gate.untilWaiting(1);
    const answers = await waiters(replica, '/leaders/feed', 3);
    leader.leave();
    expect(await leader.asked).toBe('left');
    await gate.untilWaiting(2);
    gate.open();
    for (const { status, text } of await Promise.all(answers)) expect([status, text]).toEqual([200, '{"call":2}']);
    expect(calls).toBe(2);
    expect((await replica.get('/leaders/feed')).headers['x-cache']).toBe('HIT');
  });

  it('are not answered by what a filter makes of it', async () => {
    aborted = () => new TypeError('aborted');
    const replica = await open();
    const leader = askAndLeave(replica, '/leaders/filtered');
    await gate.untilWaiting(1);
    const [answer] = await waiters(replica, '/leaders/filtered', 1);
    leader.leave();
    await gate.untilWaiting(2);
    gate.open();
    expect((await answer)?.text).toBe('{"call":2}');
  });

  it('find no pause, however many clients left before', async () => {
    const replica = await open();
    for (let times = 1; times <= 4; times++) {
      const leader = askAndLeave(replica, '/leaders/feed');
      await gate.untilWaiting(times);
      leader.leave();
      await leader.asked;
    }
    await waitUntil(() => replica.cache?.loadsUnderWay === 0, { what: 'the end of the loads' });
    gate.open();
    expect(await replica.get('/leaders/feed')).toMatchObject({ status: 200, text: '{"call":5}' });
  });

  it('get the fresh answer, not the stale one, where one is stored', async () => {
    const replica = await open({ policy: { ttlMs: 1, staleIfErrorMs: 60_000 } });
    gate.open();
    expect((await replica.get('/leaders/feed')).text).toBe('{"call":1}');
    gate = new Gate();
    const leader = askAndLeave(replica, '/leaders/feed');
    await gate.untilWaiting(1);
    const [answer] = await waiters(replica, '/leaders/feed', 1);
    leader.leave();
    await gate.untilWaiting(2);
    gate.open();
    expect((await answer)?.text).toBe('{"call":3}');
  });
});

describe('with another replica', () => {
  let redis: RedisProcess;
  beforeAll(async () => (redis = await RedisProcess.start()));
  afterAll(() => redis.stop());

  it('a request that waits there loads for itself when the client here leaves', async () => {
    const [a, b] = [await open({ redis }), await open({ redis })];
    for (const { app } of [a, b])
      await waitUntil(() => app.get(StoreHealth, { strict: false }).get().isUp, { what: 'Redis' });
    const leader = askAndLeave(a, '/leaders/feed');
    await gate.untilWaiting(1);
    const waits = jest.spyOn(b.app.get(CacheStore, { strict: false }), 'change');
    const answer = b.get('/leaders/feed');
    await waitUntil(() => waits.mock.calls.length > 0, { what: 'the other to wait' });
    leader.leave();
    await gate.untilWaiting(2);
    gate.open();
    expect(await answer).toMatchObject({ status: 200, text: '{"call":2}' });
  });
});
