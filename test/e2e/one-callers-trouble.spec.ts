import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { request, type HttpRequestOptions } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const ADMIN_TOKEN = 'the-right-admin-token';
const STORABLE = { 'cache-control': 'max-age=600', etag: '"v"' };

describe('what one caller does is not felt by others:', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  let count = 0;
  let path = '';
  const through = (target = path, options: HttpRequestOptions = {}) =>
    request(`${service.url}/github${target}`, options);
  const outcomeOf = ({ headers }: Awaited<ReturnType<typeof request>>): string =>
    /detail=([A-Z_]+)/.exec(String(headers['cache-status']))?.[1] ?? '';

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: origin.url, ADMIN_TOKEN, TRUST_PROXY: 'loopback' },
        ...{ GITHUB_MAX_CONCURRENCY: '16', CACHE_MAX_ENTRY_BYTES: '100000' },
        ...{ GITHUB_POINTS_PER_MINUTE: '0' },
      },
    });
  });
  beforeEach(() => {
    path = `/troubled-${++count}`;
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  describe('uploads that come a byte at a time', () => {
    const sockets: Socket[] = [];
    let timer: NodeJS.Timeout | undefined;
    const uploadSlowly = (headers = ''): void => {
      const socket = connect(service.port, '127.0.0.1').on('error', () => undefined);
      socket
        .resume()
        .write(`POST /github${path}-slow HTTP/1.1\r\nhost: x\r\n${headers}content-length: 10000000\r\n\r\n`);
      socket.write(Buffer.alloc(70_000));
      sockets.push(socket);
    };
    beforeEach(async () => {
      origin.answerBy((response, { body }) => response.end(`${body.length}`), { waitsForBody: true });
      for (let uploads = 0; uploads < 8; uploads++) uploadSlowly();
      timer = setInterval(() => {
        for (const socket of sockets) socket.write('x');
      }, 200);
      await waitUntil(() => sockets.every(({ writableLength }) => writableLength === 0), { what: 'the bodies' });
      await through(`${path}-after`);
    });
    afterEach(() => {
      clearInterval(timer);
      for (const socket of sockets.splice(0)) socket.destroy();
    });

    it.each([
      ['with a token', { authorization: 'Bearer another' }],
      ['without one, from another address', { 'x-forwarded-for': '198.51.100.7' }],
    ])('leave a place for a caller %s', async (_who, headers) => {
      const answer = await through(path, { method: 'POST', headers, body: Buffer.alloc(100_000) });
      expect([answer.status, answer.body.toString()]).toEqual([200, '100000']);
    });
  });

  it('a thousand tokens that are made up', async () => {
    const held: ServerResponse[] = [];
    origin.answerBy((response, { headers }) => {
      if (headers.authorization === 'Bearer real') response.end('real');
      else held.push(response);
    });
    const real = { headers: { authorization: 'Bearer real' } };
    expect((await through(path, real)).status).toBe(200);
    const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
    const madeUp = Array.from({ length: 1_000 }, (_, at) =>
      through(`${path}-${at}`, { headers: { authorization: `Bearer made-up-${at}` }, agent }).catch(() => undefined),
    );
    await waitUntil(() => held.length >= 8, { what: 'the requests with made-up tokens' });
    const answer = await through(`${path}-real`, real);
    expect([answer.status, answer.body.toString()]).toEqual([200, 'real']);
    agent.destroy();
    for (const response of held) response.writeHead(401).end();
    await Promise.all(madeUp);
  });

  it('a slow API is waited for, again and again, whatever it is slow with', async () => {
    const slow: Record<string, [number, Record<string, string | number>]> = {
      'a redirect': [302, {}],
      'a response that is not ready yet': [202, {}],
      'a response with no-store': [200, { 'cache-control': 'no-store' }],
      'a response over the size limit': [200, { ...STORABLE, 'content-length': 200_000 }],
    };
    const kinds = Object.values(slow);
    origin.answerBy((response, { url }) => {
      const [status, headers] = kinds[Number(url.split('-').at(-1))] ?? [500, {}];
      const body = Buffer.alloc(status === 200 ? 200_000 : 0);
      setTimeout(() => response.writeHead(status, headers).end(body), 1_200);
    });
    for (let times = 0; times < 2; times++) {
      const answers = await Promise.all(kinds.map((_kind, at) => through(`${path}-${at}`)));
      expect(answers.map(({ status }) => status)).toEqual(kinds.map(([status]) => status));
    }
  });

  it('a response over the size limit: GitHub is asked with the condition of the client, and its 304 is passed on', async () => {
    origin.answerBy((response, { headers }) => {
      if (headers['if-none-match'] === '"v"') response.writeHead(304, STORABLE).end();
      else response.writeHead(200, STORABLE).end(Buffer.alloc(200_000));
    });
    expect((await through()).body).toHaveLength(200_000);
    for (let times = 0; times < 3; times++)
      expect((await through(path, { headers: { 'if-none-match': '"v"' } })).status).toBe(304);
    expect(origin.hits.slice(1).map(({ headers }) => headers['if-none-match'])).toEqual(['"v"', '"v"', '"v"']);
  });

  it.each([
    ['202', 202, {}],
    ['302', 302, { location: '/elsewhere' }],
    ['200 that is not to be stored', 200, { 'cache-control': 'no-store' }],
  ])('after %s the next response that may be stored is', async (_what, status, headers) => {
    origin.answerBy((response, _hit, hits) => {
      if (hits === 1) response.writeHead(status, headers).end('first');
      else response.writeHead(200, STORABLE).end('second');
    });
    const outcomes: string[] = [];
    for (let times = 0; times < 3; times++) outcomes.push(outcomeOf(await through()));
    expect(outcomes).toEqual(['MISS', 'MISS', 'HIT']);
    expect(origin.hits).toHaveLength(2);
  });

  it('wrong admin tokens from one address: the right one is taken', async () => {
    const ask = (token: string, from: string) =>
      request(`${service.url}/admin/cache/entries`, {
        headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': from },
      });
    for (let guesses = 0; guesses < 20; guesses++)
      expect((await ask(`guess-${guesses}`, '203.0.113.9')).status).toBe(401);
    expect((await ask('one-more', '203.0.113.9')).status).toBe(429);
    expect((await ask(ADMIN_TOKEN, '203.0.113.9')).status).toBe(200);
    expect((await ask('a-guess', '203.0.113.10')).status).toBe(401);
  });
});

