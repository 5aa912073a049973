import {
  Catch,
  Controller,
  Get,
  Header,
  HttpException,
  Req,
  Res,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { gunzipSync } from 'node:zlib';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { Gate } from '../support/barrier';
import {
  errorType,
  itOnFastify,
  onRequest,
  openRoutes,
  type RouteApp,
  type RouteAppOptions,
} from '../support/route-app';
import { waitUntil } from '../support/wait-until';

/** What the handlers wait for, and what they return. */
let gate: Gate;
let count: number;
let calls: number;

class Quota implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    void context.switchToHttp().getResponse<FastifyReply>().header('x-quota', String(request.headers['x-user']));
    return true;
  }
}

@Controller('loads')
@UseInterceptors(ResponseCacheInterceptor)
class LoadsController {
  @Get('count')
  @CacheRule({ upstream: 'things' })
  async count() {
    calls += 1;
    await gate.wait();
    return { count };
  }

  @Get('long')
  @CacheRule({ upstream: 'things' })
  async long() {
    calls += 1;
    await gate.wait();
    return { count, text: 'long '.repeat(1_000) };
  }

  @Get('fields')
  @CacheRule({ upstream: 'things' })
  @Header('x-route', 'always')
  async fields(@Res({ passthrough: true }) reply: FastifyReply) {
    const isFirst = ++calls === 1;
    if (isFirst) void reply.header('x-first', 'yes');
    await gate.wait();
    void reply.header('x-late', String(count)).status(203);
    return { count };
  }

  @Get('late-private')
  @CacheRule({ upstream: 'things' })
  async latePrivate(@Res({ passthrough: true }) reply: FastifyReply) {
    calls += 1;
    await gate.wait();
    void reply.header('cache-control', 'private');
    return { calls };
  }

  @Get('guarded')
  @UseGuards(Quota)
  @CacheRule({ upstream: 'things', key: () => 'guarded' })
  guarded() {
    return { calls: ++calls };
  }

  @Get('conditions')
  @CacheRule({ upstream: 'things', key: () => 'conditions' })
  conditions(@Req() { headers }: FastifyRequest) {
    const asked = ['if-none-match', 'if-modified-since', 'range', 'cache-control', 'pragma', 'accept-encoding'];
    return { seen: asked.filter((name) => headers[name] !== undefined), user: headers['x-user'] };
  }
}

@Catch(HttpException)
class OwnFilter implements ExceptionFilter {
  catch(error: HttpException, host: ArgumentsHost): void {
    const status = error.getStatus();
    void host.switchToHttp().getResponse<FastifyReply>().status(status).send({ own: status });
  }
}

let app: RouteApp;
const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  app = await openRoutes([LoadsController], { answersProblems: true, ...options });
  return app;
};

beforeEach(() => {
  gate = new Gate();
  gate.open();
  count = 5;
  calls = 0;
});
afterEach(async () => {
  gate.open();
  await app.close();
});

/** Asks until the answer is as it should be, and returns it. */
async function getUntil(path: string, isRight: (answer: Awaited<ReturnType<RouteApp['get']>>) => boolean) {
  let answer = await app.get(path);
  await waitUntil(
    async () => {
      answer = await app.get(path);
      return isRight(answer);
    },
    { what: `the right answer to ${path}` },
  );
  return answer;
}

