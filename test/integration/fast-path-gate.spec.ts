import {
  Controller,
  Delete,
  Get,
  Module,
  Options,
  Post,
  Put,
  RequestMethod,
  UseInterceptors,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheInvalidator, CacheRule, ResponseCacheInterceptor, ResponseCacheModule } from '../../src/cache';
import { FastPath } from '../../src/cache/fast-path';
import { EDGE_FIELDS, requestId } from '../../src/server/edge-hooks';
import type { FastServer } from '../../src/server/fast-path-gate';
import type { LarderAdapter } from '../../src/server/larder-adapter';
import { gateOf } from '../support/gate-of';
import { Gate } from '../support/barrier';
import { rawRequest, request } from '../support/raw-http';
import { waitUntil } from '../support/wait-until';

const policy = {
  ttlMs: 60_000,
  negativeTtlMs: 1_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  jitter: 0,
  earlyRefreshBeta: 0,
};
const idOf = (asked: FastifyRequest): string => (asked.params as { id: string }).id;

/** How often a key was asked for: never on the fast path. */
let keyed = 0;
const counting = <T>(value: T): T => {
  keyed += 1;
  return value;
};

@Controller()
@UseInterceptors(ResponseCacheInterceptor)
class ThingsController {
  @Get('by-url/:id')
  @CacheRule({
    upstream: 'things',
    key: (asked) => counting(`by-url:${idOf(asked)}`),
    byUrl: true,
    hitFlagName: 'cached',
  })
  byUrl() {
    return { value: 1 };
  }

  @Post('by-url/:id')
  postUncached() {
    return 'handled POST';
  }

  @Put('by-url/:id')
  putUncached() {
    return 'handled PUT';
  }

  @Delete('by-url/:id')
  deleteUncached() {
    return 'handled DELETE';
  }

  @Options('by-url/:id')
  optionsUncached() {
    return 'handled OPTIONS';
  }

  @Get('large/:id')
  @CacheRule({ upstream: 'things', key: (asked) => counting(`large:${idOf(asked)}`), byUrl: true })
  large() {
    return { text: 'x'.repeat(100_000) };
  }

  @Get('by-tenant')
  @CacheRule({ upstream: 'things', key: ({ headers }) => counting(`tenant:${String(headers['x-tenant'])}`) })
  byTenant() {
    return { value: 1 };
  }

  @Get('plain')
  @CacheRule({ upstream: 'things' })
  plain() {
    return { value: Math.random() };
  }
}

type Prepare = (app: NestFastifyApplication) => void;

async function open(prepare: Prepare = () => undefined, configure?: (consumer: MiddlewareConsumer) => void) {
  @Module({
    imports: [
      ResponseCacheModule.forRootAsync({
        useFactory: () => ({
          policy,
          l1: { maxBytes: 10_000_000, maxEntries: 1_000 },
          ...{ leaseMs: 2_000, deadlineMs: 2_000, staleAfterMs: 1_000, loadTimeoutMs: 2_000, maxEntryBytes: 1_000_000 },
          fastPathEnabled: true,
          edgeFields: EDGE_FIELDS,
          fastPathGate: gateOf,
          requestId,
        }),
      }),
    ],
    controllers: [ThingsController],
  })
  class ThingsModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      configure?.(consumer);
    }
  }
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter());
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

const fastifyOf = (app: NestFastifyApplication): FastifyInstance => app.getHttpAdapter().getInstance();
const portOf = (app: NestFastifyApplication) => (app.getHttpServer().address() as { port: number }).port;
const keepAlive = new Agent({ keepAlive: true });

/** On a connection that stays, with a last request after it that ends the connection; without what differs each time. */
async function answerOf(app: NestFastifyApplication, method: string, path: string, fields: string): Promise<string> {
  const asked = `${method} ${path} HTTP/1.1\r\nhost: x\r\n${fields}\r\n`;
  const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  const answers = (await rawRequest(portOf(app), `${asked}${last}`)).toString('latin1');
  return answers
    .slice(0, answers.lastIndexOf('HTTP/1.1 404'))
    .replace(
      fields.includes('mine') ? /(x-response-time|Date): .*/g : /(x-request-id|x-response-time|Date): .*/g,
      '$1: …',
    )
    .replace(/ttl=\d+/, 'ttl=…')
    .replace(/age: \d+/, 'age: …');
}

