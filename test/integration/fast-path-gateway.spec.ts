import { Agent } from 'node:http';
import { gzipSync } from 'node:zlib';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';
import { rawRequest, request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';

const keepAlive = new Agent({ keepAlive: true });
const text = 'a line of words that gzip makes shorter\n'.repeat(100);

describe('a gateway hit in memory', () => {
  let origin: ScriptedOrigin;
  let service: ServiceInProcess;
  const get = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${service.port}/github${path}`, { headers, agent: keepAlive });
  const getClosing = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${service.port}/github${path}`, { headers });
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
        'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
        vary: url.startsWith('/by-range') ? 'Range' : 'Accept, X-Other',
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
    ['/small', { cookie: 'a=b' }],
    ['/small', { 'cache-control': 'max-age=30' }],
    ['/small', { 'cache-control': 'min-fresh=5' }],
    ['/small', { 'cache-control': 'max-stale' }],
    ['/small', { 'cache-control': 'only-if-cached' }],
    ['/small', { 'cache-control': 'no-transform, max-age=50' }],
    ['/small', { 'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT' }],
    ['/small', { range: 'bytes=0-1' }],
    ['/large', { range: 'bytes=-3' }],
  ])('is served before Fastify routes the request: %s %j', async (path, headers) => {
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
    ['GET', '/small', 'if-none-match: "a", "b", "v1"\r\n'],
    ['GET', '/small', 'if-none-match: "a"\r\nif-none-match: "v1"\r\n'],
    ['GET', '/small', 'if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT\r\n'],
    ['GET', '/small', 'if-modified-since: Wed, 31 Dec 2025 00:00:00 GMT\r\n'],
    ['GET', '/small', 'if-none-match: "other"\r\nif-modified-since: Thu, 01 Jan 2026 00:00:00 GMT\r\n'],
    ['GET', '/small', 'range: bytes=1-2\r\n'],
    ['GET', '/small', 'range: bytes=1-2\r\nif-range: "v1"\r\n'],
    ['GET', '/small', 'range: bytes=1-2\r\nif-range: "v2"\r\n'],
    ['GET', '/small', 'range: bytes=1-2, 3-4\r\n'],
    ['GET', '/small', 'range: bytes=900-\r\n'],
    ['GET', '/small', 'range: bytes=1-2\r\nif-none-match: "v1"\r\n'],
    ['GET', '/large', 'range: bytes=-5\r\n'],
    ['GET', '/gone', 'range: bytes=1-2\r\n'],
    ['GET', '/linked', 'range: bytes=1-2\r\n'],
    ['HEAD', '/small', 'range: bytes=1-2\r\n'],
    ['GET', '/small', 'cache-control: max-age=30\r\n'],
    ['GET', '/small', 'cache-control: only-if-cached, max-stale\r\n'],
    ['GET', '/small', 'cookie: a=b\r\n'],
    ['GET', '/small', 'x-request-id: mine\r\n'],
    ['GET', '/small', 'authorization: Bearer mine\r\n'],
  ])('is the same to the byte on the slow path: %s %s %j', async (method, path, fields) => {
    const [name = '', value = ''] = fields.trim().split(': ');
    await warm(path, ['authorization', 'accept-encoding'].includes(name) ? { [name]: value } : {});
    if (method === 'HEAD') await head(path);
    const ask = (more: string): Promise<string> =>
      service.answerTo(`${method} /github${path} HTTP/1.1\r\nhost: 127.0.0.1:${service.port}\r\n${fields}${more}\r\n`);
    let short = '';
    let long = '';
    expect(await seenDuring(async () => (short = await ask('')))).toBe(1); // the last request
    expect(await seenDuring(async () => (long = await ask('content-length: 0\r\n')))).toBe(2);
    expect(short).toBe(long);
  });

  it.each([
    ['GET', 'HTTP/1.0', ''],
    ['GET', 'HTTP/1.0', 'connection: keep-alive\r\n'],
    ['HEAD', 'HTTP/1.0', ''],
    ['GET', 'HTTP/1.1', 'connection: close\r\n'],
    ['GET', 'HTTP/1.1', 'connection: close\r\nrange: bytes=1-2\r\n'],
    ['GET', 'HTTP/1.1', 'connection: close\r\nif-none-match: "v1"\r\n'],
  ])(
    'is the same to the byte on the slow path, on a connection that may end: %s %s %j',
    async (method, version, fields) => {
      await warm('/small');
      await head('/small');
      const ask = async (more: string): Promise<string> => {
        const asked = `${method} /github/small ${version}\r\nhost: 127.0.0.1:${service.port}\r\n${fields}${more}\r\n`;
        const until = (received: string): boolean => fields.includes('keep-alive') && received.endsWith('\r\n\r\n- - ');
        const answer = (await rawRequest(service.port, asked, { until })).toString('latin1');
        return answer.replace(/(x-request-id|x-response-time): .*/gi, '$1: …').replace(/(ttl=|age: )\d+/g, '$1…');
      };
      let fast = '';
      let ordinary = '';
      expect(await seenDuring(async () => (fast = await ask('')))).toBe(0);
      expect(await seenDuring(async () => (ordinary = await ask('content-length: 0\r\n')))).toBe(1);
      expect(fast).toBe(ordinary);
      expect(fast).toMatch(/^HTTP\/1\.1 (?:200|206|304) /);
    },
  );

  it('is served fast whatever was asked for first: a projection has given the resource a list of its own', async () => {
    await request(`http://127.0.0.1:${service.port}/repos/listed`);
    await warm('/users/listed');
    expect(await seenDuring(() => get('/users/listed'))).toBe(0);
  });

  it('is served fast for each of several variants that are asked for in turn', async () => {
    const kinds = ['a/b', 'c/d', 'e/f'];
    for (const accept of kinds) await warm('/in-turn', { accept });
    const bodies: string[] = [];
    expect(
      await seenDuring(async () => {
        for (const accept of [...kinds, ...kinds]) bodies.push((await get('/in-turn', { accept })).body.toString());
      }),
    ).toBe(0);
    expect(bodies.map((body) => body.slice(0, 3))).toEqual([...kinds, ...kinds]);
  });

  it('takes the slow path where its Vary names a field that is not in the fingerprint', async () => {
    await warm('/by-range');
    expect(await seenDuring(() => get('/by-range'))).toBe(1);
  });

  it.each(['max-age=0', 'no-cache', 'min-fresh=1000'])(
    'is validated for Cache-Control: %s, and served fast afterwards',
    async (directive) => {
      await warm('/validated');
      const { headers } = await get('/validated', { 'cache-control': directive });
      expect(headers['cache-status']).toContain('fwd=');
      await warm('/validated');
      expect(await seenDuring(() => get('/validated'))).toBe(0);
    },
  );

  it('has head and body together before a request whose client expects 100-continue', async () => {
    const ask = (more = ''): string => `GET /github/small/asks-first HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
    const asking = ask() + ask('expect: 100-continue\r\nconnection: close\r\ncontent-length: 3\r\n') + 'abc';
    const answers = (await rawRequest(service.port, asking)).toString('latin1');
    const parts = answers.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '<go on>').split('\r\n\r\n');
    expect(parts.slice(1, 3).map((part) => part.split(/<go on>|HTTP\/1.1/)[0])).toEqual(['- - ', '- - ']);
  });

  it('does not answer a HEAD that has a route of its own', async () => {
    await warm('/own-head');
    expect(await seenDuring(() => get('/own-head'))).toBe(0);
    expect((await head('/own-head')).status).toBe(204);
  });

  it('goes to its caller only', async () => {
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
    { 'transfer-encoding': 'chunked' },
    { connection: 'x-nominated' },
    { accept: 'another/kind' },
  ])('takes the slow path for a request with %j', async (headers) => {
    await warm('/ordinary');
    expect(await seenDuring(() => getClosing('/ordinary', headers as never))).toBe(1);
  });

  it.each(['host: a\r\nhost: b\r\n', 'host: a b\r\n', 'host: x\r\ntransfer-encoding: gzip, chunked\r\n'])(
    'is for no request that the edge refuses: %j',
    async (fields) => {
      await warm('/small');
      const asked = `GET /github/small HTTP/1.1\r\n${fields}connection: keep-alive\r\n\r\n`;
      const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
      expect((await rawRequest(service.port, asked + last)).toString('latin1')).toMatch(/^HTTP\/1\.1 (400|501) /);
    },
  );

  it('is not served any more once it is purged, softly too', async () => {
    for (const mode of ['stale', 'purge'] as const) {
      await warm('/small');
      expect(await seenDuring(() => get('/small'))).toBe(0);
      await service.cache.invalidate({ kind: 'tag', tag: 'path:github:/small' }, mode);
      const { headers } = await get('/small');
      expect(headers['cache-status']).not.toContain('hit');
    }
  });
});
