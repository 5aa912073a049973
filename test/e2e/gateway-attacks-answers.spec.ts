import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { waitUntil } from '../support/wait-until';
import { ask } from './ask';
import { BASE, Hostilities, newPath, reflect } from './hostile';

const CRLF = '\r\n';
const KEPT = { 'cache-control': 'public, max-age=600' };

describe('of an answer of the API', () => {
  let attacked: Hostilities;
  let path: string;

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

  /** A head without a length, part of a body, and then a reset instead of the end. */
  let isLate = false;
  const reset = (response: ServerResponse, body: string | Buffer, more: readonly string[] = []): void => {
    const head = ['HTTP/1.1 200 OK', 'cache-control: public, max-age=600', 'connection: close', ...more, '', ''];
    const { socket } = response;
    socket!.write(Buffer.concat([Buffer.from(head.join(CRLF)), Buffer.from(body)]), () => {
      if (isLate) setTimeout(() => socket!.resetAndDestroy(), 50);
      else socket!.resetAndDestroy();
    });
  };

  it.each<[string, string | Buffer, string[]]>([
    ['a small body without a length', 'x'.repeat(100), []],
    ['JSON that looks whole', '{"login":"x"}', ['content-type: application/json']],
    ['a body of gzip', gzipSync('x'.repeat(100)), ['content-encoding: gzip']],
    ['a body with a length', 'x'.repeat(100), ['content-length: 200']],
    ['chunks', `5${CRLF}hello${CRLF}`, ['transfer-encoding: chunked']],
  ])('nothing is stored that a reset cut, with its last bytes or after them: %s', async (_what, body, fields) => {
    for (isLate of [false, true]) {
      path = newPath();
      attacked.origin.answerBy((response) => reset(response, body, fields));
      expect((await attacked.through(path)).status).toBe(502);
      attacked.origin.answerBy((response) => response.writeHead(200, KEPT).end('whole'));
      const next = await attacked.through(path);
      expect([next.body.toString(), next.headers['x-cache']]).toEqual(['whole', 'MISS']);
    }
  });

  it('nothing is stored, or shown as whole, that a reset cut while a client was reading it', async () => {
    let cut = (): void => undefined;
    attacked.origin.answerBy((response) => {
      cut = () => response.socket!.resetAndDestroy();
      response.socket!.write(
        ['HTTP/1.1 200 OK', 'cache-control: public, max-age=600', 'connection: close', '', 'x'.repeat(200_000)].join(
          CRLF,
        ),
      );
    });
    const client = get(`${attacked.service.url}${BASE}${path}`, { agent: false });
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    let received = 0;
    answer.on('data', ({ length }: Buffer) => (received += length));
    const broken = once(answer, 'error');
    await waitUntil(() => received === 200_000, { what: 'all that was sent' });
    cut();
    await broken;
    expect(answer.complete).toBe(false);
    attacked.origin.answerBy((response) => response.writeHead(200, KEPT).end('whole'));
    expect((await attacked.through(path)).body.toString()).toBe('whole');
  });

  it('the end of the connection is the end, where there is no length', async () => {
    attacked.origin.answerBy((response) => {
      response.socket!.end(['HTTP/1.1 200 OK', 'cache-control: public, max-age=600', '', 'whole'].join(CRLF));
    });
    for (const cache of ['MISS', 'HIT']) {
      const { headers, body } = await attacked.through(path);
      expect([body.toString(), headers['x-cache']]).toEqual(['whole', cache]);
    }
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['a length', (response) => response.socket!.end(`HTTP/1.1 200 OK${CRLF}content-length: 50${CRLF}${CRLF}{"login":`)],
    ['a reset', (response) => reset(response, '{"login":"x","public_repos":5}')],
    [
      'chunks',
      (response) => response.socket!.end(`HTTP/1.1 200 OK${CRLF}transfer-encoding: chunked${CRLF}${CRLF}5${CRLF}{"lo`),
    ],
    [
      'gzip',
      (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"login":"x"}').subarray(0, 20)),
    ],
  ])('a broken one of /users/x is no fault of ours at /repos/x: cut by %s', async (_how, answer) => {
    const name = path.slice(1);
    attacked.origin.answerBy((response) => answer(response));
    for (let times = 0; times < 3; times++) {
      for (let loads = 0; loads < 2; loads++) {
        const relayed = await attacked.through(`/users/${name}`);
        if (relayed.status !== 200) expect(relayed.status).toBe(502);
      }
      const { status, json } = await ask(attacked.service, `/repos/${name}`);
      expect([status, json['code']]).toEqual([502, expect.stringMatching(/^upstream-(invalid|unreachable)$/)]);
    }
  });

  it.each([600, 777, 999])('the status %i goes on and is never stored', async (status) => {
    attacked.origin.answerBy((response) => response.writeHead(status, KEPT).end('odd'));
    for (let times = 1; times <= 2; times++) {
      const answer = await attacked.through(path);
      expect([answer.status, answer.body.toString(), answer.headers['x-cache']]).toEqual([status, 'odd', 'MISS']);
    }
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it('an invalid status is a failure: the stored response is served instead', async () => {
    attacked.origin.answerBy((response) =>
      response.writeHead(200, { 'cache-control': 'max-age=1', age: '2' }).end('old'),
    );
    await attacked.through(path);
    attacked.origin.answerBy((response) => response.writeHead(999).end());
    expect((await attacked.through(path)).body.toString()).toBe('old');
  });

  const NEVER_SHARED: Readonly<Record<string, string>> = {
    'set-cookie': 'session=first',
    'set-cookie2': 'session=first',
    'clear-site-data': '"*"',
    'content-security-policy': "script-src 'nonce-first'; report-uri https://first.example",
    'content-security-policy-report-only': 'default-src https://first.example',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'public-key-pins': 'pin-sha256="first"; max-age=1',
    'alt-svc': 'h2="first.example:443"',
    nel: '{"report_to":"first","max_age":1}',
    'report-to': '{"group":"first"}',
    'reporting-endpoints': 'first="https://first.example"',
    refresh: '0; url=https://first.example',
    'service-worker-allowed': '/',
    'authentication-info': 'nextnonce="first"',
    'accept-ch': 'Sec-CH-UA-Model',
  };

  it.each([{}, { authorization: 'Bearer ghp_attacker_fields' }])(
    'fields for one client stay with that one: %j',
    async (headers) => {
      attacked.origin.answerBy((response) =>
        response.writeHead(200, { ...KEPT, ...NEVER_SHARED, 'x-kept': '1' }).end('ok'),
      );
      const first = await attacked.through(path, { headers });
      for (const name of Object.keys(NEVER_SHARED)) expect([name, first.headers[name]]).not.toEqual([name, undefined]);
      for (let times = 0; times < 2; times++) {
        const hit = await attacked.through(path, { headers });
        expect([hit.headers['x-cache'], hit.headers['x-kept']]).toEqual(['HIT', '1']);
        for (const name of Object.keys(NEVER_SHARED)) expect([name, hit.headers[name]]).toEqual([name, undefined]);
      }
    },
  );

  it.each<[string, Readonly<Record<string, string>>]>([
    ['set-cookie', KEPT],
    ['x-secret', { 'cache-control': 'max-age=60, private="x-secret"' }],
    ['x-secret', { 'cache-control': 'max-age=60, no-cache="X-Secret, x-other"' }],
    ['x-secret', { 'cdn-cache-control': 'private="x-secret", max-age=60' }],
  ])('%s of one client is not given to those who waited for the same load, nor stored: %j', async (name, fields) => {
    let release = (): void => undefined;
    attacked.origin.answerBy((response) => {
      release = () => response.writeHead(200, { ...fields, [name]: 'of=first' }).end('ok');
    });
    const all = [attacked.through(path)];
    await waitUntil(() => attacked.origin.hits.length === 1, { what: 'the load' });
    all.push(attacked.through(path), attacked.through(path));
    await attacked.through(path, {
      method: 'OPTIONS',
      headers: { origin: 'x', 'access-control-request-method': 'GET' },
    });
    release();
    const given = [...(await Promise.all(all)), await attacked.through(path)];
    expect(given.map(({ headers }) => headers[name]?.toString())).toEqual([
      'of=first',
      undefined,
      undefined,
      undefined,
    ]);
    expect(given.at(-1)!.headers['x-cache']).toBe('HIT');
    expect(attacked.origin.hits).toHaveLength(1);
  });

  it('fields that a 304 adds are not stored either', async () => {
    attacked.origin.answerBy((response, { headers }) => {
      const fields = { 'cache-control': 'max-age=100', etag: '"a"' };
      if (headers['if-none-match'] === undefined) response.writeHead(200, { ...fields, age: '150' }).end('ok');
      else response.writeHead(304, { ...fields, 'set-cookie': 'session=first' }).end();
    });
    for (let times = 0; times < 3; times++)
      expect((await attacked.through(path)).headers['set-cookie']).toBeUndefined();
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it('a page without its own policy on a hit has the strictest one, and GitHub’s own is kept', async () => {
    const policies = [
      ['text/html; charset=utf-8', "script-src 'nonce-first'", "default-src 'none'"],
      ['image/svg+xml', 'script-src *', "default-src 'none'"],
      ['application/json', "default-src 'none'", "default-src 'none'"],
      ['application/json', 'script-src *', undefined],
    ] as const;
    for (const [type, sent, expected] of policies) {
      path = newPath();
      const fields = { ...KEPT, 'content-type': type, 'content-security-policy': sent };
      attacked.origin.answerBy((response) => response.writeHead(200, fields).end('<b>'));
      await attacked.through(path);
      expect([type, (await attacked.through(path)).headers['content-security-policy']]).toEqual([type, expected]);
    }
  });

  const isHit = async (target: string): Promise<boolean> =>
    (await attacked.through(target)).headers['x-cache'] === 'HIT';
  it.each<[string, boolean, (response: ServerResponse) => void]>([
    ['200', true, (response) => response.writeHead(200).end()],
    ['302', true, (response) => response.writeHead(302, { location: '/x' }).end()],
    ['500', true, (response) => response.writeHead(500).end()],
    ['502', true, (response) => response.writeHead(502).end()],
    ['504', true, (response) => response.writeHead(504).end()],
    ['599', true, (response) => response.writeHead(599).end()],
    ['a reset', true, (response) => response.socket!.resetAndDestroy()],
    ['half a head', true, (response) => response.socket!.end('HTTP/1.1 200 OK\r\ncont')],
    ['half a body', true, (response) => response.socket!.end('HTTP/1.1 502 X\r\ncontent-length: 9\r\n\r\nab')],
    ['404', false, (response) => response.writeHead(404).end()],
    ['409', false, (response) => response.writeHead(409).end()],
    ['422', false, (response) => response.writeHead(422).end()],
  ])('to a write, %s purges: %s', async (_what, isPurged, answer) => {
    attacked.origin.answerBy((response, { method }) => {
      if (method === 'GET') response.writeHead(200, KEPT).end('old');
      else answer(response);
    });
    const [repository, issue] = [`/repos/o${path}`, `/repos/o${path}/issues/1`];
    for (const target of [repository, issue]) await attacked.through(target);
    await attacked.through(issue, { method: 'PATCH', body: '{}' }).catch(() => undefined);
    expect([await isHit(repository), await isHit(issue)]).toEqual([!isPurged, !isPurged]);
  });
});