describe('a hit of a route that is known by its URL', () => {
  let app: NestFastifyApplication;
  const get = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${portOf(app)}${path}`, { headers, agent: keepAlive });
  /** How often the key was asked for meanwhile. */
  const keyedDuring = async (call: () => Promise<unknown>): Promise<number> => {
    const before = keyed;
    await call();
    return keyed - before;
  };
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    for (let times = 0; times < 3; times++) await get(path, headers);
  };

  beforeAll(async () => {
    app = await open();
  });
  afterAll(() => app.close());

  it('serves a hit known by its URL, without other code', async () => {
    await warm('/by-url/1');
    expect(
      await keyedDuring(async () => {
        const { headers, body, status } = await get('/by-url/1');
        expect([status, headers['x-cache'], body.toString()]).toEqual([200, 'HIT', '{"value":1,"cached":true}']);
        expect(headers['x-request-id']).toMatch(/^[\w-]+\.\w+$/);
        expect(Number(headers['x-response-time'])).toBeGreaterThanOrEqual(0);
      }),
    ).toBe(0);
  });

  it.each([
    ['GET', '/by-url/2', ''],
    ['HEAD', '/by-url/2', ''],
    ['GET', '/by-url/2', 'if-none-match: *\r\n'],
    ['HEAD', '/by-url/2', 'if-none-match: *\r\n'],
    ['GET', '/by-url/2', 'x-request-id: mine\r\n'],
    ['GET', '/large/2', ''],
    ['GET', '/large/2', 'accept-encoding: gzip\r\n'],
  ])('the answer is the same to the byte as behind it: %s %s %j', async (method, path, fields) => {
    await warm(path, { 'accept-encoding': 'gzip' });
    await warm(path);
    const atDoor = await answerOf(app, method, path, fields);
    expect(atDoor).toContain('detail=HIT/l1');
    const behind = await open(
      (other) => void fastifyOf(other).addHook('onRequest', (_request, _reply, done) => done()),
    );
    try {
      for (const accepted of ['gzip', 'identity'])
        for (let times = 0; times < 3; times++)
          await request(`http://127.0.0.1:${portOf(behind)}${path}`, { headers: { 'accept-encoding': accepted } });
      expect(atDoor).toBe(await answerOf(behind, method, path, fields));
    } finally {
      await behind.close();
    }
  });

  it('nothing is answered whose key is made of more than the URL', async () => {
    await warm('/by-tenant', { 'x-tenant': 'a' });
    expect(await keyedDuring(() => get('/by-tenant', { 'x-tenant': 'a' }))).toBe(1);
    expect((await get('/by-tenant', { 'x-tenant': 'b' })).headers['x-cache']).toBe('MISS');
  });

  it.each([['authorization'], ['cookie']])('no client with %s gets the shared response', async (name) => {
    await warm('/plain');
    const shared = await get('/plain');
    const own = await get('/plain', { [name]: 'secret' });
    expect(shared.headers['x-cache']).toBe('HIT');
    expect([own.headers['cache-status'], own.body.equals(shared.body)]).toEqual([undefined, false]);
  });

  it('nothing is answered that was invalidated', async () => {
    await warm('/by-url/3');
    await app.get(CacheInvalidator, { strict: false }).invalidate({ kind: 'tag', tag: 'upstream:things' });
    expect((await get('/by-url/3')).headers['x-cache']).toBe('MISS');
  });

  it('the connection is promised what the server allows it at the time', async () => {
    const other = await open();
    const server = fastifyOf(other).server;
    const promises = async (): Promise<string[]> => {
      const answers = await rawRequest(portOf(other), 'GET /by-url/1 HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2), {
        timeoutMs: 200,
      });
      return [...answers.toString('latin1').matchAll(/^(?:Connection|Keep-Alive): .*$/gm)].map(([line]) => line.trim());
    };
    try {
      for (let times = 0; times < 3; times++)
        await request(`http://127.0.0.1:${portOf(other)}/by-url/1`, { agent: keepAlive });
      const first = ['Connection: keep-alive', 'Keep-Alive: timeout=72'];
      expect(await promises()).toEqual([...first, ...first]);
      server.keepAliveTimeout = 5_000;
      const then = ['Connection: keep-alive', 'Keep-Alive: timeout=5'];
      expect(await promises()).toEqual([...then, ...then]);
      server.maxRequestsPerSocket = 2;
      expect(await promises()).toEqual(['Connection: keep-alive', 'Keep-Alive: timeout=5, max=2', 'Connection: close']);
    } finally {
      await other.close();
    }
  });

  it.each<[string, FastServer]>([
    [
      'at once',
      () => {
        throw new Error('It fails.');
      },
    ],
    ['after a while', () => Promise.reject(new Error('It fails.'))],
  ])('what fails %s is answered the long way', async (_when, fail) => {
    let asked = 0;
    const failing: FastServer = (...given) => {
      asked += 1;
      return fail(...given);
    };
    const other = await open((one) => gateOf(one.getHttpAdapter()).serveWith(failing));
    try {
      const { status } = await request(`http://127.0.0.1:${portOf(other)}/by-url/1`);
      expect([status, asked]).toEqual([200, 1]);
    } finally {
      await other.close();
    }
  });

  it.each([
    ['stays goes on', false, ['/by-url/5', '/by-url/6']],
    ['goes away is left', true, ['/by-url/6']],
  ])('what is looked for while its client %s', async (_what, leaves, wentOn) => {
    const gate = new Gate();
    let gone: Promise<unknown> | undefined;
    const look: FastServer = (_request, response) => {
      gone ??= once(response, 'close');
      return gate.wait().then(() => false);
    };
    const behind: string[] = [];
    const next: FastServer = ({ url = '' }) => behind.push(url) < 0;
    const other = await open((one) => {
      const door = gateOf(one.getHttpAdapter());
      door.serveWith(look);
      door.serveWith(next);
    });
    try {
      const client = connect(portOf(other), '127.0.0.1').on('error', () => undefined);
      client.write('GET /by-url/5 HTTP/1.1\r\nhost: x\r\n\r\n');
      await gate.untilWaiting(1);
      if (leaves) {
        client.destroy();
        await gone;
      }
      gate.open();
      // The one behind goes the same way: once it is answered, the first has been let on or left.
      expect((await request(`http://127.0.0.1:${portOf(other)}/by-url/6`)).status).toBe(200);
      expect(behind).toEqual(wentOn);
      client.destroy();
    } finally {
      await other.close();
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])(
    'leaves %s of a path with a stored GET to its own handler',
    async (method) => {
      await warm('/by-url/4');
      const { status, body } = await request(`http://127.0.0.1:${portOf(app)}/by-url/4`, { method });
      expect([status, body.toString()]).toEqual([method === 'POST' ? 201 : 200, `handled ${method}`]);
    },
  );
});

