import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as open, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { waitUntil } from '../support/wait-until';
import { BASE, Hostilities, newPath, reflect, statusesOf } from './hostile';

const CRLF = '\r\n';
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const inOrder = (...lines: readonly string[]): string => lines.join(CRLF);
/** Fields of the gateway's own, behind those of the API. */
const OWN = /^(via|cache-status|x-cache|access-control-.*|x-content-type-options|x-request-id|x-response-time|age)$/;

describe('the gateway hands on, byte for byte,', () => {
  let attacked: Hostilities;
  let path: string;
  const answerWith = (bytes: string | Buffer): void =>
    attacked.origin.answerBy((response: ServerResponse) => {
      response.socket!.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    });
  const bodyOf = (answer: string): string => answer.slice(answer.indexOf(CRLF + CRLF) + 4);
  const headOf = (answer: string): string[] =>
    answer
      .slice(0, answer.indexOf(CRLF + CRLF))
      .split(CRLF)
      .slice(1);

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

  it('the fields of an answer: their values, order and repetitions, stored or not', async () => {
    const fields = [
      ...['date: Mon, 05 Oct 2026 10:00:00 GMT', 'set-cookie: a=1; Path=/', 'x-b: 2', 'set-cookie: b=2', 'x-a: 1'],
      ...['x-empty: ', 'x-spaced: a  b\tc', 'x-latin: \xe4\xff', 'warning: 199 - "a"', 'x-a: 3', 'server: GitHub.com'],
      ...[
        'etag: W/"a"',
        'vary: Accept',
        'x-quoted: "a, b", c',
        'content-type: text/x-odd; charset="x"',
        'via: 1.1 before',
      ],
    ];
    for (const caching of ['cache-control: no-store', 'cache-control: public, max-age=99999999']) {
      path = newPath();
      answerWith(inOrder('HTTP/1.1 200 OK', ...fields, caching, 'content-length: 2', '', 'ok'));
      for (let times = 0; times < 2; times++) {
        const answer = await attacked.rawGet(`${BASE}${path}`);
        const isStored = times > 0 && !caching.includes('no-store');
        const shared = isStored ? fields.filter((line) => !line.startsWith('set-cookie')) : fields; // a cookie is one client's
        expect(headOf(answer).slice(0, shared.length + 1)).toEqual([...shared, caching]);
        expect(bodyOf(answer)).toBe('ok');
      }
      expect(attacked.origin.hits).toHaveLength(caching.includes('no-store') ? 2 : 1);
    }
  });

  it('and adds fields of its own behind them only', async () => {
    answerWith(inOrder('HTTP/1.1 200 OK', 'x-a: 1', 'content-length: 0', '', ''));
    const names = headOf(await attacked.rawGet(`${BASE}${path}`)).map((line) => line.split(':', 1)[0]!.toLowerCase());
    expect(names[0]).toBe('x-a');
    for (const name of names.slice(1))
      expect(name).toMatch(new RegExp(`${OWN.source}|^(date|connection|content-length)$`));
    expect(names).toContain('via');
  });

  it('no field that Connection names, in neither direction', async () => {
    const named = 'Connection: x-hop, close';
    answerWith(
      inOrder('HTTP/1.1 200 OK', named, 'x-hop: 1', 'keep-alive: timeout=5', 'x-a: 1', 'content-length: 2', '', 'ok'),
    );
    const answer = await attacked.raw(
      inOrder(
        `POST ${BASE}${path} HTTP/1.1`,
        'host: x',
        named,
        'accept: text/x',
        'x-hop: 1',
        'content-length: 0',
        '',
        '',
      ),
    );
    expect(headOf(answer).join()).not.toMatch(/x-hop|timeout=5/);
    expect(headOf(answer)).toContain('x-a: 1');
    const [hit] = attacked.origin.hits;
    expect(hit!.rawHeaders.join()).not.toContain('x-hop');
    expect(hit!.headers).toMatchObject({ accept: 'text/x', via: '1.1 larder' });
  });

  it.each([
    ['a length', inOrder('content-length: 6', '', 'abc\0\r\n')],
    ['chunks', inOrder('transfer-encoding: chunked', '', '3', 'abc', '3;x=y', '\0\r\n', '0', '', '')],
    [
      'chunks and trailers',
      inOrder('transfer-encoding: chunked', 'trailer: x-t', '', '6', 'abc\0\r\n', '0', 'x-t: 1', '', ''),
    ],
    ['the end of the connection', inOrder('connection: close', '', 'abc\0\r\n')],
  ])('a body framed by %s', async (_how, rest) => {
    for (const caching of ['no-store', 'max-age=60']) {
      path = newPath();
      answerWith(`HTTP/1.1 200 OK${CRLF}cache-control: ${caching}${CRLF}${rest}`);
      for (let times = 0; times < 2; times++)
        expect((await attacked.through(path)).body.toString('latin1')).toBe('abc\0\r\n');
      const first = await attacked.raw(inOrder(`POST ${BASE}${path} HTTP/1.0`, '', ''));
      expect(bodyOf(first)).toBe('abc\0\r\n');
    }
  });

  it('gzip unchanged, even to a client that did not ask for it', async () => {
    const packed = gzipSync('packed '.repeat(1_000), { level: 1 });
    attacked.origin.answerBy((response) => {
      const fields = { 'cache-control': 'max-age=60', 'content-encoding': 'gzip', 'content-type': 'application/json' };
      response.writeHead(200, fields).end(packed);
    });
    for (const coding of ['gzip', 'gzip', 'identity', 'identity']) {
      const { body, headers } = await attacked.through(path, { headers: { 'accept-encoding': coding } });
      expect([body.equals(packed), headers['content-encoding']]).toEqual([true, 'gzip']);
    }
  });

  it('20 MB in both directions', async () => {
    const sent = randomBytes(20_000_000);
    attacked.origin.answerBy((response, { body }) =>
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(body),
    );
    const answer = await attacked.through(path, { method: 'POST', body: sent });
    expect(sha256(answer.body)).toBe(sha256(sent));
    attacked.origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(sent));
    const answers = await Promise.all([attacked.through(path), attacked.through(path), attacked.through(path)]);
    for (const { body } of answers) expect(sha256(body)).toBe(sha256(sent));
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH', 'LOCK', 'M-SEARCH', 'PURGE'])(
    'the method %s with a body',
    async (method) => {
      const body = randomBytes(1_000);
      const headers = { 'content-type': 'application/x-odd', 'content-length': body.length, 'content-language': 'tlh' };
      expect((await attacked.through(path, { method, headers, body })).status).toBe(200);
      expect((await attacked.through(path, { method, headers: { ...headers, 'content-length': 0 } })).status).toBe(200);
      const [full, empty] = attacked.origin.hits;
      expect([full!.method, full!.body.equals(body), full!.headers['content-length']]).toEqual([method, true, '1000']);
      expect(full!.headers).toMatchObject({ 'content-type': 'application/x-odd', 'content-language': 'tlh' });
      expect([empty!.method, empty!.body.length, empty!.headers['content-length']]).toEqual([method, 0, '0']);
    },
  );

  it('a form, JSON that is none, and a body without a type', async () => {
    for (const type of [
      'application/x-www-form-urlencoded',
      'application/json',
      'multipart/form-data; boundary=x',
      undefined,
    ]) {
      attacked.origin.answerBy(reflect);
      const head = inOrder(
        `POST ${BASE}${path} HTTP/1.1`,
        'host: x',
        ...(type === undefined ? [] : [`content-type: ${type}`]),
      );
      await attacked.raw(`${head}${CRLF}content-length: 4${CRLF}connection: close${CRLF}${CRLF}{a&\0`);
      expect(attacked.origin.hits.map(({ body, headers }) => [body.toString(), headers['content-type']])).toEqual([
        ['{a&\0', type],
      ]);
    }
  });

  it('a body that waits for 100 Continue', async () => {
    const headers = { expect: '100-continue', 'content-length': 5 };
    const client = open(`${attacked.service.url}${BASE}${path}`, { method: 'POST', headers, agent: false });
    client.flushHeaders();
    await once(client, 'continue');
    client.end('hello');
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    answer.resume();
    expect([answer.statusCode, attacked.origin.hits[0]!.body.toString()]).toEqual([200, 'hello']);
  });

  it('the head of a HEAD, and no body', async () => {
    attacked.origin.answerBy((response) => response.writeHead(200, { 'content-length': '1234', etag: '"h"' }).end());
    const answer = await attacked.raw(inOrder(`HEAD ${BASE}${path} HTTP/1.1`, 'host: x', 'connection: close', '', ''));
    expect([statusesOf(answer), bodyOf(answer)]).toEqual([[200], '']);
    expect(headOf(answer)).toEqual(expect.arrayContaining(['content-length: 1234', 'etag: "h"']));
  });

  it.each(['GET', 'DELETE'])('204 to %s without a body or a length', async (method) => {
    attacked.origin.answerBy((response) => response.writeHead(204, { 'x-a': '1' }).end());
    const answer = await attacked.raw(
      inOrder(`${method} ${BASE}${path} HTTP/1.1`, 'host: x', 'connection: close', '', ''),
    );
    expect([statusesOf(answer), bodyOf(answer)]).toEqual([[204], '']);
    expect(headOf(answer).join()).not.toMatch(/content-length|transfer-encoding/i);
  });

  it.each(['no-store', 'max-age=60', 'no-cache'])('304 to a client with the current response: %s', async (caching) => {
    attacked.origin.answerBy((response, { headers }) => {
      const fields = { etag: '"v"', 'cache-control': caching };
      if (headers['if-none-match'] === '"v"') response.writeHead(304, fields).end();
      else response.writeHead(200, fields).end('body');
    });
    for (let times = 0; times < 3; times++) {
      const answer = await attacked.rawGet(`${BASE}${path}`, ['if-none-match: "v"']);
      expect([statusesOf(answer), bodyOf(answer)]).toEqual([[304], '']);
      expect(headOf(answer)).toContain('etag: "v"');
    }
  });

  it('early hints, with links that stay inside, but not to HTTP/1.0', async () => {
    const link = `Link: <${attacked.origin.url}/a.css>; rel=preload`;
    const hint = inOrder('HTTP/1.1 103 Early Hints', link, 'x-hint: 1', '', '');
    answerWith(hint + inOrder('HTTP/1.1 200 OK', 'content-length: 2', '', 'ok'));
    const answer = await attacked.rawGet(`${BASE}${path}`);
    expect(statusesOf(answer)).toEqual([103, 200]);
    expect(headOf(answer).map((line) => line.toLowerCase())).toEqual([
      'link: <http://larder/github/a.css>; rel=preload',
      'x-hint: 1',
    ]);
    const old = await attacked.raw(inOrder(`GET ${BASE}${path}-old HTTP/1.0`, '', ''));
    expect([statusesOf(old), bodyOf(old)]).toEqual([[200], 'ok']);
  });

  it('an answer of unknown length to HTTP/1.0, without chunks', async () => {
    attacked.origin.answerBy((response) => {
      response.writeHead(200, { 'cache-control': 'no-store' });
      response.write('a'.repeat(70_000));
      response.end('b');
    });
    const answer = await attacked.raw(inOrder(`GET ${BASE}${path} HTTP/1.0`, '', ''));
    expect(headOf(answer).join()).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(answer)).toBe(`${'a'.repeat(70_000)}b`);
  });

  it('the end of a body that breaks off to HTTP/1.0, as a reset: without a length it would look complete', async () => {
    let breakOff = (): unknown => undefined;
    attacked.origin.answerBy((response) => {
      breakOff = () => response.destroy();
      response.writeHead(200, { 'cache-control': 'no-store' }).write('a'.repeat(70_000));
    });
    const socket = connect(attacked.service.port, '127.0.0.1');
    socket.write(inOrder(`GET ${BASE}${path} HTTP/1.0`, '', ''));
    // Together with the last bytes libuv would take a reset for the end.
    let received = '';
    socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
    await waitUntil(() => received.split('\r\n\r\n')[1]?.length === 70_000, { what: 'the body' });
    breakOff();
    const [error] = (await once(socket, 'close').then(
      () => [],
      (failed: unknown) => [failed],
    )) as unknown[];
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('an answer that comes before the body has been sent, and then the next one', async () => {
    attacked.origin.answerBy((response, { method }) => response.writeHead(method === 'POST' ? 401 : 200).end(), {
      waitsForBody: false,
    });
    const post = [`POST ${BASE}${path} HTTP/1.1`, 'host: x', 'content-length: 30000000', '', '0'.repeat(30_000_000)];
    const next = [`GET ${BASE}${path} HTTP/1.1`, 'host: x', 'connection: close', '', ''];
    expect(statusesOf(await attacked.raw(inOrder(...post) + inOrder(...next)))).toEqual([401, 200]);
  });

  it('pipelined requests, in order, whichever is answered first', async () => {
    const held: (() => void)[] = [];
    attacked.origin.answerBy((response, { url }) => {
      held.push(() => response.end(`<${url}>`));
      if (held.length === 3) for (const answer of held.reverse()) answer();
    });
    const paths = ['1', '2', '3'].map((end) => `${path}/${end}`);
    const asked = paths.map((one, at) =>
      inOrder(`GET ${BASE}${one} HTTP/1.1`, 'host: x', ...(at === 2 ? ['connection: close'] : []), '', ''),
    );
    const answer = await attacked.raw(asked.join(''));
    expect([...answer.matchAll(/<([^>]+)>/g)].map(([, url]) => url)).toEqual(paths);
  });

  it.each([
    ['a hit', 1, true],
    ['hits', 3, true],
    ['a miss', 1, false],
  ])('%s, and then refuses the bytes behind it that are not a request', async (_what, times, isStored) => {
    attacked.origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`<${path}>`));
    // The second is served on the fast path.
    if (isStored) for (const expected of [200, 200]) expect((await attacked.through(path)).status).toBe(expected);
    const asked = inOrder(`GET ${BASE}${path} HTTP/1.1`, 'host: x', '', '').repeat(times);
    const answer = await attacked.raw(`${asked}NO REQUEST\r\n\r\n`);
    expect(statusesOf(answer)).toEqual([...Array<number>(times).fill(200), 400]);
    expect(answer.split(`<${path}>`)).toHaveLength(times + 1);
  });

  it('nothing to a half-closed client, which counts as gone, and everything to the others', async () => {
    attacked.origin.answerBy(() => undefined);
    const client = connect({ port: attacked.service.port, host: '127.0.0.1', allowHalfOpen: true });
    client.write(inOrder(`GET ${BASE}${path} HTTP/1.1`, 'host: x', '', ''));
    await waitUntil(() => attacked.origin.hits.length === 1, { what: 'the call' });
    client.resume().end();
    await once(client, 'end');
    await waitUntil(() => attacked.origin.aborted === 1, { what: 'the end of the call' });
    expect(client.bytesRead).toBe(0);
    attacked.origin.answerBy(reflect);
    expect((await attacked.through(path)).body.toString()).toContain(path);
  });
});
