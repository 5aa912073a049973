import { RequestMethod, type MiddlewareConsumer } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { FastPath } from '../../src/cache/fast-path';
import type { LarderAdapter } from '../../src/server/larder-adapter';
import { request } from '../support/raw-http';
import { waitUntil } from '../support/wait-until';
import { fastifyOf, keepAlive, key, openThings, portOf, type Prepare } from '../support/things-app';

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
  async function askedOf(app: NestFastifyApplication, path: string, times = 5): Promise<number> {
    const before = key.asked;
    for (let at = 0; at < times; at++) await request(`http://127.0.0.1:${portOf(app)}${path}`, { agent: keepAlive });
    return key.asked - before;
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
    const app = await openThings(prepare, configure);
    ran = 0;
    try {
      expect(await askedOf(app, '/by-url/1')).toBe(5);
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
    const app = await openThings(prepare, configure);
    try {
      expect(await askedOf(app, '/by-url/1')).toBeLessThanOrEqual(2);
      expect(app.get(FastPath).routesOff).toBe(0);
    } finally {
      await app.close();
    }
  });

  it.each<[string, Prepare]>([
    ['CORS of Nest', (app) => app.enableCors({ origin: 'https://one.example' })],
    ['an onRequest hook of the adapter', (app) => (app.getHttpAdapter() as LarderAdapter).setOnRequestHook(next)],
  ])('for all routes with %s', async (_what, prepare) => {
    const app = await openThings(prepare);
    expect(await askedOf(app, '/by-url/1')).toBe(5);
    await app.close();
  });

  it('for a URL once a middleware is added for it while the server runs', async () => {
    const app = await openThings();
    try {
      await askedOf(app, '/by-url/1');
      expect(await askedOf(app, '/by-url/1')).toBe(0);
      app.use('/by-url', next);
      expect(await askedOf(app, '/by-url/1')).toBe(5);
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
    const app = await openThings((one) => {
      one.useLogger(logger);
      fastifyOf(one).addHook('preHandler', checkTenant);
    });
    try {
      for (const path of ['/by-url/1', '/by-url/2', '/large/1']) await askedOf(app, path);
      expect(lines.filter((line) => line.includes('fast path'))).toEqual([
        'Hits of GET /by-url/:id do not use the fast path: preHandler hook "checkTenant" must run for them.',
        'Hits of GET /large/:id do not use the fast path: preHandler hook "checkTenant" must run for them.',
      ]);
    } finally {
      await app.close();
    }
  });
});
