import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpRequestOptions } from '../support/raw-http';
import { ask } from './ask';
import { BASE, Hostilities, newPath, reflect, reflectionOf, statusesOf } from './hostile';

describe('the gateway keeps what one client sends away from the others', () => {
  let attacked: Hostilities;
  let path: string;
  const { stringify } = JSON;

  beforeAll(async () => {
    attacked = await Hostilities.start();
  });
  beforeEach(() => {
    path = newPath();
    attacked.origin.answerBy(reflect);
  });
  afterAll(async () => {
    await attacked.stop();
  });

  const unseen: [string, NonNullable<HttpRequestOptions['headers']>][] = [
    ['X-Forwarded-Host', { 'x-forwarded-host': 'evil.example' }],
    ['X-Forwarded-*', { 'x-forwarded-proto': 'evil', 'x-forwarded-for': 'evil', 'x-forwarded-port': 'evil' }],
    ['X-Host and its kin', { 'x-host': 'evil', 'x-forwarded-server': 'evil', 'x-forwarded-scheme': 'evil' }],
    ['Forwarded', { forwarded: 'host=evil.example;proto=evil' }],
    ['X-Original-URL', { 'x-original-url': '/evil', 'x-rewrite-url': '/evil', 'x-forwarded-prefix': '/evil' }],
    [
      'X-HTTP-Method-Override',
      { 'x-http-method-override': 'EVIL', 'x-method-override': 'EVIL', 'x-http-method': 'EVIL' },
    ],
    ['Host', { host: 'evil.example' }],
    ['Origin and Referer', { origin: 'https://evil.example', referer: 'https://evil.example/' }],
    ['cookies', { cookie: 'session=evil', cookie2: 'evil' }],
    ['User-Agent', { 'user-agent': 'evil' }],
    ['CDN-Loop and addresses', { 'cdn-loop': 'evil', 'x-real-ip': 'evil', 'true-client-ip': 'evil' }],
    [
      'hop-by-hop fields',
      { te: 'evil', 'proxy-authorization': 'evil', 'keep-alive': 'evil', 'proxy-connection': 'evil' },
    ],
    ['Upgrade', { connection: 'upgrade', upgrade: 'evil' }],
    ['fields that Connection names', { connection: 'x-evil, close', 'x-evil': 'evil' }],
    ['Content-*', { 'content-type': 'evil/evil', 'content-language': 'evil', 'content-encoding': 'evil' }],
    ['Cache-Control', { 'cache-control': 'max-age=0, evil="evil"' }],
    ['Pragma', { pragma: 'evil' }],
    ['If-Match', { 'if-match': '"evil"' }],
    ['If-None-Match', { 'if-none-match': '"evil"', 'if-modified-since': 'evil', 'if-unmodified-since': 'evil' }],
    [
      'names of objects',
      ['host', 'larder', ...['constructor', 'evil'], ...['__proto__', 'evil'], ...['hasOwnProperty', 'evil']],
    ],
  ];
  it.each(unseen)('by not passing on %s', async (_name, headers) => {
    const hostile = await attacked.through(path, { headers });
    const plain = await attacked.through(path);
    expect([hostile.status, plain.status, plain.headers['x-cache']]).toEqual([200, 200, 'HIT']);
    expect(stringify(attacked.origin.hits)).not.toMatch(/evil/i);
    expect(stringify([plain.rawHeaders, plain.body.toString()])).not.toMatch(/evil/i);
  });

  it.each<[string, OutgoingHttpHeaders]>([
    ['Accept', { accept: 'text/evil' }],
    ['Accept-Language', { 'accept-language': 'evil' }],
    ['X-GitHub-Api-Version', { 'x-github-api-version': 'evil' }],
    ['Range', { range: 'bytes=evil' }],
    ['If-Range with Range', { range: 'bytes=0-1', 'if-range': '"evil"' }],
    ['Accept twice', { accept: ['text/a', 'text/evil'] }],
    ['number of hops in Via', { via: '1.0 evil, 1.1 evil' }],
    ['Authorization', { authorization: 'Bearer evil' }],
    ['Cache-Control: no-store', { 'cache-control': 'no-store, evil' }],
  ])('by keeping answers to another %s apart', async (_name, headers) => {
    await attacked.through(path, { headers });
    const plain = await attacked.through(path);
    expect([plain.status, plain.headers['x-cache']]).toEqual([200, 'MISS']);
    expect(plain.body.toString()).not.toMatch(/evil/i);
    await attacked.through(path, { headers });
    expect((await attacked.through(path)).body).toEqual(plain.body);
  });

  const oversized = 'e'.repeat(9_000);
  it.each<[string, OutgoingHttpHeaders]>([
    ['an oversized unkeyed field', { 'x-oversized': oversized }],
    ['an oversized Accept', { accept: oversized }],
    ['an oversized Cache-Control', { 'cache-control': `max-age=0, ${oversized}` }],
    ['an oversized Pragma', { pragma: oversized }],
    ['an oversized If-None-Match', { 'if-none-match': `"${oversized}"` }],
    ['an oversized Range', { range: `bytes=${oversized}` }],
    ['an oversized Authorization', { authorization: `Bearer ${oversized}` }],
  ])('so that an error caused by %s is nobody else’s', async (_name, headers) => {
    attacked.origin.answerBy((response, { rawHeaders }) => {
      const status = rawHeaders.join('').length > 8_000 ? 431 : 200;
      response.writeHead(status, { 'cache-control': 'public, max-age=60' }).end(String(status));
    });
    await attacked.through(path, { headers });
    const plain = await attacked.through(path);
    expect([plain.status, plain.body.toString()]).toEqual([200, '200']);
  });

  it('and refuses more fields than it reads, for that client alone', async () => {
    expect((await attacked.through(path, { headers: { 'x-large': 'e'.repeat(20_000) } })).status).toBe(431);
    expect((await attacked.through(path)).status).toBe(200);
    expect(attacked.origin.hits).toHaveLength(1);
  });

  it.each([
    'x-a: b\x00c',
    'x-a: b\x01c',
    'x-a: b\x7fc',
    'x\x00a: b',
    'x a: b',
    ': b',
    'x-a: b\rc',
    '\x80: b',
    ' folded',
  ])('and refuses the field %j', async (line) => {
    expect(statusesOf(await attacked.rawGet(`${BASE}${path}`, [line]))).toEqual([400]);
    expect(attacked.origin.hits).toHaveLength(0);
  });

  it.each([
    'bytes=0-',
    'bytes=0-0',
    'bytes=-1',
    'bytes=0-1,3-4',
    'bytes=99999-',
    'BYTES=0-1',
    'lines=1-2',
    'bytes=1-0',
  ])('stores no part as a whole: Range: %s', async (range) => {
    attacked.origin.answerBy((response, { headers }) => {
      const fields = { 'cache-control': 'public, max-age=60', etag: '"r"' };
      const from = headers.range;
      if (from === undefined) response.writeHead(200, fields).end('0123456789');
      else if (from.includes('9999')) response.writeHead(416, { ...fields, 'content-range': 'bytes */10' }).end();
      else response.writeHead(206, { ...fields, 'content-range': 'bytes 0-1/10' }).end('01');
    });
    for (let times = 0; times < 2; times++) {
      await attacked.through(path, { headers: { range } });
      const whole = await attacked.through(path);
      expect([whole.status, whole.body.toString()]).toEqual([200, '0123456789']);
    }
  });

  it('stores no range from an unconditional request', async () => {
    attacked.origin.answerBy((response, _hit, count) => {
      if (count > 1) response.writeHead(200, { 'cache-control': 'public, max-age=60' }).end('whole');
      else response.writeHead(206, { 'cache-control': 'public, max-age=60', 'content-range': 'bytes 0-1/5' }).end('wh');
    });
    await attacked.through(path);
    expect((await attacked.through(path)).body.toString()).toBe('whole');
  });

  it('sends each coding to the clients that accept it', async () => {
    attacked.origin.answerBy((response, { headers }) => {
      const coding = headers['accept-encoding'] ?? 'identity';
      response
        .writeHead(200, { 'cache-control': 'public, max-age=60', vary: 'Accept-Encoding', 'x-coding': coding })
        .end(coding);
    });
    for (let times = 0; times < 2; times++)
      for (const [coding, expected] of [
        ['br', 'identity'],
        ['gzip;q=0, br', 'identity'],
        ['gzip;q=0.000', 'identity'],
        ['identity', 'identity'],
        ['evil', 'identity'],
        ['', 'identity'],
        ['gzip', 'gzip'],
        ['GZIP;q=0.5, *;q=0', 'gzip'],
        ['br, gzip', 'gzip'],
      ] as const) {
        const answer = await attacked.through(path, { headers: { 'accept-encoding': coding } });
        expect([coding, answer.body.toString()]).toEqual([coding, expected]);
      }
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it('takes no word of a body that comes with a GET', async () => {
    const body = 'path=evil&_method=evil';
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length };
    for (const method of ['GET', 'HEAD']) await attacked.through(path, { method, headers, body });
    const plain = await attacked.through(path);
    expect(reflectionOf(plain)).toMatchObject({ method: 'GET', url: path, body: '' });
    expect(stringify(attacked.origin.hits)).not.toMatch(/evil|content-length|transfer-encoding/i);
  });

  it('reads a chunked body behind a GET as that, and not as the next request', async () => {
    const smuggled = `GET ${BASE}/evil HTTP/1.1\r\nhost: x\r\n\r\n`;
    const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const head = `GET ${BASE}${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
    const next = `GET ${BASE}${path}-next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    expect(statusesOf(await attacked.raw(head + chunk + next))).toEqual([200, 200]);
    expect(attacked.origin.hits.map(({ url }) => url)).toEqual([path, `${path}-next`]);
  });

  it('keeps an answer that a client with another entity tag loads whole', async () => {
    attacked.origin.answerBy((response, { headers }) => {
      const fields = { 'cache-control': 'public, max-age=60', etag: '"v"' };
      if (headers['if-none-match'] === '"v"') response.writeHead(304, fields).end();
      else if (headers['if-match'] !== undefined) response.writeHead(412, fields).end();
      else response.writeHead(200, fields).end('body');
    });
    for (const headers of [{ 'if-none-match': '"v"' }, { 'if-match': '"x"' }] as OutgoingHttpHeaders[]) {
      path = newPath();
      await attacked.through(path, { headers });
      const plain = await attacked.through(path);
      expect([plain.status, plain.body.toString()]).toEqual([200, 'body']);
    }
  });

  it('leaves the URL that others are sent to alone, whatever Host one client named', async () => {
    attacked.origin.answerBy((response) => {
      const fields = { 'cache-control': 'public, max-age=60', location: `${attacked.origin.url}/there` };
      response.writeHead(301, fields).end();
    });
    await attacked.through(path, { headers: { host: 'evil.example' } });
    const plain = await attacked.through(path);
    expect(plain.headers.location).toBe(`${attacked.service.url}${BASE}/there`);
  });

  it('stays healthy', async () => {
    expect(await ask(attacked.service, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(attacked.service.stderr()).toBe('');
    expect(await attacked.shown()).not.toMatch(/evil/i);
  });
});
