import { waitUntil } from '../support/wait-until';
import { BASE, Hostilities, newPath, reflect, statusesOf } from './hostile';

const CRLF = '\r\n';

/** One field of an answer, or undefined; the last of several. */
function fieldOf(answer: string, name: string): string | undefined {
  const head = answer.slice(0, answer.indexOf(CRLF + CRLF)).split(CRLF);
  return head
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .at(-1)
    ?.slice(name.length + 1)
    .trim();
}

describe.each(['default', 'rfc'])('a hop of HTTP, in the profile %s,', (profile) => {
  let hop: Hostilities;
  let path: string;
  const send = (...lines: readonly string[]): Promise<string> =>
    hop.raw(Buffer.from([...lines, '', ''].join(CRLF), 'latin1'));
  const answerWith = (...lines: readonly string[]): void =>
    hop.origin.answerBy((response) => void response.socket!.end(Buffer.from(lines.join(CRLF), 'latin1')));

  beforeAll(async () => {
    hop = await Hostilities.start('', { GATEWAY_PROFILE: profile });
  });
  beforeEach(() => {
    path = newPath();
    hop.origin.answerBy(reflect);
  });
  afterAll(async () => {
    await hop.stop();
  });

  it.each([
    ...['Host: a b', 'Host: a/b', 'Host: a,b', 'Host: a@b', 'Host: a:xyz', 'Host: "><x>', 'Host: a?b', 'Host: a#b'],
    ...['Host: [::1', 'Host: a:1:2', 'Host: a%zz', 'Host: a\r\nHost: b', 'Host: a\r\nhOST: a'],
  ])('refuses %j on every route', async (host) => {
    for (const target of [`${BASE}${path}`, '/health/live', '/repos/redis'])
      expect(statusesOf(await send(`GET ${target} HTTP/1.1`, host, 'Connection: close'))).toEqual([400]);
    expect(hop.origin.hits).toHaveLength(0);
  });

  it.each(['a', 'A.example:80', 'a_b.example', '127.0.0.1:8080', '[::1]:8080', 'xn--4ca.example', 'a:', ''])(
    'takes Host: %s',
    async (host) => {
      expect(statusesOf(await send('GET /health/live HTTP/1.1', `Host: ${host}`, 'Connection: close'))).toEqual([200]);
    },
  );

  it('sends a client without a host a path in Location', async () => {
    hop.origin.answerBy((response) => response.writeHead(302, { location: `${hop.origin.url}/there` }).end());
    expect(fieldOf(await send(`GET ${BASE}${path} HTTP/1.0`), 'location')).toBe('/github/there');
    expect(fieldOf(await hop.rawGet(`${BASE}${path}`), 'location')).toBe('http://larder/github/there');
  });

  it('leads inside by a path of the API, except in the profile that leaves it unchanged', async () => {
    hop.origin.answerBy((response) => response.writeHead(302, { location: '/there' }).end());
    const expected = profile === 'rfc' ? '/there' : 'http://larder/github/there';
    expect(fieldOf(await hop.rawGet(`${BASE}${path}`), 'location')).toBe(expected);
  });

  it('adds itself to the hops that a request has come by, in its version', async () => {
    await send(`POST ${BASE}${path} HTTP/1.0`, 'Via: 1.0 fred, 1.1 p.example', 'Content-Length: 0');
    expect(hop.origin.hits[0]!.headers.via).toBe('1.0 fred, 1.1 p.example, 1.0 larder');
    await send(`GET ${BASE}${path} HTTP/1.1`, 'Host: x', 'Via: 1.0 fred', 'Connection: close');
    expect(hop.origin.hits[1]!.headers.via).toBe(
      profile === 'rfc' ? '1.0 fred, 1.1 larder' : '1.0 unnamed, 1.1 larder',
    );
  });

  it('adds itself to the hops that an answer has come by, in its version', async () => {
    answerWith('HTTP/1.0 200 OK', 'Via: 1.0 fred', 'Cache-Control: max-age=60', 'Content-Length: 2', '', 'ok');
    for (let times = 0; times < 2; times++) {
      const { rawHeaders } = await hop.through(path);
      expect(rawHeaders.filter((_text, at) => rawHeaders[at - 1]?.toLowerCase() === 'via')).toEqual([
        ...['1.0 fred', '1.0 larder'],
      ]);
    }
    expect(hop.origin.hits).toHaveLength(1);
  });

  it.each(['OPTIONS', 'TRACE'])('answers %s itself if it may go no further, and counts it else', async (method) => {
    const ask = (value: string) =>
      send(`${method} ${BASE}${path} HTTP/1.1`, 'Host: x', `Max-Forwards: ${value}`, 'Connection: close');
    const answer = await ask('0');
    expect([statusesOf(answer), fieldOf(answer, 'allow')]).toEqual([
      [method === 'TRACE' ? 405 : 204],
      expect.stringContaining('PATCH'),
    ]);
    expect(hop.origin.hits).toHaveLength(0);
    await ask('5');
    expect(hop.origin.hits.map(({ headers }) => headers['max-forwards'])).toEqual(['4']);
  });

  it('takes no body in a coding it does not know', async () => {
    const body = `3${CRLF}abc${CRLF}0${CRLF}`;
    for (const target of [`${BASE}${path}`, '/admin/cache/invalidations'])
      expect(
        statusesOf(
          await send(
            `POST ${target} HTTP/1.1`,
            ...['Host: x', 'Transfer-Encoding: gzip, chunked', 'Connection: close', '', body],
          ),
        ),
      ).toEqual([501]);
    expect(hop.origin.hits).toHaveLength(0);
  });

  it.each(['gzip, chunked', 'gzip', 'chunked, chunked'])('hands on no answer in %s', async (coding) => {
    answerWith(`HTTP/1.1 200 OK`, `Transfer-Encoding: ${coding}`, '', '5', 'hello', '0', '', '');
    expect((await hop.through(path)).status).toBe(502);
  });

  it('takes a word that is no coding for none, and does not hand it on', async () => {
    answerWith('HTTP/1.1 200 OK', 'Transfer-Encoding: word', '', 'hello');
    const { status, headers, body } = await hop.through(path);
    expect([status, headers['transfer-encoding'], body.toString()]).toEqual([200, undefined, 'hello']);
  });

  it('gives no length to a response without content', async () => {
    answerWith('HTTP/1.1 204 No Content', 'Cache-Control: max-age=60', 'Content-Length: 0', '', '');
    for (const method of ['GET', 'HEAD', 'GET', 'POST'])
      expect([method, (await hop.through(path, { method })).headers['content-length']]).toEqual([method, undefined]);
  });

  it('dates an answer that has no date by its coming', async () => {
    answerWith('HTTP/1.1 200 OK', 'Cache-Control: max-age=60', 'Content-Length: 2', '', 'ok');
    const { headers } = await hop.through(path);
    expect(headers.date).toMatch(/GMT$/);
    await waitUntil(async () => Number((await hop.through(path)).headers.age) >= 1, { what: 'a second to pass' });
    expect((await hop.through(path)).headers.date).toBe(headers.date);
    expect(hop.origin.hits).toHaveLength(1);
  });

  it('removes what a write names in another spelling', async () => {
    const fields = { 'cache-control': 'max-age=60' };
    const spellings = [
      ['%7Ea', '~a'],
      ['a%2fb', 'a%2Fb'],
      ['a|b', 'a%7Cb'],
    ] as const;
    for (const [told, asked] of spellings) {
      hop.origin.answerBy((response) => response.writeHead(200, { ...fields, location: `${path}/${told}` }).end('ok'));
      await hop.through(`${path}/${asked}`);
      await hop.through(`${path}/other`, { method: 'POST' });
      await hop.through(`${path}/${asked}`);
      expect(hop.origin.hits.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET']);
    }
  });
});

describe('a page of another origin', () => {
  const PREFLIGHT = {
    origin: 'https://app.example',
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,x-github-api-version',
  };

  it('may use the API through the gateway, write and read its fields', async () => {
    const hop = await Hostilities.start('', { GITHUB_FORWARD_HEADERS: 'X-Mine' });
    const { status, headers } = await hop.through('/repos/a/b', { method: 'OPTIONS', headers: PREFLIGHT });
    expect([status, headers['access-control-allow-methods'], headers['access-control-allow-origin']]).toEqual([
      ...[204, 'GET, HEAD, POST, PUT, PATCH, DELETE', '*'],
    ]);
    expect(headers['access-control-allow-headers']).toMatch(/Authorization, .*X-GitHub-Api-Version.*, X-Mine/);
    expect(hop.origin.hits).toHaveLength(0);
    hop.origin.answerBy((response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', 'access-control-expose-headers': 'X-Theirs' }).end();
    });
    for (let times = 0; times < 3; times++)
      expect((await hop.through('/x')).headers['access-control-expose-headers']).toBe('X-Theirs, *');
    await hop.stop();
  });

  it('asks the origin in the strict profile', async () => {
    const hop = await Hostilities.start('', { GATEWAY_PROFILE: 'rfc' });
    hop.origin.answerBy((response) => response.writeHead(204, { 'access-control-allow-methods': 'PATCH' }).end());
    const { headers } = await hop.through('/repos/a/b', { method: 'OPTIONS', headers: PREFLIGHT });
    expect([hop.origin.hits.length, headers['access-control-allow-methods']]).toEqual([1, 'PATCH']);
    await hop.stop();
  });
});