describe('an API that', () => {
  /** So long a machine must not be busy with a request that it answers at once. */
  const UPSTREAM_TIMEOUT_MS = 6_000;
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  const through = (target: string, options: HttpRequestOptions = {}) =>
    request(`${service.url}/github${target}`, options);

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, UPSTREAM_TIMEOUT_MS: String(UPSTREAM_TIMEOUT_MS) },
    });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it('hangs on one path of many requests: the others are answered', async () => {
    origin.answerBy((response, { url }) => {
      if (!url.startsWith('/hangs')) response.end('ok');
    });
    const hanging = Array.from({ length: 12 }, (_, at) => through(`/hangs?page=${at}`));
    await waitUntil(() => origin.hits.length >= 12, { what: 'the requests that hang' });
    expect((await Promise.all(hanging)).map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 504));
    const leaving = new AbortController();
    const hangingAgain = Array.from({ length: 4 }, (_, at) =>
      through(`/hangs?again=${at}`, { signal: leaving.signal }).catch(() => undefined),
    );
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => through(`/quick-${at}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    leaving.abort();
    await Promise.all(hangingAgain);
    await waitUntil(() => origin.aborted === 16, { what: 'the end of all that hang' });
  });

  it('sends a body that trickles: it ends in time', async () => {
    origin.answerBy((response) => {
      response.writeHead(200, STORABLE);
      const timer = setInterval(() => response.write('x'), 300);
      response.on('close', () => clearInterval(timer));
    });
    await expect(through('/trickling')).rejects.toThrow();
    await waitUntil(() => origin.aborted === 1, { what: 'the end of the response' });
  });

  it('sends a body that waits for its client for longer than that: all of it arrives', async () => {
    const bytes = 12_000_000;
    origin.answerBy((response, { url }) => {
      if (!url.startsWith('/hangs')) response.writeHead(200, { 'cache-control': 'no-store' }).end(Buffer.alloc(bytes));
    });
    const socket = connect(service.port, '127.0.0.1');
    socket.pause().write(`GET /github/unread HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    await waitUntil(() => origin.hits.length === 1, { what: 'the request' });
    expect((await through('/hangs')).status).toBe(504); // so the time is over for a request that came before
    let received = 0;
    socket.on('data', (chunk: Buffer) => (received += chunk.length)).resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(received).toBeGreaterThan(bytes);
  });
});

describe('a service that may open no more files', () => {
  it('says so, does not take it for a failure of the API, and goes on as soon as it may', async () => {
    const hung: ServerResponse[] = [];
    const origin = await ScriptedOrigin.start((response, { url }) => {
      if (url.endsWith('-hung')) hung.push(response);
      else response.end('ok');
    });
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url } });
    const pid = String(service.pid);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (path: string) => request(`${service.url}/github${path}`, { agent });
    const limits = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
    const limitTo = (soft: number) => execFileSync('prlimit', ['--pid', pid, `--nofile=${soft}:${limits[2] ?? ''}`]);
    await ask('/before');
    // The one connection to the API is in use, so that another would have to be opened.
    const held = request(`${service.url}/github/path-hung`);
    await waitUntil(() => hung.length === 1, { what: 'the connection to be used' });
    const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    limitTo(Array.from({ length: 10_000 }, (_, at) => at).find((at) => !open.has(at)) ?? 0);
    const answers = [];
    for (let times = 0; times < 8; times++) answers.push(await ask(`/path-${times % 4}`));
    limitTo(Number(limits[1]));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(answers[7]?.body.toString()).toContain('"code":"overloaded"');
    for (let times = 0; times < 4; times++) expect((await ask(`/path-${times}`)).status).toBe(200);
    for (const response of hung) response.end();
    await held;
    agent.destroy();
    await service.stop();
    await origin.stop();
  });
});
