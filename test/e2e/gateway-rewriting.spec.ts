import { pipeline, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const SECRET = { CREDENTIAL_SECRET: 'a-secret-of-the-tests', ADMIN_TOKEN: 'test-admin-token' };
const [ONE, TWO] = [{ host: 'one.example' }, { host: 'two.example' }];
const CALLER = { authorization: 'Bearer ghp_owner_secret' };
/** A list of 20 MB, as its items. */
const ITEMS = 100_000;

describe('a gateway that rewrites bodies', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  const get = async (path: string, headers: Record<string, string> = ONE, on = service) => {
    const answer = await request(`${on.url}${path}`, { headers });
    return { ...answer, text: answer.body.toString() };
  };
  const repository = (base: string, uploads = `${base}/api/uploads`) =>
    JSON.stringify({
      url: `${base}/repos/o/r`,
      commits_url: `${base}/repos/o/r/commits{/sha}`,
      upload_url: `${uploads}/repos/o/r/releases/1/assets{?name,label}`,
      html_url: 'https://github.com/o/r',
      body: `${origin.url}/repos/o/r is meant`,
      text: `see "url": "${origin.url}/x"`,
    });
  const itemOf = (base: string, at: number) =>
    JSON.stringify({ id: at, url: `${base}/items/${at}`, text: 'x'.repeat(150) });

  function* itemsOf(base: string): Iterable<string> {
    for (let at = 0; at < ITEMS; at++) yield `${at === 0 ? '[' : ','}${itemOf(base, at)}${at === ITEMS - 1 ? ']' : ''}`;
  }

  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response, { url, method, headers }) => {
      const etag = method === 'GET' && url !== '/large' ? { etag: '"e1"' } : {};
      const json = { 'cache-control': 'max-age=600', 'content-type': 'application/json; charset=utf-8', ...etag };
      if (headers['if-none-match'] === '"e1"') return void response.writeHead(304, json).end();
      if (method === 'PATCH') {
        const isSame = headers['if-match'] === '"e1"';
        return void response.writeHead(isSame ? 200 : 412, json).end(repository(origin.url, 'https://up.example'));
      }
      if (url === '/no-gzip')
        return void response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end('no gzip');
      if (url === '/meta') return void response.writeHead(200, json).end('{"domains":{}}');
      if (url === '/large') {
        response.writeHead(200, { ...json, 'cache-control': 'no-store' });
        return void pipeline(Readable.from(itemsOf(origin.url)), response, () => undefined);
      }
      if (url.startsWith('/endless')) {
        const coding: Record<string, string> = url === '/endless-gzip' ? { 'content-encoding': 'gzip' } : {};
        response.writeHead(200, { ...json, 'cache-control': 'no-store', ...coding });
        const [start] = url === '/endless-gzip' ? [gzipSync(JSON.stringify('x'.repeat(200_000)))] : ['["'];
        return void response.write(start.slice(0, 100));
      }
      const text = repository(origin.url, 'https://up.example');
      if (headers['accept-encoding'] !== 'gzip') return void response.writeHead(200, json).end(text);
      response.writeHead(200, { ...json, vary: 'accept-encoding', 'content-encoding': 'gzip' }).end(gzipSync(text));
    });
    const env = { GITHUB_API_URL: origin.url, GITHUB_UPLOADS_URL: 'https://up.example', GITHUB_REWRITE_BODIES: 'true' };
    service = await ServiceProcess.start({ env: { ...SECRET, ...env } });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it('names the API as each client does, on a miss, on the slow path and on the fast one', async () => {
    for (const headers of [ONE, ONE, ONE, TWO, TWO, ONE, { ...TWO, 'accept-encoding': 'gzip' }]) {
      const base = `http://${headers.host}/github`;
      const { text, headers: fields } = await get('/github/repos/o/r', headers);
      expect(text).toBe(repository(base));
      // Unpacked on its way, its length is not known before its end.
      const length = 'accept-encoding' in headers ? undefined : String(text.length);
      expect([fields['content-length'], fields['content-encoding']]).toEqual([length, undefined]);
      const alias = await get('/api/v3/repos/o/r', headers);
      expect(alias.text).toBe(repository(`http://${headers.host}/api/v3`));
    }
    expect(origin.hits).toHaveLength(2); // the second without gzip
  });

  it('validates by its own entity tags, those of one address alone', async () => {
    const path = '/github/repos/o/tags';
    const [one, two] = [await get(path, ONE), await get(path, TWO)];
    const [tag, other] = [String(one.headers['etag']), String(two.headers['etag'])];
    expect([tag === other, tag === '"e1"']).toEqual([false, false]);
    const statusOf = async (tags: string, headers: Record<string, string> = ONE) =>
      (await get(path, { ...headers, 'if-none-match': tags })).status;
    expect([await statusOf(tag), await statusOf(`"x", W/${tag}`), await statusOf(other, TWO)]).toEqual([304, 304, 304]);
    expect([await statusOf('"e1"'), await statusOf(other), await statusOf(tag, TWO)]).toEqual([200, 200, 200]);
    const validated = await get(path, { ...ONE, 'if-none-match': tag, 'cache-control': 'no-cache' });
    expect([validated.status, validated.headers['etag']]).toEqual([304, tag]);
    const part = await get(path, { ...ONE, range: 'bytes=1-5', 'if-range': tag });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([
      206,
      one.text.slice(1, 6),
      `bytes 1-5/${one.text.length}`,
    ]);
    expect((await get(path, { ...ONE, range: 'bytes=1-5', 'if-range': '"e1"' })).status).toBe(200);
  });

  it('takes no date for one of the bodies that it has made', async () => {
    const since = { 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() };
    const path = '/github/repos/o/dates';
    for (const headers of [since, since, { ...since, 'cache-control': 'no-cache' }])
      expect((await get(path, { ...ONE, ...headers })).status).toBe(200);
  });

  it('answers 502 for a body that is not in its Content-Encoding', async () => {
    const { status, headers, text } = await get('/github/no-gzip');
    expect([status, headers['cache-status'], JSON.parse(text)]).toEqual([
      ...[502, expect.stringContaining('upstream-invalid'), expect.objectContaining({ code: 'upstream-invalid' })],
    ]);
  });

  it('sends the conditions of a write as the API knows them, and rewrites its answer', async () => {
    const { headers } = await get('/github/repos/o/write', { ...ONE, ...CALLER });
    const write = (tag: string) =>
      request(`${service.url}/github/repos/o/write`, {
        ...{ method: 'PATCH', body: '{}' },
        headers: { ...ONE, ...CALLER, 'if-match': tag },
      });
    const done = await write(String(headers['etag']));
    expect([done.status, done.body.toString()]).toEqual([200, repository('http://one.example/github')]);
    expect((await write('"e0"')).status).toBe(412);
  });

  it('streams 20 MB to two hosts at once', async () => {
    const bodies = await Promise.all([ONE, TWO].map((headers) => get('/github/large', headers)));
    for (const [at, { text }] of bodies.entries()) {
      const base = `http://${at === 0 ? 'one' : 'two'}.example/github`;
      expect(text === [...itemsOf(base)].join('')).toBe(true);
    }
  });

  it.each(['/endless', '/endless-gzip'])('stops the response of %s when its client is gone', async (path) => {
    const before = origin.aborted;
    const leaving = new AbortController();
    const answer = await fetch(`${service.url}/github${path}`, { signal: leaving.signal });
    expect(answer.status).toBe(200);
    leaving.abort();
    await waitUntil(() => origin.aborted > before, { what: 'the upstream to be left' });
  });

  it('tells clients of an Enterprise Server its version, at those paths alone', async () => {
    for (let times = 0; times < 3; times++) {
      const meta = await get('/api/v3/meta');
      expect(JSON.parse(meta.text)).toEqual({ installed_version: '3.20.0', domains: {} });
      expect(meta.headers['x-github-enterprise-version']).toBe('3.20.0');
      expect((await get('/api/v3/')).headers['x-github-enterprise-version']).toBe('3.20.0');
      const plain = await get('/github/meta');
      expect([plain.text, plain.headers['x-github-enterprise-version']]).toEqual(['{"domains":{}}', undefined]);
      expect((await get('/api/v3/repos/o/r')).headers['x-github-enterprise-version']).toBeUndefined();
    }
  });

  it('is off by default and in the strict profile', async () => {
    for (const env of [{}, { GITHUB_REWRITE_BODIES: 'true', GATEWAY_PROFILE: 'rfc' }]) {
      const other = await ServiceProcess.start({ env: { ...SECRET, GITHUB_API_URL: origin.url, ...env } });
      try {
        const answer = await get('/github/repos/o/r', ONE, other);
        expect([answer.text, answer.headers['etag']]).toEqual([repository(origin.url, 'https://up.example'), '"e1"']);
        const isStrict = 'GATEWAY_PROFILE' in env;
        const meta = await get('/api/v3/meta', ONE, other);
        expect(meta.status === 404 || meta.text).toBe(isStrict || '{"installed_version":"3.20.0","domains":{}}');
      } finally {
        await other.stop();
      }
    }
  });
});
