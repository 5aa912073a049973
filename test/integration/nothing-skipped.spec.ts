import {
  Controller,
  Get,
  Head,
  Header,
  Injectable,
  Module,
  UseGuards,
  UseInterceptors,
  VersioningType,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { RouteSchema, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { Agent } from 'node:http';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheRule, ResponseCacheInterceptor, ResponseCacheModule } from '../../src/cache';
import { EDGE_FIELDS, requestId } from '../../src/server/edge-hooks';
import { gateOf } from '../support/gate-of';
import { request } from '../support/raw-http';
import { waitUntil } from '../support/wait-until';
import { policy } from '../support/plain-policy';

const urlOf = ({ url }: FastifyRequest): string => url;
const Cached = () => CacheRule({ upstream: 'things', key: urlOf, byUrl: true });

/** How often what must run has run. */
let ran = 0;
const next = (...args: unknown[]): void => {
  ran += 1;
  (args.at(-1) as () => void)();
};

@Injectable()
class Nobody implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class CountingSubclass extends ResponseCacheInterceptor {
  override intercept(context: ExecutionContext, handler: CallHandler) {
    ran += 1;
    return super.intercept(context, handler);
  }
}

@Injectable()
class CountingWrapper implements NestInterceptor {
  constructor(private readonly inner: ResponseCacheInterceptor) {}

  intercept(context: ExecutionContext, handler: CallHandler) {
    ran += 1;
    return this.inner.intercept(context, handler);
  }
}

@Controller('plain')
@UseInterceptors(ResponseCacheInterceptor)
class PlainController {
  @Get(':id')
  @Cached()
  plain() {
    return { value: 1 };
  }
}

@Controller({ path: 'plain', version: '1' })
@UseInterceptors(ResponseCacheInterceptor)
class FirstVersionController {
  @Get('versioned')
  @Cached()
  versioned() {
    return { version: 1 };
  }
}

@Controller({ path: 'plain', version: '2' })
@UseGuards(Nobody)
class SecondVersionController {
  @Get(['versioned', 'special'])
  versioned() {
    return { version: 2 };
  }
}

@Controller({ path: 'hosted', host: 'a.example' })
@UseInterceptors(ResponseCacheInterceptor)
class HostedController {
  @Get(':id')
  @Cached()
  hosted() {
    return { value: 1 };
  }
}

@Controller('head')
@UseInterceptors(ResponseCacheInterceptor)
class HeadController {
  @Head(':id')
  @UseGuards(Nobody)
  head() {
    return undefined;
  }

  @Get(':id')
  @Cached()
  get() {
    return { value: 1 };
  }
}

class Inherited {
  @Get(':id')
  @Cached()
  get() {
    return { value: 1 };
  }
}

@Controller('open')
@UseInterceptors(ResponseCacheInterceptor)
class OpenController extends Inherited {}

@Controller('closed')
@UseInterceptors(ResponseCacheInterceptor)
@UseGuards(Nobody)
class ClosedController extends Inherited {}

@Controller('subclass')
@UseInterceptors(CountingSubclass)
class SubclassController extends Inherited {}

@Controller('wrapper')
@UseInterceptors(CountingWrapper)
class WrapperController extends Inherited {}

@Controller('ours')
class OursController extends Inherited {}

@Controller('fields')
@UseInterceptors(ResponseCacheInterceptor)
class FieldsController {
  @Get('cors')
  @Header('access-control-allow-credentials', 'true')
  @Cached()
  cors() {
    return { value: 1 };
  }

  @Get('vary')
  @Header('vary', 'Origin')
  @Cached()
  vary() {
    return { value: 1 };
  }

  @Get('checked')
  @RouteSchema({ headers: { type: 'object', required: ['x-token'] } })
  @Cached()
  checked() {
    return { value: 1 };
  }
}

type Prepare = (app: NestFastifyApplication) => void;

const fastifyOf = (app: NestFastifyApplication): FastifyInstance => app.getHttpAdapter().getInstance();

/** Fastify's own, which its types do not know. */
const useOf = (app: NestFastifyApplication) => {
  const fastify = fastifyOf(app) as unknown as { use: (run: unknown) => void };
  return (run: unknown): void => fastify.use(run);
};

interface Setting {
  /** Adds a hook, so that hits take the slow path. */
  readonly isOrdinary?: boolean;
  readonly before?: Prepare;
  readonly afterInit?: Prepare;
  readonly providers?: { provide: string; useClass: Type }[];
}

async function open(controllers: Type[], { isOrdinary, before, afterInit, providers = [] }: Setting = {}) {
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
    controllers,
    providers,
  })
  class ThingsModule {}
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter(), { logger: false });
  if (isOrdinary) fastifyOf(app).addHook('onRequest', (_request, _reply, done) => done());
  before?.(app);
  await app.init();
  const adapter = app.getHttpAdapter();
  const handled = { count: 0 };
  const reply = adapter.reply.bind(adapter);
  adapter.reply = (...args: Parameters<typeof reply>): unknown => {
    handled.count += 1;
    return reply(...args) as unknown;
  };
  afterInit?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  const agent = new Agent({ keepAlive: true });
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    request(`http://127.0.0.1:${port}${path}`, { headers, agent, method });
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    for (let times = 0; times < 4; times++) await ask(path, headers);
  };
  return { app, ask, warm, handled };
}

