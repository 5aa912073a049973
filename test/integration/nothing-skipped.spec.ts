import { VersioningType, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { RouteOptions } from 'fastify';
import { ResponseCacheInterceptor } from '../../src/cache';
import { waitUntil } from '../support/wait-until';
import {
  runs,
  next,
  PlainController,
  FirstVersionController,
  SecondVersionController,
  HostedController,
  HeadController,
  OpenController,
  ClosedController,
  SubclassController,
  WrapperController,
  OursController,
  FieldsController,
  fastifyOf,
  useOf,
  type Setting,
  openSkippable,
} from '../support/skippable-app';

describe.each([
  ['on the fast path', false],
  ['on the slow path', true],
])('a hit %s', (_where, isOrdinary) => {
  let opened: Awaited<ReturnType<typeof openSkippable>>;
  const start = async (controllers: Type[], setting: Setting = {}) => {
    opened = await openSkippable(controllers, { isOrdinary, ...setting });
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
            runs.count += 1;
            return handler.apply(this, args);
          };
        }),
      },
    ],
    ['middleware of Fastify', { afterInit: (app) => useOf(app)(next) }],
  ];

  it.each(cases)('passes by no %s', async (_what, setting) => {
    const { ask } = await start([PlainController], setting);
    runs.count = 0;
    for (let times = 0; times < 5; times++) expect((await ask('/plain/1')).status).toBe(200);
    // An answer may arrive before its `onResponse` has run.
    await waitUntil(() => runs.count === 5, { what: 'one run for each request' });
  });

  it('passes by no middleware that is added while the server runs', async () => {
    const { app, ask, warm } = await start([PlainController]);
    await warm('/plain/1');
    useOf(app)(next);
    runs.count = 0;
    await ask('/plain/1');
    expect(runs.count).toBe(1);
  });

  it.each([
    ['subclass of the interceptor', SubclassController, '/subclass/1'],
    ['interceptor around the interceptor', WrapperController, '/wrapper/1'],
  ])('passes by no %s', async (_what, controller, path) => {
    const { ask } = await start([controller]);
    runs.count = 0;
    for (let times = 0; times < 5; times++) expect((await ask(path)).status).toBe(200);
    expect(runs.count).toBe(5);
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