describe('a load that runs on when its client has been answered', () => {
  it('is stored as plain JSON when a gzip client got a stale response during the load', async () => {
    const { get } = await open({ policy: { ttlMs: 1, staleIfErrorMs: 60_000 }, settings: { staleAfterMs: 50 } });
    await get('/loads/long');
    gate = new Gate();
    count = 6;
    const stale = await get('/loads/long', { 'accept-encoding': 'gzip' });
    expect(stale.headers['cache-status']).toContain('STALE_ON_ERROR');
    expect(JSON.parse(gunzipSync(stale.body).toString())).toMatchObject({ count: 5 });
    gate.open();
    const plain = await getUntil('/loads/long', ({ text }) => text.includes('"count":6'));
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await get('/loads/long', { 'accept-encoding': 'gzip' });
    const body = packed.headers['content-encoding'] === 'gzip' ? gunzipSync(packed.body) : packed.body;
    expect(JSON.parse(body.toString())).toMatchObject({ count: 6 });
  });

  it('is stored after the 504 of its own client and of the requests that joined', async () => {
    const { get } = await open({ settings: { deadlineMs: 50 } });
    gate = new Gate();
    const answers = await Promise.all([get('/loads/count'), get('/loads/count')]);
    for (const { status, headers, text } of answers) {
      expect([status, headers['content-type']]).toEqual([504, errorType()]);
      expect(JSON.parse(text)).toMatchObject({ code: 'deadline-exceeded' });
    }
    expect(calls).toBe(1);
    gate.open();
    const hit = await getUntil('/loads/count', ({ headers }) => headers['x-cache'] === 'HIT');
    expect([hit.status, hit.text, calls]).toEqual([200, '{"count":5}', 1]);
    expect(hit.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it("is an exception of Nest's with a status and Retry-After to an application without the service's filter", async () => {
    const { get } = await open({ settings: { deadlineMs: 50 }, answersProblems: false });
    gate = new Gate();
    const { status, headers, text } = await get('/loads/count');
    expect([status, headers['retry-after']]).toEqual([504, '1']);
    expect(JSON.parse(text)).toEqual({
      ...{ statusCode: 504, error: 'No answer in time', code: 'deadline-exceeded' },
      message: expect.any(String) as string,
    });
  });

  it("reaches the application's own filters as an HttpException", async () => {
    const { get } = await open({
      settings: { deadlineMs: 50 },
      answersProblems: false,
      prepare: (nest) => void nest.useGlobalFilters(new OwnFilter()),
    });
    gate = new Gate();
    const { status, headers, text } = await get('/loads/count');
    expect([status, headers['retry-after'], text]).toEqual([504, '1', '{"own":504}']);
  });

  // On Express a 504 and the handler have one response: what a handler that has it set meanwhile is not stored.
  itOnFastify()('keeps status and fields that the handler sets after the 504', async () => {
    const { get } = await open({ settings: { deadlineMs: 50 } });
    gate = new Gate();
    expect((await get('/loads/fields')).status).toBe(504);
    gate.open();
    const { status, headers } = await getUntil('/loads/fields', (answer) => answer.headers['x-cache'] === 'HIT');
    expect([status, headers['x-late'], headers['x-first'], headers['x-route']]).toEqual([203, '5', 'yes', 'always']);
    expect(headers['cache-control']).toBeUndefined(); // the 504 says no-store
  });

  it('is not stored when the handler says private after the 504', async () => {
    const { get } = await open({ settings: { deadlineMs: 50 } });
    gate = new Gate();
    expect((await get('/loads/late-private')).status).toBe(504);
    gate.open();
    await getUntil('/loads/late-private', ({ status }) => status === 200);
    const { text: second } = await get('/loads/late-private');
    expect((await get('/loads/late-private')).text).not.toBe(second);
  });

  itOnFastify()('leaves the answer of its client to the hooks that run after it', async () => {
    const seen: unknown[] = [];
    const { get } = await open({
      settings: { deadlineMs: 50 },
      prepare: (_app, fastify) =>
        void fastify.addHook('onResponse', (_request, reply, done) => {
          seen.push([reply.statusCode, reply.raw.statusCode, reply.getHeader('content-type'), reply.elapsedTime > 0]);
          done();
        }),
    });
    gate = new Gate();
    await get('/loads/fields');
    await waitUntil(() => seen.length === 1, { what: 'the hook' });
    expect(seen).toEqual([[504, 504, 'application/problem+json; charset=utf-8', true]]);
  });

  itOnFastify()('runs hooks before sending with what plugins keep on a reply', async () => {
    const prepare: RouteAppOptions['prepare'] = (_app, fastify) => {
      fastify.decorateReply('startedBy', '');
      fastify.addHook('onRequest', (request, reply, done) => {
        Object.assign(reply, { startedBy: request.headers['x-user'] });
        done();
      });
      fastify.addHook('onSend', (_request, reply, payload, done) => {
        void reply.header('x-started-by', (reply as unknown as { startedBy: string }).startedBy);
        done(null, payload);
      });
    };
    const { get } = await open({ policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000 }, prepare });
    await get('/loads/count');
    const stale = await get('/loads/count', { 'x-user': 'alice' });
    expect(stale.headers['cache-status']).toContain('HIT_STALE');
    expect([stale.headers['x-started-by'], stale.headers['x-request-id']]).toEqual(['alice', expect.any(String)]);
    expect(Number(stale.headers['x-response-time'])).toBeGreaterThan(0);
  });
});

describe('a load that a conditional request began', () => {
  it('refreshes the entry although its client gets 304', async () => {
    const { get } = await open({ policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000 } });
    const { etag = '' } = (await get('/loads/count')).headers;
    count = 6;
    let last = await get('/loads/count', { 'if-none-match': etag });
    await waitUntil(
      async () => {
        last = await get('/loads/count', { 'if-none-match': etag });
        return last.status === 200;
      },
      { what: 'the refreshed entry' },
    );
    expect(last.text).toBe('{"count":6}');
  });

  it('answers 304 only to a client with the response', async () => {
    let arrived = 0;
    const prepare = onRequest(() => (arrived += 1));
    const { get } = await open({ policy: { ttlMs: 1 }, prepare });
    const { etag = '' } = (await get('/loads/count')).headers;
    gate = new Gate();
    const poller = get('/loads/count', { 'if-none-match': etag });
    await gate.untilWaiting(1);
    const others = [
      get('/loads/count'),
      get('/loads/count', { 'if-none-match': '"other"' }),
      get('/loads/count', {}, 'HEAD'),
    ];
    await waitUntil(() => arrived === 5, { what: 'all of them' });
    gate.open();
    const [plain, other, head] = await Promise.all(others);
    expect((await poller).status).toBe(304);
    expect([plain?.status, plain?.text]).toEqual([200, '{"count":5}']);
    expect([other?.status, other?.text]).toEqual([200, '{"count":5}']);
    expect([head?.status, head?.headers['content-length']]).toEqual([200, '11']);
  });

  it('does not show the handler what the client asked for', async () => {
    const { get } = await open();
    const asked = { 'if-none-match': '"a"', range: 'bytes=0-999', 'cache-control': 'no-cache', pragma: 'no-cache' };
    const { text } = await get('/loads/conditions', { ...asked, 'accept-encoding': 'gzip', 'x-user': 'alice' });
    expect(JSON.parse(text)).toEqual({ seen: [], user: 'alice' });
  });
});

it('gives a private response to no other request that waits for the load', async () => {
  let arrived = 0;
  const { get } = await open({
    prepare: onRequest(() => (arrived += 1)),
  });
  gate = new Gate();
  const first = get('/loads/late-private');
  await gate.untilWaiting(1);
  const others = [get('/loads/late-private'), get('/loads/late-private')];
  await waitUntil(() => arrived === 3, { what: 'all three' });
  setImmediate(() => gate.open());
  const answers = await Promise.all([first, ...others]);
  for (const { status, headers } of answers) expect([status, headers['cache-control']]).toEqual([200, 'private']);
  expect(calls).toBe(3);
});

describe('what belongs to one request', () => {
  const correlate = onRequest((request, set, setRaw) => {
    set('x-correlation-id', String(request.headers['x-correlation-id']));
    setRaw('x-nonce', String(request.headers['x-correlation-id']));
  });

  it('is not stored: fields that a hook sets', async () => {
    const { get } = await open({ prepare: correlate });
    for (const id of ['one', 'two', 'three']) {
      const { headers } = await get('/loads/count', { 'x-correlation-id': id });
      expect([headers['x-correlation-id'], headers['x-nonce']]).toEqual([id, id]);
    }
    expect(calls).toBe(1);
  });

  it('is on a stale answer and on a 304', async () => {
    const { get } = await open({ prepare: correlate, policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000 } });
    const { etag = '' } = (await get('/loads/count', { 'x-correlation-id': 'one' })).headers;
    const { status, headers } = await get('/loads/count', { 'x-correlation-id': 'two', 'if-none-match': etag });
    expect([status, headers['x-correlation-id'], headers['x-nonce']]).toEqual([304, 'two', 'two']);
  });

  it('is not stored: fields that a guard sets', async () => {
    const { get } = await open();
    expect((await get('/loads/guarded', { 'x-user': 'alice' })).headers['x-quota']).toBe('alice');
    expect((await get('/loads/guarded', { 'x-user': 'bob' })).headers['x-quota']).toBe('bob');
    expect(calls).toBe(1);
  });
});

it('drops a field that the handler set only the first time', async () => {
  const { get } = await open({ policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000 } });
  expect((await get('/loads/fields')).headers['x-first']).toBe('yes');
  count = 6;
  const { headers } = await getUntil('/loads/fields', (answer) => answer.headers['x-late'] === '6');
  expect([headers['x-first'], headers['x-route']]).toEqual([undefined, 'always']);
});
