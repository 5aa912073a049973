import { Controller, Get, Param, UseInterceptors } from '@nestjs/common';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { bodyWriter } from '../../src/server/body-writer';
import { closeStalledClients } from '../../src/server/stalled-clients';
import { connectionsTo } from '../support/open-sockets';
import { itOnFastify, onAdapter, onRequest, openRoutes, type RouteApp } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

const LARGE_BYTES = 20_000_000;
const bodyOf = (id: string): Buffer => Buffer.alloc(LARGE_BYTES, `${id} `);
let calls: number;

@Controller('large')
@UseInterceptors(ResponseCacheInterceptor)
class LargeController {
  @Get(':id')
  @CacheRule({ upstream: 'things' })
  large(@Param('id') id: string) {
    calls += 1;
    // Of a Buffer Nest makes JSON on Express.
    return onAdapter() === 'express' ? bodyOf(id).toString() : bodyOf(id);
  }
}

describe.each([
  ['by the fast path', false],
  ['by the interceptor', true],
])('a body of 20 MB %s', (_way, isHooked) => {
  let app: RouteApp;
  let port: number;
  const clients: Socket[] = [];
  const { patienceMs } = bodyWriter;
  const open = async (stallMs: number): Promise<void> => {
    app = await openRoutes([LargeController], {
      answersProblems: true,
      settings: { l1: { maxBytes: 400_000_000, maxEntries: 100 }, maxEntryBytes: 30_000_000 },
      prepare: (app, fastify) => {
        if (onAdapter() === 'fastify') closeStalledClients(fastify, fastify.server, { stallMs });
        if (isHooked) onRequest(() => undefined)(app, fastify);
      },
    });
    port = Number(new URL(app.url).port);
  };
  /** A client that reads nothing until it is told to. */
  const ask = (id: string, more = ''): Socket => {
    const socket = connect(port, '127.0.0.1');
    clients.push(socket);
    socket.on('error', () => undefined).pause();
    socket.write(`GET /large/${id} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${more}\r\n`);
    return socket;
  };

  beforeEach(() => (calls = 0));
  afterEach(async () => {
    bodyWriter.patienceMs = patienceMs;
    for (const client of clients.splice(0)) client.destroy();
    await app.close();
    await waitUntil(() => bodyWriter.heldBytes === 0, { what: 'all bodies to be given back' });
  });

  it('is sent whole, with its length', async () => {
    await open(60_000);
    for (const cached of ['MISS', 'HIT', 'HIT']) {
      const { status, headers, body } = await app.get('/large/a');
      expect([status, headers['x-cache'], headers['content-length'], headers['transfer-encoding']]).toEqual([
        ...[200, cached, String(LARGE_BYTES), undefined],
      ]);
      expect(body.equals(bodyOf('a'))).toBe(true);
    }
    const head = await app.get('/large/a', {}, 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(calls).toBe(1);
  });

  itOnFastify()('counts once for all clients that read it, and is cut where they read nothing', async () => {
    await open(1_000);
    await app.get('/large/a');
    await app.get('/large/a');
    const crowd = Array.from({ length: 20 }, () => ask('a'));
    await Promise.all(crowd.map((client) => once(client, 'connect')));
    let most = 0;
    const haveEnded = (): boolean => {
      most = Math.max(most, bodyWriter.heldBytes);
      return connectionsTo(port) === 0;
    };
    await waitUntil(haveEnded, { what: 'their end' });
    expect(most).toBe(LARGE_BYTES);
    expect(calls).toBe(1);
  });

  itOnFastify()('is cut where the client of the first answer reads nothing', async () => {
    await open(1_000);
    ask('first');
    await waitUntil(() => bodyWriter.heldBytes === LARGE_BYTES, { what: 'the answer' });
    await waitUntil(() => connectionsTo(port) === 0, { what: 'its end' });
  });

  it('gets to a client that reads slowly all the time', async () => {
    await open(1_000);
    await app.get('/large/a');
    const socket = ask('a', 'connection: close\r\n');
    let received = 0;
    const began = performance.now();
    while (!socket.readableEnded && !socket.destroyed) {
      const chunk = (socket.read(500_000) ?? socket.read()) as Buffer | null;
      received += chunk?.length ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(received).toBeGreaterThan(LARGE_BYTES);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  it('is refused while other bodies occupy the memory', async () => {
    await open(60_000);
    bodyWriter.patienceMs = 60_000; // none of the clients counts as idle, however slow this machine is
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const id of [...ids, 'g']) await app.get(`/large/${id}`);
    await waitUntil(() => bodyWriter.heldBytes === 0, { what: 'the end of these' });
    for (const id of ids) {
      const before = bodyWriter.heldBytes;
      ask(id);
      await waitUntil(() => bodyWriter.heldBytes > before, { what: `the answer ${id}` });
    }
    const refused = await app.get('/large/g');
    expect([refused.status, JSON.parse(refused.text)]).toEqual([503, expect.objectContaining({ code: 'overloaded' })]);
    expect(refused.headers['retry-after']).toBe('1');
    // Held already; text is stored as gzip, and unpacked for each.
    if (onAdapter() === 'fastify') expect((await app.get('/large/a')).status).toBe(200);
  });

  it('is given back when its client leaves', async () => {
    await open(60_000);
    const socket = ask('a');
    await waitUntil(() => bodyWriter.heldBytes === LARGE_BYTES, { what: 'the answer' });
    socket.destroy();
    await once(socket, 'close');
    await waitUntil(() => bodyWriter.heldBytes === 0, { what: 'the body to be given back' });
  });
});
