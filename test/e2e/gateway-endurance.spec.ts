import { Socket } from 'node:net';
import { request as httpRequest, type ServerResponse } from 'node:http';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const JSON_TYPE = { 'content-type': 'application/json' };

/** What one client does must not be felt by another. */
describe('behind the gateway no client is disturbed by a client that', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  let count = 0;
  let path = '';
  const through = (target = path, options: Parameters<typeof request>[1] = {}) =>
    request(`${service.url}/github${target}`, options);
  const outcomeOf = ({ headers }: Awaited<ReturnType<typeof request>>): string =>
    /detail=([A-Z_]+)/.exec(String(headers['cache-status']))?.[1] ?? '';

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, GITHUB_MAX_CONCURRENCY: '4', UPSTREAM_BREAKER_FAILURES: '3' },
    });
  });
  beforeEach(() => {
    path = `/endured-${++count}`;
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  /** Asks, and leaves as soon as the origin has been asked. */
  const askAndLeave = async (target: string, options: { method?: string; body?: string } = {}): Promise<void> => {
    const before = origin.hits.length;
    const asked = httpRequest(`${service.url}/github${target}`, { method: options.method ?? 'GET', agent: false });
    asked.on('error', () => undefined);
    asked.end(options.body);
    await waitUntil(() => origin.hits.length > before, { what: 'the request' });
    const aborted = origin.aborted;
    asked.destroy();
    await waitUntil(() => origin.aborted > aborted, { what: 'the end of the call' });
  };

  it('leaves again and again before it is answered: the breaker stays shut, and its own URL does not pause', async () => {
    let held: ServerResponse[] = [];
    origin.answerBy((response) => void held.push(response));
    for (let times = 0; times < 4; times++) await askAndLeave(path);
    for (let times = 0; times < 4; times++) await askAndLeave(`${path}-write`, { method: 'POST', body: '{}' });
    held = [];
    origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('here'));
    for (const target of [path, `${path}-other`]) {
      const answer = await through(target);
      expect([answer.status, answer.body.toString()]).toEqual([200, 'here']);
    }
  });

  it('has the answer already and gets 304 out of its load: the load goes on and is stored', async () => {
    const large = Buffer.alloc(400_000, 'x');
    origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=60', etag: '"v"' }).end(large));
    expect((await through(path, { headers: { 'if-none-match': '"v"' } })).status).toBe(304);
    await waitUntil(async () => outcomeOf(await through()) === 'HIT', { what: 'the stored answer' });
    expect(origin.hits).toHaveLength(1);
  });

  it('sends next to nothing of its body: other requests go upstream', async () => {
    origin.answerBy((response) => response.end('ok'));
    const sockets = Array.from({ length: 12 }, () => {
      const socket = new Socket().connect(service.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`POST /github${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n`);
      return socket;
    });
    const large = Buffer.alloc(70_000);
    for (const socket of sockets) socket.write(large); // more than is waited for: it takes one of the places for such bodies
    await waitUntil(() => sockets.every(({ writableLength }) => writableLength === 0), { what: 'the bodies' });
    expect((await through(`${path}-other`)).status).toBe(200);
    expect((await through(`${path}-write`, { method: 'POST', body: Buffer.from('{}') })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it('does not read a large response: clients that share it get all of it', async () => {
    const large = 12_000_000;
    let begin: (() => void) | undefined;
    origin.answerBy((response) => {
      begin = () =>
        response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': large }).end(Buffer.alloc(large));
    });
    const idle = new Socket().connect(service.port, '127.0.0.1');
    idle.on('error', () => undefined);
    idle.pause();
    idle.write(`GET /github${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await waitUntil(() => origin.hits.length === 1, { what: 'the load' });
    const answer = through();
    await through(`${path}-other`, { headers: { 'cache-control': 'only-if-cached' } }); // the other has come as well by now
    begin?.();
    expect((await answer).body.length).toBe(large);
    expect(origin.hits).toHaveLength(1);
    idle.destroy();
  });

  it('requests something that cannot be stored: other responses are stored and validated as before', async () => {
    origin.answerBy((response, { headers }) => {
      if (headers['x-github-api-version'] === 'odd') response.writeHead(400).end('odd');
      else if (headers['if-none-match'] === '"v"')
        response.writeHead(304, { 'cache-control': 'max-age=0', etag: '"v"' }).end();
      else response.writeHead(200, { 'cache-control': 'max-age=0', etag: '"v"' }).end('good');
    });
    await through();
    expect((await through(path, { headers: { 'x-github-api-version': 'odd' } })).status).toBe(400);
    const answers = await Promise.all(Array.from({ length: 10 }, () => through()));
    expect(new Set(answers.map(({ body }) => body.toString()))).toEqual(new Set(['good']));
    expect(new Set(origin.hits.slice(2).map(({ headers }) => headers['if-none-match']))).toEqual(new Set(['"v"']));
  });

  it('sends a body with a GET: nothing of it goes upstream, nor a field that promises it', async () => {
    origin.answerBy((response, { url }) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(url));
    const smuggled = 'GET /evil HTTP/1.1\r\nx: ';
    const options = {
      method: 'GET',
      headers: { 'content-length': String(smuggled.length) },
      body: Buffer.from(smuggled),
    };
    await through(path, options);
    expect(origin.hits[0]?.headers).not.toHaveProperty('content-length');
    expect((await through(`${path}-victim`)).body.toString()).toBe(`${path}-victim`);
  });

  it('gets a 503 that may be stored: it does not take the place of the stale answer', async () => {
    const kept = { ...JSON_TYPE, 'cache-control': 'max-age=0, stale-if-error=100' };
    origin.answerBy((response) => response.writeHead(200, kept).end('"good"'));
    await through();
    origin.answerBy((response) => response.writeHead(503, { 'cache-control': 'public, max-age=60' }).end('"bad"'));
    for (const method of ['GET', 'GET', 'HEAD']) {
      const answer = await through(path, { method });
      expect([answer.status, outcomeOf(answer)]).toEqual([200, 'STALE_ON_ERROR']);
    }
  });

  it('writes and disconnects, or gets no answer: responses that it may have changed are not served any more', async () => {
    let version = 1;
    const held: ServerResponse[] = [];
    origin.answerBy((response, { method }) => {
      if (method === 'GET')
        return void response.writeHead(200, { 'cache-control': 'max-age=600' }).end(String(version));
      version += 1;
      if (version === 2) held.push(response);
      else response.destroy();
    });
    expect((await through()).body.toString()).toBe('1');
    await askAndLeave(path, { method: 'PATCH', body: '{}' });
    await waitUntil(async () => (await through()).body.toString() === '2', { what: 'the new answer' });
    expect((await through(path, { method: 'PATCH', body: Buffer.from('{}') })).status).toBe(502);
    expect((await through()).body.toString()).toBe('3');
  });
});

describe('a 304 that says nothing of it', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url } });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });
  const through = (path: string) => request(`${service.url}/github${path}`);

  it('leaves the lifetime unchanged', async () => {
    origin.answerBy((response, { headers }) => {
      if (headers['if-none-match'] === undefined)
        response.writeHead(200, { 'cache-control': 'max-age=60', age: '90', etag: '"v"' }).end('body');
      else response.writeHead(304, { etag: '"v"' }).end();
    });
    for (const hits of [1, 2, 2]) {
      expect((await through('/bare')).body.toString()).toBe('body');
      expect(origin.hits).toHaveLength(hits);
    }
  });

  it('leaves must-revalidate unchanged: nothing stale is served', async () => {
    let answers = 0;
    origin.answerBy((response, { headers }) => {
      answers += 1;
      if (headers['if-none-match'] === undefined)
        response.writeHead(200, { 'cache-control': 'max-age=0, must-revalidate', etag: '"v"' }).end('body');
      else if (answers === 2) response.writeHead(304, { etag: '"v"' }).end();
      else response.writeHead(503).end();
    });
    expect([(await through('/strict')).status, (await through('/strict')).status]).toEqual([200, 200]);
    expect((await through('/strict')).status).toBe(503);
  });
});
