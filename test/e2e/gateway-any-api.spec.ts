import { createHash, randomBytes } from 'node:crypto';
import { get } from 'node:http';
import { gzipSync } from 'node:zlib';
import { rawRequest, request, type HttpAnswer } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { newPath } from './hostile';

const BASE = '/github';

const outcomeOf = ({ headers }: Pick<HttpAnswer, 'headers'>): string | undefined =>
  /detail=([A-Z_]+)/.exec(String(headers['cache-status']))?.[1];

describe('in front of any API', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  let path: string;
  const through = (options: Parameters<typeof request>[1] = {}) => request(`${service.url}${BASE}${path}`, options);

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    const env = { UPSTREAM_TIMEOUT_MS: '2000', UPSTREAM_BREAKER_FAILURES: '1000', CACHE_MAX_ENTRY_BYTES: '1000000' };
    service = await ServiceProcess.start({
      env: { ...env, GITHUB_API_URL: origin.url, ADMIN_TOKEN: 'test-admin-token' },
    });
  });
  beforeEach(() => {
    path = newPath();
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it('validates what is stale by its ETag', async () => {
    origin.answerBy((response, { headers }) => {
      const known = { etag: '"v1"', 'cache-control': 'max-age=1', 'x-seen': String(origin.hits.length) };
      if (headers['if-none-match'] === '"v1"') response.writeHead(304, known).end();
      else response.writeHead(200, { ...known, 'content-type': 'text/plain' }).end('body');
    });
    let answer = await through();
    const isStale = async (): Promise<boolean> => outcomeOf((answer = await through())) !== 'HIT';
    await waitUntil(isStale, { what: 'the end of its freshness' });
    expect([answer.status, answer.body.toString(), answer.headers['x-seen'], outcomeOf(answer)]).toEqual([
      ...[200, 'body', '2', 'REVALIDATED'],
    ]);
    expect(outcomeOf(await through())).toBe('HIT');
  });

  it('serves what is stale when the API fails', async () => {
    origin.answerBy((response, _hit, count) => {
      if (count === 1) response.writeHead(200, { 'cache-control': 'max-age=1' }).end('kept');
      else if (count === 2) response.writeHead(503).end('down');
      else response.destroy();
    });
    let answer = await through();
    const isStale = async (): Promise<boolean> => outcomeOf((answer = await through())) !== 'HIT';
    await waitUntil(isStale, { what: 'the end of its freshness' });
    for (const stale of [answer, await through()])
      expect([stale.status, stale.body.toString(), outcomeOf(stale)]).toEqual([200, 'kept', 'STALE_ON_ERROR']);
  });

  it('keeps variants apart, and one for each', async () => {
    origin.answerBy((response, { headers }) => {
      response.writeHead(200, { vary: 'Accept', 'cache-control': 'max-age=60' }).end(String(headers.accept));
    });
    for (let times = 0; times < 2; times++)
      for (const accept of ['text/a', 'text/b'])
        expect((await through({ headers: { accept } })).body.toString()).toBe(accept);
    expect(origin.hits).toHaveLength(2);
  });

  it('sends the client what it stored as gzip as the API sent it', async () => {
    const plain = Buffer.from('{"text":"abc"}'.repeat(1_000));
    origin.answerBy((response, { headers }) => {
      const packs = headers['accept-encoding'] === 'gzip';
      const described = { 'content-type': 'application/json', 'cache-control': 'max-age=60', vary: 'Accept-Encoding' };
      response
        .writeHead(200, packs ? { ...described, 'content-encoding': 'gzip' } : described)
        .end(packs ? gzipSync(plain) : plain);
    });
    for (let times = 0; times < 2; times++) {
      expect((await through()).body).toEqual(plain);
      expect((await through({ headers: { 'accept-encoding': 'br, gzip' } })).body).toEqual(gzipSync(plain));
    }
    expect(origin.hits).toHaveLength(2);
  });

  it('answers ranges out of a whole response', async () => {
    origin.answerBy((response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60', etag: '"r"' }).end('0123456789'),
    );
    await through();
    const part = await through({ headers: { range: 'bytes=2-4' } });
    expect([part.status, part.headers['content-range'], part.body.toString()]).toEqual([206, 'bytes 2-4/10', '234']);
    expect((await through({ headers: { range: 'bytes=20-' } })).status).toBe(416);
    expect((await through({ headers: { range: 'bytes=2-4', 'if-range': '"other"' } })).body.toString()).toBe(
      '0123456789',
    );
    expect(origin.hits).toHaveLength(1);
  });

  it('streams what is too large to keep', async () => {
    const chunk = randomBytes(65_536);
    const sum = createHash('sha256');
    for (let times = 0; times < 320; times++) sum.update(chunk);
    origin.answerBy((response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' });
      let left = 320;
      const more = (): void => {
        while (left > 0) {
          left -= 1;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const answers = await Promise.all([through(), through(), through()]);
    for (const { body } of answers)
      expect(createHash('sha256').update(body).digest('hex')).toBe(sum.copy().digest('hex'));
    expect(outcomeOf(await through())).not.toBe('HIT');
  });

  it('shows no truncated body as whole, and stores none', async () => {
    origin.answerBy((response, _hit, count) => {
      if (count > 1) return void response.writeHead(200, { 'cache-control': 'max-age=60' }).end('whole');
      response.writeHead(200, { 'content-length': '100', 'cache-control': 'max-age=60' }).write('half');
      setTimeout(() => response.destroy(), 20);
    });
    const broken = await through().catch((error: unknown) => error as Error);
    expect(broken instanceof Error || broken.status === 502).toBe(true);
    expect((await through()).body.toString()).toBe('whole');
  });

  it('stops asking when the last client has gone', async () => {
    origin.answerBy((response, { url }) => {
      if (url.includes('-other-')) response.end('ok');
    });
    // Answered after all that reached the service before it was seen.
    const answered = async (what: string) =>
      expect((await request(`${service.url}${BASE}${path}-other-${what}`)).status).toBe(200);
    const clients = [1, 2].map(() => {
      const client = get(`${service.url}${BASE}${path}`);
      client.on('error', () => undefined);
      return client;
    });
    await waitUntil(() => origin.hits.length === 1, { what: 'the call' });
    await answered('asked');
    clients[0]!.destroy();
    await answered('gone');
    expect(origin.aborted).toBe(0);
    clients[1]!.destroy();
    await waitUntil(() => origin.aborted === 1, { what: 'the end of the call' });
  });

  it('lets no field pass that could change an answer unseen', async () => {
    origin.answerBy((response, { rawHeaders }) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(JSON.stringify(rawHeaders));
    });
    const hostile = {
      'x-forwarded-host': 'evil.example',
      'x-original-url': '/admin',
      'x-http-method-override': 'DELETE',
      cookie: 'session=1',
      'proxy-authorization': 'Basic eA==',
      te: 'trailers',
      connection: 'x-hop, close',
      'x-hop': '1',
    };
    const { body } = await through({ headers: hostile });
    expect(body.toString()).not.toMatch(/evil|x-original|override|session|proxy-auth|trailers|x-hop/i);
  });

  it.each([
    ['/../admin', 400],
    ['/a/../../b', 400],
    ['/%2e%2e/b', 400],
    ['/a%00b', 400],
    ['/a%0d%0ab', 400],
    ['/a%5cb', 400],
    ['/a%zz', 400],
    [`/${'a'.repeat(9_000)}`, 400],
    ['/a?access_token=ghp_x', 400],
    ['/a/./b', 200],
    ['/a%2fb', 200],
    ['/a//b', 200],
    ['/a;x=y', 200],
  ])('takes the target %s with %d', async (target, status) => {
    origin.answerBy((response) => response.end('ok'));
    const { port } = service;
    const answer = await rawRequest(port, `GET ${BASE}${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    expect(Number(/^HTTP\/1.1 (\d+)/.exec(answer.toString())?.[1])).toBe(status);
    expect(origin.hits).toHaveLength(status === 200 ? 1 : 0);
  });

  it('takes a target in absolute form as its path, on the fast path too, and its host for the Host field', async () => {
    const link = `<${origin.url}/next>; rel="next"`;
    origin.answerBy((response) => response.writeHead(200, { 'cache-control': 'max-age=60', link }).end('ok'));
    const path = `${BASE}/absolute?b=1`;
    const answerTo = async (target: string, version = '1.1', host = 'host: stranger.example\r\n'): Promise<string> =>
      (await rawRequest(service.port, `GET ${target} HTTP/${version}\r\n${host}connection: close\r\n\r\n`)).toString();
    const outcomes: unknown[] = [];
    const note = (answer: string): void => {
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
      const field = (name: string): string | undefined => new RegExp(`\r\n${name}: (.*)`, 'i').exec(answer)?.[1];
      outcomes.push([status, field('x-cache'), /key="(.*?)"/.exec(field('cache-status') ?? '')?.[1], field('link')]);
    };
    const linkAt = (host: string): string => `<http://${host}${BASE}/next>; rel="next"`;
    const key = `github:-:${path.slice(BASE.length)}`;
    note(await answerTo(`http://larder.example${path}`));
    for (let times = 0; times < 3; times++) {
      note(await answerTo(`http://larder.example${path}`));
      note(await answerTo(`HTTPS://Other.example:81${path}`));
      note(await answerTo(path));
    }
    note(await answerTo(`http://[::1]${path}`, '1.0', ''));
    const hits = ['larder.example', 'Other.example:81', 'stranger.example'].map((host) => [
      '200',
      'HIT',
      key,
      linkAt(host),
    ]);
    expect(outcomes).toEqual([
      ['200', 'MISS', key, linkAt('larder.example')],
      ...[...hits, ...hits, ...hits],
      ['200', 'HIT', key, linkAt('[::1]')],
    ]);
    expect(origin.hits).toHaveLength(1);
  });

  it.each([
    ['GET http://user:x@evil.example/github/a HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400/],
    ['GET ftp://evil.example/github/a HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400/],
    ['GET http:///github/a HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400/],
    ['GET http://x/github/a HTTP/1.1\r\nhost: x\r\nhost: x', /^HTTP\/1\.1 400/],
    ['GET ftp://evil.example HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400[^]*neither a path nor an http or https URL/],
    ['GET a/b HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400[^]*neither a path nor an http or https URL/],
    ['GET * HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 400[^]*neither a path nor an http or https URL/],
    ['OPTIONS * HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 204[^]*allow: GET, HEAD, POST/i],
    ['OPTIONS http://x HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 204[^]*allow: GET, HEAD, POST/i],
    ['OPTIONS http://x/ HTTP/1.1\r\nhost: x', /^HTTP\/1\.1 405[^]*allow: GET, HEAD/i],
    ['CONNECT evil.example:80 HTTP/1.1\r\nhost: evil.example:80', /^(?!HTTP\/1\.1 2)/],
    ['GET /github/a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked', /^HTTP\/1\.1 400/],
    ['GET /github/a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4', /^HTTP\/1\.1 400/],
    ['GET /github/a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\nauthorization: Bearer b', /^HTTP\/1\.1 400/],
    ['GET /github/a HTTP/1.1\r\nhost: x\r\nx-a : b', /^HTTP\/1\.1 400/],
  ])('refuses %j', async (head, expected) => {
    origin.answerBy((response) => response.end('ok'));
    const answer = await rawRequest(service.port, `${head}\r\nconnection: close\r\n\r\n`);
    expect(answer.toString()).toMatch(expected);
    expect(origin.hits).toHaveLength(0);
  });

  it('hands on methods, bodies and statuses it does not know', async () => {
    origin.answerBy((response, { method, body }) => response.writeHead(299, { 'x-method': method }).end(body));
    const sent = randomBytes(3_000_000);
    const answer = await through({ method: 'REPORT', headers: { 'content-type': 'application/x-odd' }, body: sent });
    expect([answer.status, answer.headers['x-method'], answer.body.equals(sent)]).toEqual([299, 'REPORT', true]);
  });

  it('answers with a problem where there is nothing else to say', async () => {
    const only = await through({ headers: { 'cache-control': 'only-if-cached' } });
    expect([only.status, (JSON.parse(only.body.toString()) as { code: string }).code]).toEqual([504, 'not-cached']);
    expect(only.headers['cache-status']).toMatch(/^larder; key="[^"]+"; detail=ERROR:not-cached$/);
    origin.answerBy((response) => response.destroy());
    const broken = await through();
    expect([broken.status, broken.headers['content-type']]).toEqual([502, expect.stringContaining('problem+json')]);
    expect(broken.headers['cache-status']).toMatch(
      /^larder; fwd=miss; key="[^"]+"; detail=ERROR:upstream-unreachable$/,
    );
    const written = await through({ method: 'PUT', body: Buffer.from('{}') });
    expect(written.headers['cache-status']).toMatch(/^larder; fwd=method; key="[^"]+"; detail=ERROR:upstream-\w+$/);
  });
});
