import type { OutgoingHttpHeaders } from 'node:http';
import { createHmac, randomUUID } from 'node:crypto';
import type { OriginScript } from '../support/scripted-origin';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask } from './ask';
import { BASE, Hostilities, newPath, statusesOf, TOKEN_MARK, WEBHOOK_SECRET } from './hostile';

const A = `Bearer ${TOKEN_MARK}a`;
const B = `Bearer ${TOKEN_MARK}b`;

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

/** Says to everybody who they are, and lets everybody keep it: the worst there is. */
const whoAmI: OriginScript = (response, { headers }) => {
  const who = headers.authorization ?? 'nobody';
  const etag = `"${Buffer.from(who).toString('hex')}"`;
  const fields = { 'cache-control': 'public, max-age=60', etag };
  if (headers['if-none-match'] === etag) response.writeHead(304, fields).end();
  else response.writeHead(200, fields).end(who);
};

describe('the gateway gives no caller the response of another', () => {
  let attacked: Hostilities;
  let path: string;
  const as = async (authorization: string | undefined, more: OutgoingHttpHeaders = {}, at = path) => {
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...more };
    const { status, headers: fields, body } = await attacked.through(at, { headers });
    return { status, etag: fields.etag, body: body.toString() };
  };

  beforeAll(async () => {
    attacked = await Hostilities.start();
  });
  beforeEach(() => {
    path = newPath();
    attacked.origin.answerBy(whoAmI);
  });
  afterAll(async () => {
    await attacked.stop();
  });

  it.each([
    [[A, B, undefined]],
    [[undefined, A, B]],
    [[B, undefined, A]],
    [['Bearer x', 'Bearer X', 'Basic x', 'x', 'Bearer x,Bearer x', '-', 'null', basic('alice:x'), basic('bob:x')]],
  ])('in any order of requests: %j', async (callers) => {
    for (let times = 0; times < 2; times++)
      for (const caller of callers) expect((await as(caller)).body).toBe(caller ?? 'nobody');
    expect(attacked.origin.hits).toHaveLength(callers.length);
  });

  it('but one token is one caller, however it is written', async () => {
    const token = `${TOKEN_MARK}one`;
    const written = [
      ...[`Bearer ${token}`, `token ${token}`, `BEARER ${token}`, `Bearer   ${token}`],
      ...[`x-access-token:${token}`, `${token}:x-oauth-basic`, `alice:${token}`, `${token}:`].map(basic),
    ];
    for (const one of written) expect((await as(one)).body).toBe(written[0]);
    expect(attacked.origin.hits).toHaveLength(1);
    expect((await as(undefined)).body).toBe('nobody');
  });

  it('when all ask at once', async () => {
    const held: (() => void)[] = [];
    attacked.origin.answerBy((...asked) => {
      held.push(() => whoAmI(...asked));
      if (held.length === 3) for (const answer of held) answer();
    });
    const callers = Array.from({ length: 60 }, (_, at) => [A, B, undefined][at % 3]);
    const answers = await Promise.all(callers.map((caller) => as(caller)));
    expect(answers.map(({ body }) => body)).toEqual(callers.map((caller) => caller ?? 'nobody'));
    expect(attacked.origin.hits).toHaveLength(3);
  });

  it('for the entity tag of another', async () => {
    const { etag: tagOfA } = await as(A);
    const { etag: tagOfNobody } = await as(undefined);
    for (let times = 0; times < 2; times++) {
      expect(await as(undefined, { 'if-none-match': tagOfA })).toMatchObject({ status: 200, body: 'nobody' });
      expect(await as(B, { 'if-none-match': `${tagOfA}, ${tagOfNobody}` })).toMatchObject({ status: 200, body: B });
      expect(await as(A, { 'if-none-match': tagOfA })).toMatchObject({ status: 304, body: '' });
    }
  });

  it('for a range, a HEAD or only-if-cached', async () => {
    await as(A);
    expect((await as(undefined, { range: 'bytes=0-99' })).body).toBe('nobody');
    expect((await as(undefined, { 'cache-control': 'only-if-cached' })).status).toBe(504);
    const head = await attacked.through(path, { method: 'HEAD' });
    expect(head.headers.etag).toBe(`"${Buffer.from('nobody').toString('hex')}"`);
  });

  it.each([
    '/user/nonexistent.css',
    '/user%2f..%2fx.js',
    '/user;.png',
    '/user/x.css?v=1',
    '/user%00.css',
    '/user/../y.ico',
  ])('under a name that looks public: %s', async (name) => {
    const target = `${BASE}${path}${name}`;
    const own = await attacked.rawGet(target, [`authorization: ${A}`]);
    const others = await Promise.all([attacked.rawGet(target), attacked.rawGet(target, [`authorization: ${B}`])]);
    expect(statusesOf(own)).toEqual([/%00|%2f\.\./.test(name) ? 400 : 200]);
    for (const other of others) expect(other).not.toContain(`${TOKEN_MARK}a`);
  });

  it.each([
    ['authorization: Bearer ghp_attacker_a', 'authorization: Bearer ghp_attacker_b'],
    ['authorization: Bearer ghp_attacker_a', 'Authorization: Bearer ghp_attacker_a'],
    ['authorization: ', 'AUTHORIZATION: Bearer ghp_attacker_a'],
  ])('and refuses two credentials: %s, %s', async (...lines) => {
    const answer = await attacked.rawGet(`${BASE}${path}`, lines);
    expect(statusesOf(answer)).toEqual([400]);
    expect(answer).not.toContain(TOKEN_MARK);
    expect(attacked.origin.hits).toHaveLength(0);
  });

  it.each([
    'connection: authorization, close',
    'connection: close\r\nconnection: authorization',
    'proxy-connection: authorization',
  ])('and does not lose a credential to %j', async (line) => {
    expect(await attacked.rawGet(`${BASE}${path}`, [`authorization: ${A}`, line])).toContain(A);
    expect((await as(undefined)).body).toBe('nobody');
  });

  it('and does not lose a credential behind thousands of fields', async () => {
    const lines = Array.from({ length: 2_500 }, () => 'x:');
    const answer = await attacked.rawGet(`${BASE}${path}`, [...lines, `authorization: ${A}`]);
    if (statusesOf(answer)[0] === 200) expect(answer).toContain(A);
    else expect(statusesOf(answer)).toEqual([431]);
  });

  it('and refuses a token in the query, whatever the query is called', async () => {
    const plain = [
      'access_token',
      'Access_Token',
      'access%5ftoken',
      'oauth_token',
      'client_secret',
      'token',
      'ToKeN',
      'jwt',
    ];
    const others = [
      'access_token[]',
      'access_token%5B%5D',
      'auth[token]',
      'access%255Ftoken',
      'private_token',
      'apiKey',
    ];
    for (const name of [...plain, ...others])
      for (const separator of ['&', ';']) {
        const answer = await attacked.through(`${path}?a=b${separator}${name}=${TOKEN_MARK}q`);
        expect([name, answer.status, answer.headers['content-type']]).toEqual([
          ...[name, 400, expect.stringContaining('application/problem+json')],
        ]);
        expect(JSON.stringify([answer.rawHeaders, answer.body.toString()])).not.toContain(TOKEN_MARK);
        expect(answer.body.toString()).toMatch(/send credentials in the Authorization field/);
      }
    const written = `ghp_${'attacker1'.repeat(4)}`; // a token by its form, whatever the parameter is called
    for (const target of [`${path}?q=${written}`, `${path}/${written}`])
      expect((await as(undefined, {}, target)).status).toBe(400);
    expect(attacked.origin.hits).toHaveLength(0);
    expect(await attacked.shown()).not.toMatch(/attacker1/);
  });

  it('and sends an anonymous request for a client with a cookie, a proxy’s or an empty credential', async () => {
    for (const field of ['cookie', 'proxy-authorization', 'x-authorization', 'x-api-key', 'private-token'])
      expect((await as(undefined, { [field]: `${TOKEN_MARK}c` })).body).toBe('nobody');
    expect(JSON.stringify(attacked.origin.hits)).not.toContain(TOKEN_MARK);
  });

  it('keeps a caller who goes away from taking the others’ load along', async () => {
    const held: (() => void)[] = [];
    attacked.origin.answerBy((...asked) => {
      held.push(() => whoAmI(...asked));
    });
    const leaving = new AbortController();
    const left = attacked.through(path, { headers: { authorization: A }, signal: leaving.signal }).catch(() => 'left');
    const staying = as(A);
    const other = as(B);
    await waitUntil(() => held.length === 2, { what: 'a load for each' });
    leaving.abort();
    expect(await left).toBe('left');
    for (const answer of held) answer();
    expect([(await staying).body, (await other).body]).toEqual([A, B]);
  });

  const polluting = [
    '{"__proto__":{"keys":["x"],"isAdmin":true}}',
    '{"keys":["x"],"__proto__":{"mode":"stale"}}',
    '{"keys":["x"],"constructor":{"prototype":{"mode":"stale"}}}',
    '{"keys":["x"],"\\u005f_proto__":{}}',
    '{"keys":{"__proto__":["x"]}}',
    '{"keys":["x"],"mode":"__proto__"}',
    `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
  ];
  it.each(polluting)('takes no prototype by the admin’s JSON: %.60s', async (body) => {
    const headers = { ...ADMIN, 'content-type': 'application/json' };
    const answer = await ask(attacked.service, '/admin/cache/invalidations', { method: 'POST', headers, body });
    expect([answer.status, answer.json['code']]).toEqual([400, 'request-invalid']);
  });

  it.each([
    '{"__proto__":{"repository":{"full_name":"redis/redis"}}}',
    '{"constructor":{"prototype":{"x":1}},"repository":{"__proto__":{"owner":{"login":"x"}}}}',
    '{"repository":{"full_name":"__proto__/constructor","owner":{"login":"__proto__"}}}',
    '{"repository":{"full_name":{"toString":1},"owner":[]}}',
    'null',
    '[]',
    '"x"',
  ])('takes no prototype by a webhook: %s', async (body) => {
    await as(undefined, {}, '/repos/redis/redis');
    const before = attacked.origin.hits.length;
    const answer = await ask(attacked.service, '/webhooks/github', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'repository',
        'x-github-delivery': randomUUID(),
        'x-hub-signature-256': `sha256=${createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex')}`,
      },
      body,
    });
    expect([202, 400]).toContain(answer.status);
    expect(answer.json['invalidated'] ?? 0).toBe(0);
    await as(undefined, {}, '/repos/redis/redis');
    expect(attacked.origin.hits).toHaveLength(before);
  });

  it('stays healthy, and shows no token', async () => {
    expect(await ask(attacked.service, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
    const shown = await attacked.shown();
    expect(shown).not.toContain(TOKEN_MARK);
    for (const token of [A, B]) expect(shown).not.toContain(Buffer.from(token).toString('base64'));
    expect(attacked.service.stderr()).toBe('');
  });
});
