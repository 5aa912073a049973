import { randomBytes } from 'node:crypto';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { everythingLogged } from '../support/everything-logged';
import type { HttpAnswer } from '../support/raw-http';
import { waitUntil } from '../support/wait-until';
import { ask } from './ask';
import { BASE, Hostilities, newPath, reflect, reflectionOf, statusesOf } from './hostile';

const KEPT = { 'cache-control': 'public, max-age=60' };
const CRLF = '\r\n';
const whole = (lines: readonly string[], body = '') => [...lines, '', body].join(CRLF);

/** The answer as these bytes, whatever node would say to them; then the end of the connection. */
const write = (response: ServerResponse, bytes: string | Buffer): void => {
  response.socket!.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
};

describe('the gateway survives an API that', () => {
  let attacked: Hostilities;
  let path: string;
  const codeOf = ({ body }: HttpAnswer): unknown => (JSON.parse(body.toString()) as { code: unknown }).code;
  const residentBytes = (): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${attacked.service.pid}/status`, 'utf8'))?.[1]) * 1_024;

  beforeAll(async () => {
    attacked = await Hostilities.start();
  });
  beforeEach(() => {
    path = newPath();
    attacked.origin.answerBy(reflect);
  });
  afterEach(async () => {
    attacked.origin.answerBy(reflect);
    const next = await attacked.through(newPath());
    expect([next.status, reflectionOf(next).method]).toEqual([200, 'GET']);
  });
  afterAll(async () => {
    await attacked.stop();
  });

  it('sends a decompression bomb: it goes on packed', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
    attacked.origin.answerBy((response) => {
      response.writeHead(200, { ...KEPT, 'content-encoding': 'gzip', 'content-type': 'application/json' }).end(bomb);
    });
    const before = residentBytes();
    for (const coding of ['gzip', 'identity', 'gzip'])
      for (const range of [undefined, 'bytes=0-9']) {
        const fields = range === undefined ? {} : { range };
        const answer = await attacked.through(path, { headers: { 'accept-encoding': coding, ...fields } });
        expect(answer.headers['content-encoding']).toBe('gzip');
        expect(answer.body.equals(answer.status === 206 ? bomb.subarray(0, 10) : bomb)).toBe(true);
      }
    expect(residentBytes() - before).toBeLessThan(150_000_000);
  });

  describe.each<[string, (bytes: Buffer) => Buffer]>([
    ['gzip', (bytes) => gzipSync(bytes)],
    ['br', (bytes) => brotliCompressSync(bytes)],
    ['deflate', (bytes) => deflateSync(bytes)],
  ])('ends a chunked message in the middle of its %s', (coding, pack) => {
    const packed = (bytes: number): Buffer => pack(randomBytes(bytes));
    const answerWith = (body: Buffer): void =>
      attacked.origin.answerBy((response) => {
        response.writeHead(200, { ...KEPT, 'content-encoding': coding, 'content-type': 'application/octet-stream' });
        response.write(body);
        response.end();
      });
    const get = () => attacked.through(path, { headers: { 'accept-encoding': coding } });

    it.each([2_000, 300_000])('of %i bytes: it goes on as it came, and is not stored', async (bytes) => {
      const complete = packed(bytes);
      const cut = complete.subarray(0, complete.length - 20);
      answerWith(cut);
      for (let times = 0; times < 3; times++) {
        const { status, headers, body } = await get(); // one that comes while the last is looked through may join it
        expect([status, body.equals(cut)]).toEqual([200, true]);
        expect(headers['cache-status']).not.toMatch(/;\s*hit/);
      }
      answerWith(complete);
      await waitUntil(async () => (await get()).body.equals(complete), { what: 'a load after the last cut one' });
      const stored = async (): Promise<boolean> => /;\s*hit/.test(String((await get()).headers['cache-status']));
      await waitUntil(stored, { what: 'a hit' });
      expect((await get()).body.equals(complete)).toBe(true);
    });
  });

  it('sends a body without end: nothing of it is stored, and it ends with the client', async () => {
    const chunk = Buffer.alloc(65_536, 'e');
    attacked.origin.answerBy((response) => {
      response.writeHead(200, KEPT);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const before = residentBytes();
    let received = 0;
    const client = get(`${attacked.service.url}${BASE}${path}`, { agent: false });
    client.on('error', () => undefined);
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await new Promise<void>((resolve) => {
      answer.on('data', ({ length }: Buffer) => {
        received += length;
        if (received > 400_000_000) resolve();
      });
    });
    answer.destroy();
    await waitUntil(() => attacked.origin.aborted === 1, { what: 'the end of the load' });
    expect(residentBytes() - before).toBeLessThan(250_000_000);
    expect((await ask(attacked.service, '/metrics')).status).toBe(200);
  });

  /** A byte now and then, until the test has seen enough. */
  const trickling = () => {
    const open = new Set<ServerResponse>();
    const drip = setInterval(() => {
      for (const response of open) response.write('.');
    }, 50);
    return {
      begin: (response: ServerResponse): void => void open.add(response.writeHead(200, KEPT)),
      end: (): void => {
        clearInterval(drip);
        for (const response of open) response.end('!');
      },
    };
  };

  it('sends a body byte by byte: received bytes are sent on before the rest', async () => {
    const body = trickling();
    attacked.origin.answerBy((response) => body.begin(response));
    const client = get(`${attacked.service.url}${BASE}${path}`, { agent: false });
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    const chunks = (await once(answer, 'data')) as Buffer[];
    body.end();
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    expect([answer.statusCode, Buffer.concat(chunks).toString()]).toEqual([200, expect.stringMatching(/^\.+!$/)]);
  });

  it('sends a body byte by byte: a client that accepts stale gets the stored one', async () => {
    attacked.origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=0' }).end('kept'));
    await attacked.through(path);
    const body = trickling();
    attacked.origin.answerBy((response) => body.begin(response));
    const answer = await attacked.through(path).finally(() => body.end());
    expect([answer.status, answer.body.toString()]).toEqual([200, 'kept']);
  });

  it.each<[string, string]>([
    ['before its head ends', whole(['HTTP/1.1 200 OK', 'content-length: 5']).slice(0, -2)],
    ['before its body', whole(['HTTP/1.1 200 OK', 'content-length: 5', 'cache-control: public, max-age=60'])],
    ['within its body', whole(['HTTP/1.1 200 OK', 'content-length: 5', 'cache-control: public, max-age=60'], 'he')],
    [
      'within a chunk',
      whole(['HTTP/1.1 200 OK', 'transfer-encoding: chunked', 'cache-control: max-age=60'], `5${CRLF}he`),
    ],
    [
      'before the last chunk',
      whole(['HTTP/1.1 200 OK', 'transfer-encoding: chunked', 'cache-control: max-age=60'], `2${CRLF}he${CRLF}`),
    ],
    ['at once', ''],
  ])('breaks off %s: 502, and nothing is stored', async (_when, bytes) => {
    attacked.origin.answerBy((response) => write(response, bytes));
    const broken = await attacked.through(path);
    expect([broken.status, broken.headers['content-type']]).toEqual([502, expect.stringContaining('problem+json')]);
    expect(broken.headers['retry-after']).toMatch(/^\d+$/);
    attacked.origin.answerBy((response) => response.writeHead(200, KEPT).end('whole'));
    expect((await attacked.through(path)).body.toString()).toBe('whole');
  });

  it('closes connections just as they are used again: the request is sent on a new one', async () => {
    const answeredOn = new Set<unknown>();
    let waiting = 0;
    const all = 5;
    attacked.origin.answerBy((response) => {
      answeredOn.add(response.socket);
      response.writeHead(200);
      waiting += 1; // all at once, so that each has a connection of its own
      const end = () => (waiting === all ? response.end('first') : setImmediate(end));
      end();
    });
    await Promise.all(Array.from({ length: all }, (_, at) => attacked.through(`${path}-before-${at}`)));
    expect(answeredOn.size).toBe(all);
    let closed = 0;
    attacked.origin.answerBy((response) => {
      if (!answeredOn.has(response.socket)) return response.writeHead(200).end('again');
      closed += 1;
      return response.destroy();
    });
    expect((await attacked.through(path)).body.toString()).toBe('again');
    expect(closed).toBe(all);
  });

  const many = (count: number, field: string): string[] => Array.from({ length: count }, () => field);
  it.each<[string, string]>([
    ['64 kB in one field', whole(['HTTP/1.1 200 OK', `x: ${'x'.repeat(65_536)}`, 'content-length: 0'])],
    ['64 kB of fields', whole(['HTTP/1.1 200 OK', ...many(64, `x: ${'x'.repeat(1_000)}`), 'content-length: 0'])],
    ['10,000 fields', whole(['HTTP/1.1 200 OK', ...many(10_000, 'x: y'), 'content-length: 0'])],
    ['a reason without end', whole([`HTTP/1.1 200 ${'x'.repeat(70_000)}`, 'content-length: 0'])],
    ['no HTTP', 'hello, I am not HTTP\r\n\r\n'],
    ['TLS', '\x15\x03\x01\x00\x02\x02\x28'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a status of four digits', whole(['HTTP/1.1 2000 OK', 'content-length: 0'])],
    ['a status below 100', whole(['HTTP/1.1 099 No', 'content-length: 0'])],
    ['status 000', whole(['HTTP/1.1 000 No', 'content-length: 0'])],
    ['two lengths', whole(['HTTP/1.1 200 OK', 'content-length: 1', 'content-length: 2'], 'ab')],
    ['a length and chunks', whole(['HTTP/1.1 200 OK', 'content-length: 9', 'transfer-encoding: chunked'], '0\r\n\r\n')],
    ['a negative length', whole(['HTTP/1.1 200 OK', 'content-length: -1'])],
    ['a field with a null', whole(['HTTP/1.1 200 OK', 'x: a\x00b', 'content-length: 0'])],
    ['a name with a blank', whole(['HTTP/1.1 200 OK', 'x y: z', 'content-length: 0'])],
    ['a switch of protocols', whole(['HTTP/1.1 101 Switching Protocols', 'connection: upgrade', 'upgrade: websocket'])],
  ])('answers with %s: 502', async (_what, bytes) => {
    attacked.origin.answerBy((response) => write(response, bytes));
    const answer = await attacked.through(path);
    expect([answer.status, codeOf(answer)]).toEqual([502, expect.stringMatching(/^upstream-(invalid|unreachable)$/)]);
    const posted = await attacked.through(path, { method: 'POST', body: 'x' });
    expect([posted.status, codeOf(posted)]).toEqual([502, expect.stringMatching(/^upstream-(invalid|unreachable)$/)]);
  });

  it('sends a private word behind thousands of fields: it is respected', async () => {
    const lines = ['HTTP/1.1 200 OK', ...many(3_000, 'x:'), 'cache-control: no-store', 'content-length: 2'];
    attacked.origin.answerBy((response) => write(response, whole(lines, 'ok')));
    for (let times = 0; times < 2; times++) expect(await attacked.rawGet(`${BASE}${path}`)).toMatch(/ok$/);
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it.each<[string, string[]]>([
    ['a link that is none', ['link: evil']],
    ['an empty link', ['link:']],
    ['a link of quotes', ['link: <a>; rel="x', 'link: ">"']],
    ['a long link', [`link: <${'a'.repeat(8_000)}>`]],
    ['framing', ['link: </a>; rel=preload', 'content-length: 5', 'connection: keep-alive']],
    ['names of objects', ['link: </a>; rel=preload', '__proto__: x', 'constructor: y']],
    ['nothing', []],
  ])('hints early with %s: the answer comes', async (_what, lines) => {
    attacked.origin.answerBy((response) => {
      write(
        response,
        whole(['HTTP/1.1 103 Early Hints', ...lines]) + whole(['HTTP/1.1 200 OK', 'content-length: 2'], 'ok'),
      );
    });
    for (const target of [path, `${path}-raw`]) {
      const answer = await attacked.rawGet(`${BASE}${target}`);
      expect(answer).toMatch(/ok$/);
      expect(statusesOf(answer).at(-1)).toBe(200);
      const [interim = ''] = answer.split(`${CRLF}${CRLF}HTTP/1.1 200`);
      if (statusesOf(answer).length > 1) expect(interim).not.toMatch(/content-length|transfer-encoding|connection/i);
    }
  });

  it('hints a thousand times: the answer comes', async () => {
    const hint = whole(['HTTP/1.1 103 Early Hints', 'link: </a>; rel=preload']);
    attacked.origin.answerBy((response) =>
      write(response, hint.repeat(1_000) + whole(['HTTP/1.1 200 OK', 'content-length: 2'], 'ok')),
    );
    expect(await attacked.rawGet(`${BASE}${path}`)).toMatch(/ok$/);
  });

  it('answers one request twice: the second answer is discarded', async () => {
    const evil = whole(['HTTP/1.1 200 OK', 'content-length: 4', 'cache-control: public, max-age=60'], 'evil');
    attacked.origin.answerBy((response, hit, count) => {
      if (count > 1) {
        reflect(response, hit, count);
        return;
      }
      response.socket!.write(whole(['HTTP/1.1 200 OK', 'content-length: 2'], 'ok') + evil + evil);
    });
    expect((await attacked.through(path)).body.toString()).toBe('ok');
    const others = await Promise.all(Array.from({ length: 10 }, () => attacked.through(newPath())));
    for (const { body } of others) expect(body.toString()).not.toBe('evil');
  });

  it('sends its fields with what could split ours: they stay one', async () => {
    const lines = [
      'HTTP/1.1 200 OK',
      'x: \xe4\xff\x80',
      'x-evil: %0d%0aset-cookie: a=b',
      'x-tab: a\tb',
      'content-length: 2',
    ];
    attacked.origin.answerBy((response) => write(response, whole(lines, 'ok')));
    const answer = await attacked.rawGet(`${BASE}${path}`);
    for (const line of lines.slice(1, 4)) expect(answer).toContain(`${CRLF}${line}${CRLF}`);
    expect(answer).not.toMatch(/^set-cookie/m);
  });

  it('names fields of ours: they do not take their place', async () => {
    const fields = {
      'cache-status': 'evil; hit',
      'x-cache': 'evil',
      'x-from-cache': 'evil',
      age: '-5',
      via: '1.1 evil',
      'x-request-id': 'evil',
    };
    attacked.origin.answerBy((response) => response.writeHead(200, { ...KEPT, ...fields }).end('ok'));
    const first = await attacked.through(path);
    const { rawHeaders, headers } = await attacked.through(path);
    // What another cache or server said of its own delivery is over.
    expect([first.headers['x-cache'], first.headers['x-from-cache']]).toEqual(['MISS', undefined]);
    for (const answer of [first, { headers }]) expect(answer.headers['x-request-id']).not.toContain('evil');
    expect(headers).toMatchObject({ 'x-cache': 'HIT', 'x-from-cache': '1' });
    const lastOf = (name: string) => rawHeaders[rawHeaders.lastIndexOf(name) + 1];
    expect(lastOf('cache-status')).toMatch(/^larder; hit/);
    expect([lastOf('x-cache'), lastOf('via'), lastOf('age')]).toEqual([
      'HIT',
      '1.1 larder',
      expect.stringMatching(/^\d+$/),
    ]);
  });

  it('stays healthy', async () => {
    expect(await ask(attacked.service, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(attacked.service.stderr()).toBe('');
    expect(await everythingLogged(attacked.service)).not.toMatch(/"level":"(error|fatal)"/);
  });
});