describe.each([
  ['on the fast path', false],
  ['on the slow path', true],
])('a hit %s', (_where, isOrdinary) => {
  let opened: Awaited<ReturnType<typeof open>>;
  const start = async (controllers: Type[], setting: Setting = {}) => {
    opened = await open(controllers, { isOrdinary, ...setting });
    return opened;
  };
  afterEach(() => opened.app.close());

  it('does not get as far as the router', async () => {
    const { ask, warm, handled } = await start([PlainController]);
    await warm('/plain/1');
    if (isOrdinary) return;
    const before = handled.count;
    expect((await ask('/plain/1')).headers['x-cache']).toBe('HIT');
    expect((await ask('/plain/1', {}, 'HEAD')).headers['x-cache']).toBe('HIT');
    expect(handled.count).toBe(before + 1); // HEAD, the first time
    await ask('/plain/1', {}, 'HEAD');
    await ask('/plain/1', {}, 'HEAD');
    expect(handled.count).toBe(before + 1);
  });

  it('does not get as far as the router where the interceptor is everybody’s', async () => {
    const providers = [{ provide: APP_INTERCEPTOR, useClass: ResponseCacheInterceptor }];
    const { warm, handled } = await start([OursController], { providers });
    await warm('/ours/1');
    expect(handled.count).toBeLessThanOrEqual(isOrdinary ? 4 : 2);
  });

  const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'];
  const add = (name: string) => (app: NestFastifyApplication) => void fastifyOf(app).addHook(name as 'onRequest', next);
  const onRoute = (change: (options: RouteOptions) => void) => (app: NestFastifyApplication) =>
    void fastifyOf(app).addHook('onRoute', (options) => change(options));
  const cases: [string, Setting][] = [
    ...hooks.flatMap((name): [string, Setting][] => [
      [`${name} hook that is added first`, { before: add(name) }],
      [`${name} hook that is added last`, { afterInit: add(name) }],
      [
        `${name} hook that is put on the route`,
        { before: onRoute((options) => Object.assign(options, { [name]: next })) },
      ],
    ]),
    [
      'handler around the handler',
      {
        before: onRoute((options) => {
          const { handler } = options;
          options.handler = function (...args) {
            ran += 1;
            return handler.apply(this, args);
          };
        }),
      },
    ],
    ['middleware of Fastify', { afterInit: (app) => useOf(app)(next) }],
  ];

  it.each(cases)('passes by no %s', async (_what, setting) => {
    const { ask } = await start([PlainController], setting);
    ran = 0;
    for (let times = 0; times < 5; times++) expect((await ask('/plain/1')).status).toBe(200);
    // An answer may arrive before its `onResponse` has run.
    await waitUntil(() => ran === 5, { what: 'one run for each request' });
  });

  it('passes by no middleware that is added while the server runs', async () => {
    const { app, ask, warm } = await start([PlainController]);
    await warm('/plain/1');
    useOf(app)(next);
    ran = 0;
    await ask('/plain/1');
    expect(ran).toBe(1);
  });

  it.each([
    ['subclass of the interceptor', SubclassController, '/subclass/1'],
    ['interceptor around the interceptor', WrapperController, '/wrapper/1'],
  ])('passes by no %s', async (_what, controller, path) => {
    const { ask } = await start([controller]);
    ran = 0;
    for (let times = 0; times < 5; times++) expect((await ask(path)).status).toBe(200);
    expect(ran).toBe(5);
  });

  it('is not for another version of the route', async () => {
    const { ask, warm } = await start([FirstVersionController, SecondVersionController, PlainController], {
      before: (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    });
    await warm('/plain/versioned', { 'x-version': '1' });
    await warm('/plain/special'); // which `/plain/:id` answers
    expect((await ask('/plain/versioned', { 'x-version': '1' })).headers['x-cache']).toBe('HIT');
    expect((await ask('/plain/versioned', { 'x-version': '2' })).status).toBe(403);
    expect((await ask('/plain/special')).headers['x-cache']).toBe('HIT');
    expect((await ask('/plain/special', { 'x-version': '2' })).status).toBe(403);
  });

  it('is not for another host', async () => {
    const { ask, warm } = await start([HostedController]);
    await warm('/hosted/1', { host: 'a.example' });
    expect((await ask('/hosted/1', { host: 'a.example' })).headers['x-cache']).toBe('HIT');
    expect((await ask('/hosted/1', { host: 'b.example' })).status).toBe(404);
  });

  it('is not for HEAD where that is a route of its own', async () => {
    const { ask, warm } = await start([HeadController]);
    await warm('/head/1');
    expect((await ask('/head/1', {}, 'HEAD')).status).toBe(403);
  });

  it('is not for another controller that inherits the handler', async () => {
    const { ask, warm } = await start([OpenController, ClosedController]);
    await warm('/open/1');
    expect((await ask('/open/1')).headers['x-cache']).toBe('HIT');
    expect((await ask('/closed/1')).status).toBe(403);
  });

  it('is not sent to requests that the schema of the route refuses', async () => {
    const { ask, warm } = await start([FieldsController]);
    await warm('/fields/checked', { 'x-token': 'mine' });
    expect((await ask('/fields/checked', { 'x-token': 'mine' })).headers['x-cache']).toBe('HIT');
    expect((await ask('/fields/checked')).status).toBe(400);
  });

  it('has the fields that the route sets on each answer', async () => {
    const { ask, warm } = await start([FieldsController]);
    for (const path of ['/fields/cors', '/fields/vary']) await warm(path);
    const cors = await ask('/fields/cors');
    expect([cors.headers['x-cache'], cors.headers['access-control-allow-credentials']]).toEqual(['HIT', 'true']);
    const vary = await ask('/fields/vary');
    expect([vary.headers['x-cache'], vary.headers.vary]).toEqual(['HIT', expect.stringMatching(/origin/i)]);
  });
});
