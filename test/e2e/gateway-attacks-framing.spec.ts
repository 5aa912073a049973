import { connect } from 'node:net';
import { ask } from './ask';
import { BASE, Hostilities, newPath, reflect, statusesOf, TOKEN_MARK } from './hostile';

/** What a smuggler hides in a body: if anybody takes it for a request, the origin has seen it. */
const SMUGGLED = `GET ${BASE}/smuggled HTTP/1.1\r\nhost: x\r\nx-y: z\r\n\r\n`;

describe('the gateway frames requests exactly, or not at all', () => {
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

  const expectNothingSmuggled = (): void => {
    expect(attacked.origin.hits.length).toBeLessThanOrEqual(1);
    expect(attacked.origin.hits.map(({ url }) => url)).not.toContain('/smuggled');
  };

  const chunked = 'transfer-encoding: chunked';
  const refused: [string, string[], string][] = [
    ['CL and TE', ['content-length: 4', chunked], `0\r\n\r\n${SMUGGLED}`],
    ['TE and CL', [chunked, 'content-length: 4'], `5c\r\n${SMUGGLED}\r\n0\r\n\r\n`],
    ['TE and CL 0', [chunked, 'content-length: 0'], SMUGGLED],
    ['two CL', ['content-length: 0', `content-length: ${SMUGGLED.length}`], SMUGGLED],
    ['two CL in one', [`content-length: 0, ${SMUGGLED.length}`], SMUGGLED],
    ['a negative CL', ['content-length: -1'], SMUGGLED],
    ['a signed CL', ['content-length: +3'], SMUGGLED],
    ['a hexadecimal CL', ['content-length: 0x3'], SMUGGLED],
    ['a CL with a blank in it', ['content-length: 0 3'], SMUGGLED],
    ['an endless CL', [`content-length: ${'9'.repeat(40)}`], SMUGGLED],
    ['an empty CL', ['content-length:'], SMUGGLED],
    ['a folded CL', ['content-length:', ' 3'], SMUGGLED],
    ['TE: xchunked', ['transfer-encoding: xchunked'], `0\r\n\r\n${SMUGGLED}`],
    ['TE: chunked, identity', ['transfer-encoding: chunked, identity'], `0\r\n\r\n${SMUGGLED}`],
    ['TE: identity', ['transfer-encoding: identity'], SMUGGLED],
    ['two TE, one of them odd', [chunked, 'transfer-encoding: x'], `0\r\n\r\n${SMUGGLED}`],
    ['TE with a blank before the colon', ['transfer-encoding : chunked'], `0\r\n\r\n${SMUGGLED}`],
    ['TE with a tab before the colon', ['transfer-encoding\t: chunked'], `0\r\n\r\n${SMUGGLED}`],
    ['TE with a vertical tab', ['transfer-encoding: \x0bchunked'], `0\r\n\r\n${SMUGGLED}`],
    ['TE in quotes', ['transfer-encoding: "chunked"'], `0\r\n\r\n${SMUGGLED}`],
    ['TE on a folded line', ['x: y', ' transfer-encoding: chunked'], `0\r\n\r\n${SMUGGLED}`],
    ['a name with a null', ['transfer-encoding\x00: chunked'], `0\r\n\r\n${SMUGGLED}`],
    ['a bare CR in a field', [`x: y\rtransfer-encoding: chunked`], `0\r\n\r\n${SMUGGLED}`],
    ['a line without a colon', ['x'], SMUGGLED],
    ['a chunk size that is no number', [chunked], `zz\r\n${SMUGGLED}`],
    ['a huge chunk size', [chunked], `fffffffffffffffff\r\n${SMUGGLED}`],
    ['a negative chunk size', [chunked], `-1\r\n${SMUGGLED}`],
    ['a chunk size with 0x', [chunked], `0x3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk longer than it says', [chunked], `1\r\nabc\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk behind a bare LF', [chunked], `1\na\n0\n\n${SMUGGLED}`],
    ['a chunk extension with a bare LF', [chunked], `1;x\n\r\na\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk extension without end', [chunked], `1;${'x'.repeat(70_000)}\r\na\r\n0\r\n\r\n`],
    ['trailers without end', [chunked], `0\r\nx: ${'x'.repeat(70_000)}\r\n\r\n`],
  ];
  it.each(refused.flatMap(([name, ...rest]) => ['GET', 'POST'].map((method) => [method, name, ...rest] as const)))(
    'and refuses, with %s, %s',
    async (method, _name, lines, body) => {
      const head = [`${method} ${BASE}${path} HTTP/1.1`, 'host: x', ...lines].join('\r\n');
      const answer = await attacked.raw(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'), { timeoutMs: 300 });
      const last = statusesOf(answer).at(-1);
      // What is wrong in a body is known once the head has been answered: then the connection ends without another answer.
      expect([
        undefined,
        400,
        413,
        431,
        501,
        502,
        ...(lines[0] === chunked && lines.length === 1 ? [200] : []),
      ]).toContain(last);
      expect(statusesOf(answer).filter((status) => status === 200).length).toBeLessThanOrEqual(1);
      expectNothingSmuggled();
    },
  );

  it.each([
    ['HTTP/0.9', 'GET /github/x\r\n\r\n'],
    ['HTTP/2.0', 'GET /github/x HTTP/2.0\r\nhost: x\r\n\r\n'],
    ['HTTP/1.2', 'GET /github/x HTTP/1.2\r\nhost: x\r\n\r\n'],
    ['HTTP/11', 'GET /github/x HTTP/11\r\nhost: x\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no Host', 'GET /github/x HTTP/1.1\r\n\r\n'],
    ['bare LF', 'GET /github/x HTTP/1.1\nhost: x\n\n'],
    ['bare CR', 'GET /github/x HTTP/1.1\rhost: x\r\r'],
    ['a tab', 'GET\t/github/x\tHTTP/1.1\r\nhost: x\r\n\r\n'],
    ['lower case', 'get /github/x HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['an unknown method', 'EVIL /github/x HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['TLS', Buffer.from('1603010200010001fc0303', 'hex').toString('latin1')],
    ['noise', '\x00\x01\x02\r\n\r\n'],
    ['a proxy’s line', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET /github/x HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('and refuses %s', async (_name, bytes) => {
    const answer = await attacked.raw(Buffer.from(bytes, 'latin1'), { timeoutMs: 300 });
    for (const status of statusesOf(answer)) expect([400, 404, 405, 501, 505]).toContain(status);
    expect(attacked.origin.hits).toHaveLength(0);
  });

  it.each(['websocket', 'h2c', 'TLS/1.0'])('and upgrades no connection to %s', async (protocol) => {
    const lines = [`upgrade: ${protocol}`, 'connection: upgrade, http2-settings', 'http2-settings: AAMAAABkAAQAAP__'];
    const answer = await attacked.rawGet(`${BASE}${path}`, [...lines, 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==']);
    expect([200, 400, undefined]).toContain(statusesOf(answer)[0]);
    expect(JSON.stringify(attacked.origin.hits)).not.toMatch(/upgrade|websocket|http2|h2c/i);
  });

  it('and hands a body with chunk extensions and trailers on as the body alone', async () => {
    const body = '3;a=b;c="d"\r\nabc\r\n2 \t;e\r\nde\r\n0\r\nauthorization: Bearer ghp_attacker_t\r\nx-evil: y\r\n\r\n';
    const head = `POST ${BASE}${path} HTTP/1.1\r\nhost: x\r\ntrailer: x-evil\r\n${chunked}\r\nconnection: close\r\n\r\n`;
    const answer = await attacked.raw(head + body);
    if (statusesOf(answer)[0] === 200) expect(attacked.origin.hits[0]!.body.toString()).toBe('abcde');
    else expect(statusesOf(answer)).toEqual([400]);
    expect(JSON.stringify(attacked.origin.hits)).not.toMatch(/evil|attacker/);
  });

  it('and waits for no more than one body, however many heads a client has opened', async () => {
    const sockets = Array.from({ length: 50 }, () => connect(attacked.service.port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write(`POST ${BASE}${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345`);
    }
    expect((await attacked.through(`${path}-other`)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    expect(attacked.origin.hits.map(({ url }) => url)).toEqual([`${path}-other`]);
  });

  it.each([
    ['POST', 'content-length: 3', 'abc'],
    ['PUT', 'Content-Length:3', 'abc'],
    ['PATCH', 'Transfer-Encoding:chunked', '3\r\nabc\r\n0\r\n\r\n'],
  ])('and reads the request behind a well-formed %s with %s as the next', async (method, line, body) => {
    const first = `${method} ${BASE}${path} HTTP/1.1\r\nhost: x\r\n${line}\r\n\r\n${body}`;
    const second = `GET ${BASE}${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    expect(statusesOf(await attacked.raw(first + second))).toEqual([200, 200]);
    const hits = attacked.origin.hits.map(({ method: asked, body: sent }) => [asked, sent.toString()]);
    expect(hits).toHaveLength(2);
    expect(hits).toEqual(
      expect.arrayContaining([
        [method, 'abc'],
        ['GET', ''],
      ]),
    );
  });

  it('stays healthy', async () => {
    expect(await ask(attacked.service, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(await attacked.shown()).not.toMatch(new RegExp(`${TOKEN_MARK}|smuggled`));
    expect(attacked.service.stderr()).toBe('');
  });
});