describe('the fast path is off', () => {
  let ran = 0;
  const next = (...args: unknown[]): void => {
    ran += 1;
    (args.at(-1) as () => void)();
  };
  const nothing = (): void => undefined;
  const inScope =
    (prefix: string, add: (scope: FastifyInstance) => void): Prepare =>
    (app) =>
      void fastifyOf(app).register(
        (scope, _options, done) => {
          add(scope);
          scope.get('/one', (_request, reply) => reply.send('one'));
          done();
        },
        { prefix },
      );
  const forAll = (register: (fastify: FastifyInstance) => void) =>
    Object.assign(
      (instance: FastifyInstance, _options: unknown, done: () => void) => {
        register(instance);
        done();
      },
      { [Symbol.for('skip-override')]: true },
    );

  /** How many of five requests reach a key function: none of the last four on the fast path. */
  async function ordinaryOf(app: NestFastifyApplication, path: string, times = 5): Promise<number> {
    const before = keyed;
    for (let at = 0; at < times; at++) await request(`http://127.0.0.1:${portOf(app)}${path}`, { agent: keepAlive });
    return keyed - before;
  }

  it.each<[string, Prepare, (consumer: MiddlewareConsumer) => void]>([
    ['an onRequest hook', (app) => void fastifyOf(app).addHook('onRequest', next), nothing],
    ['an onResponse hook', (app) => void fastifyOf(app).addHook('onResponse', next), nothing],
    [
      'a hook of a plugin',
      (app) => void fastifyOf(app).register(forAll((all) => void all.addHook('onSend', next))),
      nothing,
    ],
    ['a middleware of the application', (app) => void app.use(next), nothing],
    ['a middleware for a path of the application', (app) => void app.use('/by-url', next), nothing],
    ['a middleware of a module', nothing, (consumer) => void consumer.apply(next).forRoutes('*path')],
    ['a middleware of a module for its path', nothing, (consumer) => void consumer.apply(next).forRoutes('by-url/:id')],
  ])('for a route that %s runs for', async (_what, prepare, configure) => {
    const app = await open(prepare, configure);
    ran = 0;
    try {
      expect(await ordinaryOf(app, '/by-url/1')).toBe(5);
      await waitUntil(() => ran === 5, { what: 'one run for each request' });
      expect(app.get(FastPath).routesOff).toBe(1);
    } finally {
      await app.close();
    }
  });

  it.each<[string, Prepare, (consumer: MiddlewareConsumer) => void]>([
    ['a hook of another scope', inScope('/other', (scope) => void scope.addHook('onRequest', next)), nothing],
    ['a middleware for another path', (app) => void app.use('/other', next), nothing],
    [
      'a middleware of a module for another path',
      nothing,
      (consumer) => void consumer.apply(next).forRoutes('other/*path'),
    ],
    [
      'a middleware of a module for another controller',
      nothing,
      (consumer) => void consumer.apply(next).forRoutes({ path: 'plain', method: RequestMethod.GET }),
    ],
    [
      'a route of another version',
      (app) =>
        void fastifyOf(app).route({
          ...{ method: 'GET', url: '/versions/one', constraints: { version: '1' } },
          handler: (_request, reply) => reply.send('one'),
        }),
      nothing,
    ],
  ])('for no route that %s does not concern', async (_what, prepare, configure) => {
    const app = await open(prepare, configure);
    try {
      expect(await ordinaryOf(app, '/by-url/1')).toBeLessThanOrEqual(2);
      expect(app.get(FastPath).routesOff).toBe(0);
    } finally {
      await app.close();
    }
  });

  it.each<[string, Prepare]>([
    ['CORS of Nest', (app) => app.enableCors({ origin: 'https://one.example' })],
    ['an onRequest hook of the adapter', (app) => (app.getHttpAdapter() as LarderAdapter).setOnRequestHook(next)],
  ])('for all routes with %s', async (_what, prepare) => {
    const app = await open(prepare);
    expect(await ordinaryOf(app, '/by-url/1')).toBe(5);
    await app.close();
  });

  it('for a URL once a middleware is added for it while the server runs', async () => {
    const app = await open();
    try {
      await ordinaryOf(app, '/by-url/1');
      expect(await ordinaryOf(app, '/by-url/1')).toBe(0);
      app.use('/by-url', next);
      expect(await ordinaryOf(app, '/by-url/1')).toBe(5);
    } finally {
      await app.close();
    }
  });

  it('says once for each route which of the application must run', async () => {
    const lines: string[] = [];
    const logger = { log: (line: string) => lines.push(line), warn: nothing, error: nothing };
    function checkTenant(_request: unknown, _reply: unknown, done: () => void): void {
      done();
    }
    const app = await open((one) => {
      one.useLogger(logger);
      fastifyOf(one).addHook('preHandler', checkTenant);
    });
    try {
      for (const path of ['/by-url/1', '/by-url/2', '/large/1']) await ordinaryOf(app, path);
      expect(lines.filter((line) => line.includes('fast path'))).toEqual([
        'Hits of GET /by-url/:id do not use the fast path: preHandler hook "checkTenant" must run for them.',
        'Hits of GET /large/:id do not use the fast path: preHandler hook "checkTenant" must run for them.',
      ]);
    } finally {
      await app.close();
    }
  });
});
