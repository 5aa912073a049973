import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { connectionsTo, residentBytes } from '../support/open-sockets';
import { rawRequest, request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin, type OriginScript } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const LARGE_BYTES = 8_000_000;
const CLIENT_TIMEOUT_MS = 1_000;
const MAX_CONNECTIONS = 60;

/** `/held…` is never answered; `/large…` is stored; `/unstored…` is endless, and is not; a body that is read is told. */
const script: OriginScript = (response, { url, method, body }) => {
  if (method !== 'GET') response.end(`${body.length} bytes`);
  else if (url.startsWith('/large'))
    response.writeHead(200, { 'cache-control': 'max-age=600' }).end(Buffer.alloc(LARGE_BYTES, url));
  else if (url.startsWith('/unstored')) endless().pipe(response.writeHead(200, { 'cache-control': 'no-store' }));
  else if (!url.startsWith('/held')) response.writeHead(200, { 'cache-control': 'max-age=600' }).end('small');
};

function endless(): Readable {
  return new Readable({
    read() {
      this.push(Buffer.alloc(65_536));
    },
  });
}

describe('a client that', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  const clients: Socket[] = [];
  let count = 0;
  const through = (path: string, options: Parameters<typeof request>[1] = {}) =>
    request(`${service.url}/github${path}`, options);
  const textOf = (path: string, method = 'GET', more = ''): string =>
    `${method} /github${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
  /** A client that writes, and reads nothing. */
  const connectAndWrite = (bytes: string): Socket => {
    const socket = connect(service.port, '127.0.0.1');
    clients.push(socket);
    socket.on('error', () => undefined).pause();
    socket.write(bytes);
    return socket;
  };
  const untilConnected = (connections: number) =>
    waitUntil(() => connectionsTo(service.port) === connections, {
      what: `${connections} connections`,
    });

  beforeAll(async () => {
    origin = await ScriptedOrigin.start(script);
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: origin.url, CACHE_MAX_ENTRY_BYTES: '10000000', GITHUB_MAX_CONCURRENCY: '500' },
        ...{ CLIENT_TIMEOUT_MS: String(CLIENT_TIMEOUT_MS), MAX_CONNECTIONS: String(MAX_CONNECTIONS) },
        ...{ UPSTREAM_TIMEOUT_MS: '300000', REQUEST_DEADLINE_MS: '300000', GITHUB_POINTS_PER_MINUTE: '0' },
      },
    });
    await through('/first');
  });
  beforeEach(async () => {
    await untilConnected(0);
    count += 1;
    origin.answerBy(script);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it.each([
    ['a response that is not stored', '/unstored', 'GET'],
    ['a response that has not begun', '/held-second', 'GET'],
    ['a write', '/held-second', 'POST'],
  ])(
    'leaves while %s waits behind another: the upstream is asked for neither any longer',
    async (_what, path, method) => {
      origin.answerBy((response, hit, hits) => {
        if (hit.url.startsWith('/unstored')) script(response, hit, hits);
      });
      const client = connectAndWrite(
        textOf(`/held-${count}`) + textOf(`${path}-${count}`, method, 'content-length: 0\r\n'),
      );
      await waitUntil(() => origin.hits.length === 2, { what: 'both requests' });
      client.destroy();
      await waitUntil(() => origin.aborted === 2, { what: 'the end of both' });
    },
  );

  it.each([
    ['a hit', '/large-hit', 2],
    ['a miss', '/large-miss', 0],
    ['a response that is not stored', '/unstored', 0],
  ])('reads nothing of %s: its connection is closed', async (_what, path, asked) => {
    for (let times = 0; times < asked; times++) await through(`${path}-${count}`);
    const crowd = Array.from({ length: 20 }, () => connectAndWrite(textOf(`${path}-${count}`)));
    await Promise.all(crowd.map((socket) => once(socket, 'connect'))); // on a slow machine the first is closed before the last comes
    await untilConnected(0);
  });

  it('reads slowly all the time: it gets all of the body', async () => {
    await through(`/large-${count}`);
    const socket = connectAndWrite(textOf(`/large-${count}`, 'GET', 'connection: close\r\n'));
    let received = 0;
    const began = performance.now();
    for (let chunk: Buffer | null; !socket.readableEnded && !socket.destroyed;) {
      chunk = (socket.read(200_000) as Buffer | null) ?? (socket.read() as Buffer | null);
      received += chunk?.length ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(received).toBeGreaterThan(LARGE_BYTES);
    expect(performance.now() - began).toBeGreaterThan(CLIENT_TIMEOUT_MS);
  });

  it('waits for the upstream for longer than that is not cut off', async () => {
    let held: ServerResponse | undefined;
    origin.answerBy((response) => (held = response));
    const answer = through(`/patient-${count}`);
    await waitUntil(() => held !== undefined, { what: 'the request' });
    const stalled = connectAndWrite(textOf(`/upload-${count}`, 'POST', 'content-length: 1000000\r\n'));
    await once(stalled.resume(), 'close'); // so the time is over for a client that came before
    held?.end('late');
    expect((await answer).body.toString()).toBe('late');
  });

  it.each([
    ['sends nothing more of its body', 0],
    ['sends its body a byte at a time', 100],
  ])('%s: it gets 408', async (_what, everyMs) => {
    const head = textOf(`/upload-${count}`, 'POST', 'content-length: 1000000\r\n');
    const socket = connect(service.port, '127.0.0.1');
    clients.push(socket);
    socket.write(head + 'x'.repeat(1_000));
    const timer = everyMs > 0 ? setInterval(() => socket.write('x'), everyMs) : undefined;
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString())).on('error', () => undefined);
    await once(socket, 'close');
    clearInterval(timer);
    expect(received).toMatch(/^HTTP\/1\.1 408 .*"code":"request-timeout"/s);
  });

  it('writes hundreds of requests at once is answered the first of them, and no more are worked on', async () => {
    origin.answerBy(() => undefined);
    const requests = Array.from({ length: 150 }, (_, at) => textOf(`/held-${count}-${at}`));
    const client = connectAndWrite(requests.join(''));
    await waitUntil(() => origin.hits.length >= 101, { what: 'the first requests' });
    await through('/first'); // whatever was still to be sent has been by now
    expect(origin.hits).toHaveLength(101);
    client.destroy();
    await waitUntil(() => origin.aborted === 101, { what: 'the end of all' });
  });

  it('pipelines less than that is answered all of them', async () => {
    const last = (at: number): string => (at === 89 ? 'connection: close\r\n' : '');
    const requests = Array.from({ length: 90 }, (_, at) => textOf(`/small-${count}-${at}`, 'GET', last(at))).join('');
    const received = await rawRequest(service.port, requests);
    expect(received.toString().match(/HTTP\/1\.1 200/g)).toHaveLength(90);
  });

  it('is one too many is turned away, until another one leaves', async () => {
    const others = Array.from({ length: MAX_CONNECTIONS }, () => connectAndWrite(textOf(`/held-${count}`)));
    await untilConnected(MAX_CONNECTIONS);
    await expect(through('/first')).rejects.toThrow();
    for (const other of others.slice(0, 5)) other.destroy();
    await waitUntil(async () => (await through('/first').catch(() => undefined))?.status === 200, {
      what: 'an answer',
    });
  });
});

describe('two hundred clients that read nothing of large hits', () => {
  it('take no more memory than a few bodies', async () => {
    const bodyBytes = 4_000_000;
    const origin = await ScriptedOrigin.start((response, { url }) =>
      response.writeHead(200, { 'cache-control': 'max-age=600' }).end(Buffer.alloc(bodyBytes, url)),
    );
    const redis = await RedisProcess.start();
    const service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, REDIS_ENDPOINT_URI: redis.uri },
    });
    const paths = Array.from({ length: 40 }, (_, at) => `/github/stored-${at}`);
    for (const path of paths) await request(`${service.url}${path}`);
    const before = residentBytes(service.pid);
    const sockets: Socket[] = [];
    for (let wave = 0; wave < 5; wave++)
      await Promise.all(
        paths.map((path) => {
          const socket = connect(service.port, '127.0.0.1').on('error', () => undefined);
          sockets.push(socket);
          socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
          return once(socket, 'readable'); // the head is there, and nothing is read
        }),
      );
    let highest = 0;
    for (let looks = 0; looks < 20; looks++) {
      highest = Math.max(highest, residentBytes(service.pid));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const socket of sockets) socket.destroy();
    expect(highest - before).toBeLessThan(350_000_000);
    await service.stop();
    await redis.stop();
    await origin.stop();
  }, 180_000);
});
