import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GithubSimulator } from '../../simulator';
import { headOf } from '../../src/server/http2-fields';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { OwnedProcess } from '../support/owned-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { TlsAuthority } from '../support/tls-authority';
import { waitUntil } from '../support/wait-until';

interface Answer {
  readonly headers: IncomingHttpHeaders & { readonly ':status'?: number };
  readonly body: Buffer;
}

const LARGE_BYTES = 9_000_000;
const { PATH = '', HOME = '' } = process.env;

describe('HTTP/2 on the TLS port (TLS_HTTP2)', () => {
  let github: GithubSimulator;
  let origin: ScriptedOrigin;
  let authority: TlsAuthority;
  let service: OwnedProcess;
  let port: number;
  let ca: Buffer;
  let session: ClientHttp2Session;

  const open = async (): Promise<ClientHttp2Session> => {
    const opened = connect(`https://localhost:${port}`, { ca });
    opened.on('error', () => undefined);
    await once(opened, 'connect');
    return opened;
  };
  /** Rejects for a stream that is reset. */
  const ask = (headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined });
      let fields: IncomingHttpHeaders = {};
      const chunks: Buffer[] = [];
      stream.on('response', (received) => (fields = received));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve({ headers: fields, body: Buffer.concat(chunks) }));
      stream.on('error', reject);
      if (body !== undefined) stream.end(body);
    });
  const overHttp1 = (path: string): Promise<IncomingHttpHeaders> =>
    new Promise((resolve, reject) => {
      httpsRequest({ host: 'localhost', port, path, ca, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.headers));
      })
        .on('error', reject)
        .end();
    });

  beforeAll(async () => {
    [github, authority, port] = await Promise.all([
      GithubSimulator.start({ latencyMs: 0 }),
      TlsAuthority.create(),
      freePort(),
    ]);
    origin = await ScriptedOrigin.start((response, { url }) => {
      if (url.includes('cut')) response.write(Buffer.alloc(70_000, 'x'), () => response.destroy());
      else response.writeHead(200, { 'cache-control': 'max-age=600' }).end(Buffer.alloc(LARGE_BYTES, 'x'));
    });
    ca = readFileSync(authority.caFile);
    const adminPort = await freePort();
    service = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/src/main.js')], {
      cwd: repositoryRoot,
      env: {
        ...{ PATH, HOME, NODE_ENV: 'test', PORT: String(port), GITHUB_API_URL: github.url, TLS_HTTP2: 'true' },
        ...{ STACKEXCHANGE_API_URL: origin.url, CACHE_MAX_ENTRY_BYTES: '10000000' },
        ...{ TLS_CERT_FILE: authority.certFile, TLS_KEY_FILE: authority.keyFile, CLIENT_TIMEOUT_MS: '2500' },
        ...{ ADMIN_TOKEN: 'test-admin-token', ADMIN_PORT: String(adminPort), ADMIN_TLS: 'false' },
      },
    });
    await waitUntil(() => service.output().includes('Listening on'), { what: 'the service' });
    expect(await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()).toContain('larder_'); // ADMIN_TLS=false
    session = await open();
  });
  afterAll(async () => {
    session.destroy();
    service.signal('SIGTERM');
    await service.exited;
    await Promise.all([github.stop(), origin.stop()]);
    authority.remove();
  });

  it('has the responses of HTTP/1.1: misses, hits, conditions, ranges, HEAD, preflights and problems', async () => {
    const path = '/github/users/microsoft/repos?per_page=2';
    const [miss, hit] = [await ask({ ':path': path }), await ask({ ':path': path })];
    expect([miss.headers['x-cache'], hit.headers['x-cache']]).toEqual(['MISS', 'HIT']);
    expect(hit.body).toEqual(miss.body);
    expect(hit.headers['link']).toContain(`<https://localhost:${port}/github/users/microsoft/repos?per_page=2&page=2>`);
    expect(hit.headers).not.toHaveProperty('connection');
    const plain = await overHttp1(path);
    const omit = [
      'connection',
      'keep-alive',
      'date',
      'age',
      'x-request-id',
      'x-response-time',
      'cache-status',
      ':status',
    ];
    const shown = (headers: object) =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => !omit.includes(name)));
    expect(shown(hit.headers)).toEqual(shown(plain));

    const unchanged = await ask({ ':path': path, 'if-none-match': hit.headers.etag });
    expect([unchanged.headers[':status'], unchanged.body.length]).toEqual([304, 0]);
    const part = await ask({ ':path': '/repos/redis', range: 'bytes=0-3' });
    expect(part.headers[':status']).toBe(200);
    const range = () => ask({ ':path': '/repos/redis', range: 'bytes=0-3' });
    await waitUntil(async () => (await range()).headers[':status'] === 206, { what: 'a hit' });
    expect((await range()).body.length).toBe(4);
    const head = await ask({ ':path': path, ':method': 'HEAD' });
    expect([head.headers[':status'], head.body.length, head.headers['content-length']]).toEqual([
      200,
      0,
      hit.headers['content-length'],
    ]);
    const preflight = { ':method': 'OPTIONS', origin: 'https://a.example', 'access-control-request-method': 'GET' };
    expect((await ask({ ...preflight, ':path': path })).headers).toMatchObject({
      ':status': 204,
      'access-control-allow-origin': '*',
    });
    const missing = await ask({ ':path': '/nowhere' });
    expect(missing.headers).toMatchObject({ ':status': 404, 'x-content-type-options': 'nosniff' });
    expect(JSON.parse(missing.body.toString())).toMatchObject({ status: 404 });
  });

  it('answers many streams of one session at once', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, () => ask({ ':path': '/github/users/redis' })));
    expect(new Set(answers.map(({ headers }) => headers[':status']))).toEqual(new Set([200]));
  });

  it('forwards bodies with and without a length, and waits with 100 Continue', async () => {
    const body = JSON.stringify({ query: '{ viewer { login } }', padding: 'x'.repeat(300_000) });
    const post = { ':method': 'POST', ':path': '/github/graphql', 'content-type': 'application/json' };
    const answers = [
      await ask(post, body),
      await ask({ ...post, 'content-length': body.length, te: 'trailers', cookie: ['a=1', 'b=2'] }, body),
    ];
    expect(answers[0]?.headers[':status']).toBe(answers[1]?.headers[':status']);
    const stream = session.request({ ...post, expect: '100-continue' }, { endStream: false });
    await once(stream, 'continue');
    stream.end(body);
    const [response] = (await once(stream, 'response')) as [{ ':status': number }];
    expect(response[':status']).toBe(answers[0]?.headers[':status']);
    stream.resume();
  });

  it.each([
    ['a Host that is not the authority', { ':authority': 'localhost', host: 'other.example' }],
    ['a length that is not the body’s', { ':method': 'POST', 'content-length': '1' }],
    ['a target without a slash', { ':path': 'https://other.example/' }],
    ['a target with a line break', { ':path': '/a HTTP/1.1\r\nx: y' }],
  ])('resets a stream with %s', async (_name, fields) => {
    await expect(
      ask({ ':path': '/repos/redis', ...fields }, 'ab').then(({ headers }) => headers[':status']),
    ).rejects.toThrow();
    if (session.destroyed) session = await open();
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  // node's client does not send them
  it.each([
    ['connection', 'close'],
    ['keep-alive', '5'],
    ['proxy-connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['upgrade', 'h2c'],
    ['te', 'gzip'],
  ])('takes a request with %s: %s for malformed', (name, value) => {
    const head = [':method', 'GET', ':path', '/', ':authority', 'localhost'];
    expect(headOf([...head, name, value], true)).toBe('malformed');
    expect(headOf([...head, 'te', 'trailers'], true)).toMatchObject({ method: 'GET', path: '/' });
  });

  it('knows the case of methods: `get` is not GET', async () => {
    const { headers } = await ask({ ':path': '/repos/redis', ':method': 'get' });
    expect([headers[':status'], headOf([':method', 'delete', ':path', '/'], true)]).toEqual([501, 'not-implemented']);
  });

  it('sends a large answer as it is read, and resets the stream of a client that reads none of it', async () => {
    const large = { ':path': '/stackexchange/large' };
    const [miss, hit] = [await ask(large), await ask(large)];
    expect([miss.body.length, hit.body.length, hit.headers['x-cache']]).toEqual([LARGE_BYTES, LARGE_BYTES, 'HIT']);
    const unread = session.request(large); // no `data` listener: it opens no window
    const error = once(unread, 'error').catch((reason: unknown) => reason);
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
    await error;
    expect(unread.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  it('resets the stream of a body without a length that breaks off: it never looks complete', async () => {
    await expect(ask({ ':path': '/stackexchange/cut' })).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  it('ends a session that opens and resets streams without end (CVE-2023-44487), and the others go on', async () => {
    const path = '/github/users/reset-at-once';
    const flooding = await open();
    const hasEnded = new Promise((resolve) => flooding.once('close', resolve));
    const flood = (): void => {
      for (let at = 0; at < 100 && !flooding.destroyed; at++) {
        const stream = flooding.request({ ':path': path });
        stream.on('error', () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      }
      if (!flooding.destroyed) setTimeout(flood, 1);
    };
    flood();
    await hasEnded;
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
    expect(github.requests.all().filter(({ url }) => url === '/users/reset-at-once').length).toBeLessThan(10);
  });

  it('refuses more streams of a session than it announces, and answers the others', async () => {
    const crowding = await open();
    const outcomes = await Promise.all(
      Array.from(
        { length: 250 },
        () =>
          new Promise<string>((resolve) => {
            const stream = crowding.request({ ':path': '/repos/redis' });
            stream.on('response', ({ ':status': status }) => resolve(String(status)));
            stream.on('error', (error: Error) => resolve(error.message));
            stream.resume();
          }),
      ),
    );
    crowding.destroy();
    expect(outcomes.filter((outcome) => outcome === '200').length).toBeGreaterThanOrEqual(100);
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  it('answers curl --http2', async () => {
    const url = `https://localhost:${port}/repos/redis`;
    const { stdout } = await promisify(execFile)('curl', ['-s', '-i', '--http2', '--cacert', authority.caFile, url], {
      env: { PATH, HOME }, // without the proxies of the machine
    });
    expect(stdout).toMatch(/^HTTP\/2 200/);
  });

  it('drops the request upstream when its stream is reset', async () => {
    const stream = session.request({ ':path': '/github/users/reset-me' });
    stream.close(constants.NGHTTP2_CANCEL);
    await once(stream, 'close');
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  it('ends a stream whose body stops coming with 408, and the session goes on', async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/github/graphql' }, { endStream: false });
    stream.on('error', () => undefined).write('{');
    const [response] = (await once(stream, 'response')) as [{ ':status': number }];
    expect(response[':status']).toBe(408);
    stream.destroy();
    expect((await ask({ ':path': '/repos/redis' })).headers[':status']).toBe(200);
  });

  it.each([
    ['resets its stream', (stream: ClientHttp2Stream) => stream.destroy()],
    ['loses its connection', (stream: ClientHttp2Stream) => stream.session?.destroy()],
  ])('ends no upload of a client that %s: the API does not get a part as the whole', async (_name, leave) => {
    let upload: IncomingMessage | undefined;
    origin.answerBy((response) => (upload = response.req.resume()), { waitsForBody: false });
    const client = await open();
    const stream = client.request({ ':method': 'POST', ':path': '/stackexchange/upload' }, { endStream: false });
    stream.on('error', () => undefined).write(Buffer.alloc(100_000, 'x'));
    await waitUntil(() => upload !== undefined, { what: 'the upload' });
    leave(stream);
    await waitUntil(() => upload?.destroyed === true || upload?.complete === true, { what: 'its end' });
    expect(upload?.complete).toBe(false);
    client.destroy();
  });

  it('says farewell by GOAWAY when the service stops', async () => {
    const goaway = once(session, 'goaway');
    service.signal('SIGTERM');
    const [code] = (await goaway) as [number];
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    expect(await service.exited).toBe(0);
  });
});
