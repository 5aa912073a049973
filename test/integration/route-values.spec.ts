import { CacheTTL } from '@nestjs/cache-manager';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  Next,
  Param,
  ParseIntPipe,
  Redirect,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
  type Type,
} from '@nestjs/common';
import { RouteSchema } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { EMPTY, interval, map, of } from 'rxjs';
import { ResponseCacheInterceptor } from '../../src/cache';
import { Gate } from '../support/barrier';
import { onAdapter, openRoutes, openStock, type RouteApp } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

let calls = 0;
let gate: Gate;
let made: Readable[] = [];
let ticking = 0;

const later = async (value: unknown): Promise<unknown> => {
  calls += 1;
  await gate.wait();
  return value;
};
const readable = (text: string): Readable => {
  const one = Readable.from([text]);
  made.push(one);
  return one;
};

class Values {
  @Get('text')
  text() {
    return later('text');
  }

  @Get('number')
  number() {
    return later(7);
  }

  @Get('false')
  boolean() {
    return later(false);
  }

  @Get('null')
  nothing() {
    return later(null);
  }

  @Get('undefined')
  none() {
    return later(undefined);
  }

  @Get('buffer')
  buffer() {
    return later(Buffer.from('bytes'));
  }

  @Get('bytes')
  bytes() {
    return later(new Uint8Array([104, 105]));
  }

  @Get('object')
  @HttpCode(203)
  @Header('x-of-route', 'yes')
  object() {
    return later({ a: 1, at: new Date(0) });
  }

  @Get('json-text')
  @Header('content-type', 'application/json')
  jsonText() {
    return later('{"a":1}');
  }

  @Get('schema')
  @RouteSchema({ response: { 200: { type: 'object', properties: { id: { type: 'number' } } } } })
  schema() {
    return later({ id: 1, password: 'secret' });
  }

  @Get('set')
  set() {
    return later(new Set([1]));
  }

  @Get('status/:status')
  status(@Param('status', ParseIntPipe) status: number, @Res({ passthrough: true }) reply: FastifyReply) {
    void reply.status(status);
    return later({ a: 1 });
  }
}

class Streams {
  @Get('readable')
  readable() {
    return later(readable('of a stream'));
  }

  @Get('file')
  @Header('x-of-route', 'yes')
  file() {
    return later(new StreamableFile(Buffer.from('of a file'), { type: 'text/csv', length: 9 }));
  }

  @Get('web-response')
  webResponse() {
    return later(new Response('{"web":1}', { status: 201, headers: { 'x-of-response': 'yes' } }));
  }

  @Get('web-stream')
  webStream() {
    return later(new Blob(['of the web']).stream());
  }

  @Get('generator')
  async *generator() {
    await later(undefined);
    yield 'one ';
    yield 'two';
  }

  @Get('without-value')
  withoutValue() {
    return EMPTY;
  }
}

class Handed {
  @Get('res')
  res(@Res() reply: FastifyReply) {
    calls += 1;
    void reply.send({ a: 1 });
  }

  @Get('next')
  next(@Next() _next: unknown, @Res() reply: FastifyReply) {
    calls += 1;
    void reply.status(202).send('next');
  }

  @Get('sent')
  sent(@Res({ passthrough: true }) reply: FastifyReply) {
    calls += 1;
    void reply.header('x-sent', 'yes').status(202).send({ sent: true });
  }

  @Get('go')
  @Redirect('/elsewhere', 302)
  go() {
    calls += 1;
  }

  @Get('go-by-reply')
  goByReply(@Res({ passthrough: true }) reply: FastifyReply) {
    calls += 1;
    if (onAdapter() === 'fastify') void reply.redirect('/elsewhere', 307);
    else void reply.redirect(307 as never, '/elsewhere' as never);
  }

  @Sse('one')
  one() {
    calls += 1;
    return of({ data: 'x' });
  }

  @Sse('endless')
  endless() {
    return interval(5).pipe(map((data) => ({ data: String((ticking = data)) })));
  }
}

/** The routes under a path, cached or not. */
function controllers(isCached: boolean): Type[] {
  return [Values, Streams, Handed].map((routes) => {
    @Controller(routes.name.toLowerCase())
    class Cached extends routes {}
    if (!isCached) return Cached;
    CacheTTL(60_000)(Cached);
    UseInterceptors(ResponseCacheInterceptor)(Cached);
    return Cached;
  });
}

let app: RouteApp;
let stock: RouteApp;

beforeAll(async () => {
  stock = await openStock(controllers(false));
  app = await openRoutes(controllers(true));
});
beforeEach(() => {
  calls = 0;
  made = [];
  gate = new Gate();
  gate.open();
});
afterAll(async () => {
  await app.close();
  await stock.close();
});

/** The routes that an application of its own warns of, in order, after two requests for each path. */
async function warnedOf(paths: readonly string[]): Promise<readonly (string | undefined)[]> {
  const log: string[] = [];
  const fresh = await openRoutes(controllers(true), { log });
  for (const path of [...paths, ...paths]) await fresh.get(path);
  await fresh.close();
  return log.flatMap((line) => /Cached\.(\w+) is not cached: it /.exec(line)?.[1] ?? []);
}

