import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import { connect } from 'node:net';
import { CacheInvalidator } from '../../src/cache';
import type { FastServer } from '../../src/server/fast-path-gate';
import { gateOf } from '../support/gate-of';
import { Gate } from '../support/barrier';
import { rawRequest, request } from '../support/raw-http';
import { answerOf, fastifyOf, keepAlive, key, openThings, portOf } from '../support/things-app';

describe('a hit of a route that is known by its URL', () => {
  let app: NestFastifyApplication;
  const get = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${portOf(app)}${path}`, { headers, agent: keepAlive });
  /** How often the key was asked for meanwhile. */
  const keyedDuring = async (call: () => Promise<unknown>): Promise<number> => {
    const before = key.asked;
    await call();
    return key.asked - before;
  };
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    for (let times = 0; times < 3; times++) await get(path, headers);
  };

  beforeAll(async () => {
    app = await openThings();
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
    const behind = await openThings(
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
    const other = await openThings();
    const server = fastifyOf(other).server;
    const promises = async (): Promise<string[]> => {
      const answers = await rawRequest(portOf(other), 'GET /by-url/1 HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2), {
        until: (received) => received.split('"cached":true}').length > 2,
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
    const other = await openThings((one) => gateOf(one.getHttpAdapter()).serveWith(failing));
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
    const other = await openThings((one) => {
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
