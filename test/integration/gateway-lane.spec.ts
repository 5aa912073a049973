import { Agent } from 'node:http';
import { gzipSync } from 'node:zlib';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';
import { rawRequest, request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';

const keepAlive = new Agent({ keepAlive: true });
const text = 'a line of words that gzip makes shorter\n'.repeat(100);

describe('a hit of the gateway', () => {
  let origin: ScriptedOrigin;
  let service: ServiceInProcess;
  const get = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${service.port}/github${path}`, { headers, agent: keepAlive });
  const seenDuring = (call: () => Promise<unknown>): Promise<number> => service.seenDuring(call);
  const head = (path: string) =>
    request(`http://127.0.0.1:${service.port}/github${path}`, { method: 'HEAD', agent: keepAlive });
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    for (let times = 0; times < 3; times++) await get(path, headers);
  };

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    origin.answerBy((response, { url, headers }) => {
      const fields = {
        'cache-control': 'public, max-age=100',
        etag: '"v1"',
        vary: 'Accept, X-Other',
        'x-own': ['1', '2'],
      };
      const coding =
        headers['accept-encoding'] === 'gzip' && url.startsWith('/packed') ? { 'content-encoding': 'gzip' } : {};
      const links = url.startsWith('/linked') ? { link: `<${origin.url}/linked?page=2>; rel="next"` } : {};
      const type = { 'content-type': 'text/plain', 'access-control-allow-origin': 'https://its.own' };
      const body = `${headers.accept ?? '-'} ${headers.authorization ?? '-'} ${url.startsWith('/small') ? '' : text}`;
      response.writeHead(url.startsWith('/gone') ? 404 : 200, { ...fields, ...coding, ...links, ...type });
      response.end('content-encoding' in coding ? gzipSync(body) : body);
    });
    service = await openInProcess({ GITHUB_API_URL: origin.url });
  });
  afterAll(async () => {
    await service.app.close();
    await origin.stop();
  });

  it.each([
    ['/small', {}],
    ['/large', {}],
    ['/packed', { 'accept-encoding': 'gzip, br' }],
    ['/linked', {}],
    ['/gone', {}],
    ['/small', { authorization: 'Bearer mine' }],
    ['/small', { accept: 'text/plain', 'x-whatever': 'else' }],
  ])('is answered before Fastify has looked at it: %s %j', async (path, headers) => {
    await warm(path, headers);
    expect(await seenDuring(() => get(path, headers))).toBe(0);
  });

  it.each([
    ['GET', '/small', ''],
    ['HEAD', '/small', ''],
    ['GET', '/large', ''],
    ['GET', '/linked', ''],
    ['GET', '/gone', ''],
    ['GET', '/gone', 'if-none-match: "v1"\r\n'],
    ['GET', '/packed', 'accept-encoding: gzip\r\n'],
    ['GET', '/small', 'if-none-match: W/"v1", "v2"\r\n'],
    ['GET', '/small', 'if-none-match: "v2"\r\n'],
    ['GET', '/small', 'x-request-id: mine\r\n'],
    ['GET', '/small', 'authorization: Bearer mine\r\n'],
  ])('is the same to the byte the long way: %s %s %j', async (method, path, fields) => {
    const [name = '', value = ''] = fields.trim().split(': ');
    await warm(path, name === '' || name === 'if-none-match' ? {} : { [name]: value });
    if (method === 'HEAD') await head(path);
    const ask = (more: string): Promise<string> =>
      service.answerTo(`${method} /github${path} HTTP/1.1\r\nhost: 127.0.0.1:${service.port}\r\n${fields}${more}\r\n`);
    let short = '';
    let long = '';
    expect(await seenDuring(async () => (short = await ask('')))).toBe(1); // the last request
    expect(await seenDuring(async () => (long = await ask('content-length: 0\r\n')))).toBe(2);
    expect(short).toBe(long);
  });

  it('has its head and body together behind another whose client asks whether to go on', async () => {
    const ask = (more = ''): string => `GET /github/small/asks-first HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
    const asking = ask() + ask('expect: 100-continue\r\ncontent-length: 3\r\n') + 'abc';
    const answers = (await rawRequest(service.port, asking)).toString('latin1');
    const parts = answers.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '<go on>').split('\r\n\r\n');
    expect(parts.slice(1, 3).map((part) => part.split(/<go on>|HTTP\/1.1/)[0])).toEqual(['- - ', '- - ']);
  });

  it('is not for HEAD where that is a route of its own', async () => {
    await warm('/own-head');
    expect(await seenDuring(() => get('/own-head'))).toBe(0);
    expect((await head('/own-head')).status).toBe(204);
  });

  it('goes to nobody but its caller', async () => {
    const bodies = new Set<string>();
    for (const token of ['Bearer a', 'Bearer b', undefined]) {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: token };
      await warm('/apart', headers);
      bodies.add((await get('/apart', headers)).body.toString());
    }
    expect(bodies.size).toBe(3);
  });

  it.each([
    { 'cache-control': 'no-cache' },
    { pragma: 'no-cache' },
    { range: 'bytes=0-1' },
    { 'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT' },
    { 'transfer-encoding': 'chunked' },
    { connection: 'close' },
    { accept: 'another/kind' },
  ])('is thought about for who asks with %j', async (headers) => {
    await warm('/thought');
    const path = '/thought';
    expect(
      await seenDuring(() => request(`http://127.0.0.1:${service.port}/github${path}`, { headers: headers as never })),
    ).toBe(1);
  });

  it.each(['host: a\r\nhost: b\r\n', 'host: a b\r\n', 'host: x\r\ntransfer-encoding: gzip, chunked\r\n'])(
    'is for nobody whose request is refused: %j',
    async (fields) => {
      await warm('/small');
      const asked = `GET /github/small HTTP/1.1\r\n${fields}connection: keep-alive\r\n\r\n`;
      const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
      expect((await rawRequest(service.port, asked + last)).toString('latin1')).toMatch(/^HTTP\/1\.1 (400|501) /);
    },
  );

  it('is none any more once it is invalidated, softly too', async () => {
    for (const mode of ['stale', 'purge'] as const) {
      await warm('/small');
      expect(await seenDuring(() => get('/small'))).toBe(0);
      await service.cache.invalidate({ kind: 'tag', tag: 'path:github:/small' }, mode);
      const { headers } = await get('/small');
      expect(headers['cache-status']).not.toContain('hit');
    }
  });
});