/** What a client sees of an answer, those fields aside that say who answered and when. */
async function seenBy({ get }: RouteApp, path: string, method = 'GET') {
  const { status, text, headers } = await get(path, {}, method);
  const { 'content-type': type, location } = headers;
  const own = ['x-of-route', 'x-of-response', 'x-sent'].map((name) => headers[name]);
  return { status, text, type, location, own, length: method === 'GET' ? undefined : headers['content-length'] };
}

describe('a value', () => {
  const paths = [
    'text',
    'number',
    'false',
    'null',
    'undefined',
    'buffer',
    'bytes',
    'object',
    'json-text',
    'schema',
    'set',
  ];

  it.each(paths)('%s is sent as stock Nest sends it, on a miss and on hits', async (path) => {
    const right = await seenBy(stock, `/values/${path}`);
    const before = calls;
    for (let times = 0; times < 4; times++) expect(await seenBy(app, `/values/${path}`)).toEqual(right);
    expect(calls - before).toBe(1);
  });

  it.each([
    200, 201, 202, 203, 204, 205, 206, 207, 226, 300, 301, 304, 307, 400, 404, 410, 412, 416, 429, 451, 500, 503,
  ])('with status %i is sent as stock Nest sends it, each time', async (status) => {
    // Stock Fastify gives the HEAD of a 204 the length of a body that no GET has.
    for (const method of status === 204 ? ['GET'] : ['GET', 'HEAD']) {
      const right = await seenBy(stock, `/values/status/${status}`, method);
      for (let times = 0; times < 3; times++)
        expect(await seenBy(app, `/values/status/${status}`, method)).toEqual(right);
    }
  });

  it.each(['text', 'object', 'bytes'])('%s has the same head by HEAD', async (path) => {
    const right = await seenBy(stock, `/values/${path}?head`, 'HEAD');
    await app.get(`/values/${path}?head`);
    expect(await seenBy(app, `/values/${path}?head`, 'HEAD')).toEqual(right);
  });
});

it('an observable without a value fails as in stock Nest', async () => {
  const right = await seenBy(stock, '/streams/without-value');
  expect(right.status).toBe(500);
  for (let times = 0; times < 3; times++) expect(await seenBy(app, '/streams/without-value')).toEqual(right);
});

describe('what can be read only once', () => {
  const paths = ['readable', 'file', 'web-response', 'web-stream', 'generator'];

  it.each(paths)('%s is sent like stock Nest, again each time', async (path) => {
    const right = await seenBy(stock, `/streams/${path}`);
    for (let times = 0; times < 3; times++) expect(await seenBy(app, `/streams/${path}`)).toEqual(right);
  });

  it('is warned of once, by route and reason', async () => {
    const warned = await warnedOf(['readable', 'file', 'web-response', 'web-stream'].map((path) => `/streams/${path}`));
    expect(warned).toEqual(['readable', 'file', 'webResponse', 'webStream']);
  });
});

describe('a route whose handler answers by itself', () => {
  it.each(['res', 'next', 'sent', 'go', 'go-by-reply'])('%s answers each request as in stock Nest', async (path) => {
    const right = await seenBy(stock, `/handed/${path}`);
    for (let times = 0; times < 3; times++) expect(await seenBy(app, `/handed/${path}`)).toEqual(right);
    expect(calls).toBe(4);
  });

  it('sends its events with @Sse(), again each time', async () => {
    for (let times = 0; times < 2; times++) {
      const { headers, text } = await app.get('/handed/one');
      expect([headers['content-type'], text]).toEqual(['text/event-stream', expect.stringContaining('data: x')]);
    }
    expect(calls).toBe(2);
  });

  it('ends an endless @Sse() when its client has left', async () => {
    const { port } = new URL(app.url);
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write('GET /handed/endless HTTP/1.1\r\nhost: x\r\n\r\n'),
    );
    await waitUntil(() => ticking > 2, { what: 'a few events' });
    socket.destroy();
    let last = -1;
    await waitUntil(
      () => {
        const isQuiet = ticking === last;
        last = ticking;
        return isQuiet;
      },
      { what: 'the end of the events', pollMs: 50 },
    );
  });

  it('is warned of once, by route and reason', async () => {
    const warned = await warnedOf(['res', 'next', 'sent', 'go', 'go-by-reply', 'one'].map((path) => `/handed/${path}`));
    expect(warned).toEqual(['res', 'next', 'sent', 'go', 'goByReply', 'one']);
  });
});

describe('a body that several wait for', () => {
  it('goes to one of them; each of the others has its own', async () => {
    const fresh = await openRoutes(controllers(true));
    gate = new Gate();
    const answers = [1, 2, 3].map(() => fresh.get('/streams/readable'));
    await gate.untilWaiting(1);
    gate.open();
    for (const { status, text } of await Promise.all(answers)) expect([status, text]).toEqual([200, 'of a stream']);
    expect(made).toHaveLength(3);
    await fresh.close();
  });

  it('is ended when its client has had a 504', async () => {
    const fresh = await openRoutes(controllers(true), { settings: { deadlineMs: 30 }, answersProblems: true });
    gate = new Gate();
    expect((await fresh.get('/streams/readable')).status).toBe(504);
    gate.open();
    await waitUntil(() => made.length === 1 && made[0]?.destroyed === true, { what: 'the end of the stream' });
    await fresh.close();
  });
});
