import {
  BadGatewayException,
  ForbiddenException,
  HttpException,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import type { Server } from 'node:http';
import { Gate } from '../support/barrier';
import { type RouteApp } from '../support/route-app';
import { waitUntil } from '../support/wait-until';
import { handler, openErrors, opened, useErrorRoutes } from '../support/error-routes';

useErrorRoutes();

const gone = (): HttpException => new NotFoundException('no such price');

describe('an entry whose resource is refused or gone', () => {
  it.each([
    [404, gone],
    [403, () => new ForbiddenException()],
    [401, () => new UnauthorizedException()],
    [410, () => new HttpException('gone', 410)],
  ])('is removed by %d, and does not come back at a 503', async (status, error) => {
    const { get } = await openErrors({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    expect((await get('/errors/price')).status).toBe(200);
    handler.thrown = error;
    expect((await get('/errors/price')).status).toBe(status);
    handler.thrown = () => new HttpException('down', 503);
    expect((await get('/errors/price')).status).toBe(503);
  });

  it('is removed when the refusal comes by a refresh behind a stale answer', async () => {
    const { get } = await openErrors({
      policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 86_400_000 },
    });
    await get('/errors/price');
    handler.thrown = gone;
    await waitUntil(async () => (await get('/errors/price')).status === 404, { what: 'the 404' });
  });

  it.each([
    ['500', () => new HttpException('broken', 500)],
    ['502', () => new BadGatewayException()],
    ['no status', () => new Error('broken')],
  ])('is served stale at %s', async (_status, error) => {
    const { get } = await openErrors({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    await get('/errors/price');
    handler.thrown = error;
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
    const { get } = await openErrors({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
    await get('/errors/price');
    handler.thrown = () => new HttpException('no', status);
    expect((await get('/errors/price')).status).toBe(status);
    handler.thrown = () => new Error('broken');
    expect((await get('/errors/price')).status).toBe(afterwards);
  });
});

describe('requests that wait for one load', () => {
  it('are not refused because another was', async () => {
    const { get } = await openErrors();
    handler.gate = new Gate();
    const stranger = get('/errors/report');
    await handler.gate.untilWaiting(1);
    const entitled = get('/errors/report', { 'x-role': 'admin' });
    setImmediate(() => handler.gate.open());
    expect((await stranger).status).toBe(403);
    expect([(await entitled).status, (await entitled).text]).toEqual([200, '{"report":1}']);
  });

  it('are answered after any number of strangers', async () => {
    const { get } = await openErrors();
    for (let times = 0; times < 4; times++) expect((await get('/errors/report')).status).toBe(403);
    expect((await get('/errors/report', { 'x-role': 'admin' })).text).toBe('{"report":1}');
  });

  it('share a 404: the handler runs once', async () => {
    const { get } = await openErrors();
    handler.thrown = gone;
    handler.gate = new Gate();
    const first = get('/errors/price');
    await handler.gate.untilWaiting(1);
    let arrived = 0;
    (opened[0]?.app.getHttpServer() as Server).on('request', () => (arrived += 1));
    const others = [get('/errors/price'), get('/errors/price')];
    await waitUntil(() => arrived === 2, { what: 'the others' });
    setImmediate(() => handler.gate.open());
    for (const { status } of await Promise.all([first, ...others])) expect(status).toBe(404);
    expect(handler.calls).toBe(1);
  });
});

describe('a status that the handler sets on its reply', () => {
  /** Two requests at once: the first one's load has begun when the second one comes. */
  const both = async ({ get }: RouteApp, second: Record<string, string>) => {
    handler.gate = new Gate();
    const first = get('/errors/by-status', { 'x-user': 'bob' });
    await handler.gate.untilWaiting(1);
    let arrived = 0;
    (opened[0]?.app.getHttpServer() as Server).on('request', () => (arrived += 1));
    const other = get('/errors/by-status', second);
    await waitUntil(() => arrived === 1, { what: 'the other' });
    setImmediate(() => handler.gate.open());
    return Promise.all([first, other]);
  };

  it.each([401, 403, 429, 302, 503])('%d is for its own client alone', async (status) => {
    handler.status = status;
    const [first, other] = await both(await openErrors(), { 'x-user': 'alice', 'x-role': 'admin' });
    expect([first.status, first.text]).toEqual([status, '{"user":"bob"}']);
    expect([other.status, other.text]).toEqual([200, '{"user":"alice"}']);
  });

  it.each([404, 409, 410, 422])('%d is shared by waiting requests, and not stored', async (status) => {
    handler.status = status;
    const app = await openErrors();
    for (const answer of await both(app, { 'x-user': 'alice' })) expect(answer.status).toBe(status);
    expect(handler.calls).toBe(1);
    handler.status = 200;
    expect((await app.get('/errors/by-status')).status).toBe(200);
  });

  it.each([401, 403, 404, 409, 410])(
    '%d removes the stale entry: a later failure does not bring it back',
    async (status) => {
      const { get } = await openErrors({ policy: { ttlMs: 1, staleIfErrorMs: 86_400_000 } });
      expect((await get('/errors/by-status')).status).toBe(200);
      handler.status = status;
      expect((await get('/errors/by-status')).status).toBe(status);
      handler.thrown = () => new Error('broken');
      expect((await get('/errors/by-status')).status).toBe(500);
    },
  );

  it('404 of a refresh behind a stale answer removes it, too', async () => {
    const { get } = await openErrors({
      policy: { ttlMs: 1, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 86_400_000 },
    });
    await get('/errors/by-status');
    handler.status = 404;
    await waitUntil(async () => (await get('/errors/by-status')).status === 404, { what: 'the 404' });
  });
});
