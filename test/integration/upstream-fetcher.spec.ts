import { gzipSync } from 'node:zlib';
import { ScriptedOrigin, type OriginScript } from '../support/scripted-origin';
import { closeAgents, openAgents } from '../../src/upstream/sockets';
import { breakerOf } from '../../src/upstream/upstream-breaker';
import { UpstreamFetcher } from '../../src/upstream/upstream-fetcher';

const limits = {
  connectTimeoutMs: 10_000,
  timeoutMs: 1_500,
  maxResponseBytes: 100_000,
  breakerFailures: 100,
  breakerPauseMs: 1_000,
};

describe('a request beside the cache', () => {
  let origin: ScriptedOrigin;
  let client: UpstreamFetcher;
  const agents = openAgents(limits.connectTimeoutMs);

  const answering = (script: OriginScript): void => origin.answerBy(script);
  const get = (path = '/', signal?: AbortSignal) => client.get({ path, ...(signal === undefined ? {} : { signal }) });

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    const definition = { name: 'api', baseUrl: `${origin.url}/base`, headers: { 'user-agent': 'larder' }, limits };
    client = new UpstreamFetcher(definition, agents, breakerOf(definition));
  });
  afterAll(async () => {
    closeAgents(agents);
    await origin.stop();
  });

  it('asks below the base, with its own fields, for gzip and nothing else', async () => {
    answering((response) => response.writeHead(200, { 'x-a': '1', link: ['<a>', '<b>'] }).end('hello'));
    const { status, headers, body } = await get('/users/x?y=1');
    expect([status, headers['x-a'], headers['link'], body.toString()]).toEqual([200, '1', '<a>, <b>', 'hello']);
    expect(origin.hits[0]?.url).toBe('/base/users/x?y=1');
    expect(origin.hits[0]?.headers).toMatchObject({ 'user-agent': 'larder', 'accept-encoding': 'gzip' });
  });

  it.each([1_000, 90_000])('unpacks gzip of %i bytes', async (bytes) => {
    const body = Buffer.from('x'.repeat(bytes));
    answering((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body)));
    expect((await get()).body).toEqual(body);
  });

  it('accepts an empty body in any coding', async () => {
    answering((response) => response.writeHead(304, { 'content-encoding': 'gzip' }).end());
    expect(await get()).toMatchObject({ status: 304, body: Buffer.alloc(0) });
  });

  it.each<[string, string, OriginScript]>([
    [
      'unpacks to too much',
      'upstream-too-large',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5_000_000))),
    ],
    ['is too much', 'upstream-too-large', (response) => response.end(Buffer.alloc(100_001))],
    [
      'is in a coding nobody asked for',
      'upstream-invalid',
      (response) => response.writeHead(200, { 'content-encoding': 'br' }).end('?'),
    ],
    [
      'only says that it is gzip',
      'upstream-invalid',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('?'),
    ],
    ['does not end in time', 'upstream-timeout', (response) => response.write('{')],
    [
      'breaks off',
      'upstream-invalid',
      (response) => response.writeHead(200, { 'content-length': 10 }).write('{', () => response.destroy()),
    ],
    ['is an error', 'upstream-error', (response) => response.writeHead(503, { 'retry-after': '7' }).end('no')],
  ])('rejects an answer that %s: %s', async (_name, code, script) => {
    answering(script);
    await expect(get()).rejects.toMatchObject({ code });
  });

  it('rejects when no request waits any more', async () => {
    const wanted = new AbortController();
    answering(() => wanted.abort());
    await expect(get('/', wanted.signal)).rejects.toMatchObject({ code: 'upstream-timeout' });
    await expect(get('/', AbortSignal.abort())).rejects.toMatchObject({ code: 'upstream-timeout' });
  });

  it('follows redirects on its own origin, at most three, and none to another', async () => {
    answering((response, { url }) => {
      if (url === '/base/renamed') response.writeHead(301, { location: '/base/again' }).end('moved');
      else if (url === '/base/again') response.writeHead(307, { location: 'here' }).end();
      else if (url === '/base/away') response.writeHead(302, { location: 'http://127.0.0.1:1/base/here' }).end();
      else if (url === '/base/round') response.writeHead(302, { location: '/base/round' }).end();
      else response.end('here');
    });
    expect((await get('/renamed')).body.toString()).toBe('here');
    expect(origin.hits.map(({ url }) => url)).toEqual(['/base/renamed', '/base/again', '/base/here']);
    await expect(get('/away')).rejects.toMatchObject({ code: 'upstream-invalid', message: /another host/ });
    origin.hits.length = 0;
    await expect(get('/round')).rejects.toMatchObject({ code: 'upstream-invalid', message: /more than 3 times/ });
    expect(origin.hits).toHaveLength(4);
  });
});
