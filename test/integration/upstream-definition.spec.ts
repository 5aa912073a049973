import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { Upstreams } from '../../src/upstream';
import { request } from '../support/raw-http';
import { FRESH, registry, SECRET, useRegistry } from '../support/registry-upstream';

describe('an upstream that is defined in thirty lines', () => {
  const { under, answer, get, paths, fresh, reopen } = useRegistry();
  const JSON_FIELDS = { accept: 'application/json', 'accept-encoding': 'gzip' };

  it('has a gateway and a client with one entry between them, in either order', async () => {
    const [one, other] = [fresh(), fresh()];
    const bearer = { ...JSON_FIELDS, authorization: 'bearer a-token-of-the-service' };
    expect(await get(`/registry/${one}`, bearer)).toMatchObject({ cache: 'MISS' });
    expect(await under.client.get(`/${one}`)).toMatchObject({ outcome: 'HIT', status: 200 });
    expect((await under.client.get(`/${other}`)).outcome).toBe('MISS');
    const hit = await get(`/registry/${other}`, bearer);
    expect(hit).toMatchObject({
      cache: 'HIT',
      key: expect.stringMatching(new RegExp(`^registry:[\\w-]{16}:/${other}$`)) as string,
    });
    expect(paths()).toEqual([`/api/${one}`, `/api/${other}`]);
    expect(under.origin.hits[1]?.headers).toMatchObject({
      authorization: 'Bearer a-token-of-the-service',
      'user-agent': 'larder-full',
    });
  });

  it('puts parameters into the path of the client, and lets none lead to another', async () => {
    const name = fresh();
    await under.client.get('/:name/:id?version=:version', {
      params: { name: `@scope/${name}`, id: 7, version: '1&2' },
    });
    expect(paths()).toEqual([`/api/@scope%2F${name}/7?version=1%262`]);
    for (const given of [
      '',
      '.',
      '..',
      '../x',
      'a/../../b',
      'a\\b',
      'a\0',
      '..;/',
      '\ud800',
      undefined,
      NaN,
      ['x'],
      {},
    ])
      await expect(under.client.get('/packages/:name', { params: { name: given } })).rejects.toMatchObject({
        code: 'request-invalid',
      });
    expect(under.origin.hits).toHaveLength(1);
  });

  it("takes fields in place of the definition's, in whatever case either has them", async () => {
    const name = fresh();
    const asked = [['Accept', 'text/csv'] as const, ['accept', 'text/csv'] as const, ['ACCEPT', 'text/html'] as const];
    for (const [field, type] of asked) await under.client.get(`/${name}`, { headers: { [field]: type } });
    await get(`/registry/${name}`, { accept: 'text/plain' });
    expect(under.origin.hits.map(({ headers }) => headers.accept)).toEqual(['text/csv', 'text/html', 'text/plain']);
    expect(under.origin.hits.map(({ headers }) => headers['user-agent'])).toEqual(Array(3).fill('larder-full'));
  });

  it('parses the JSON of a stored response once, and protects it from changes', async () => {
    const name = fresh();
    await under.client.get(`/${name}`);
    const [one, other] = await Promise.all([under.client.get(`/${name}`), under.client.get(`/${name}`)]);
    expect(one.json()).toBe(other.json());
    expect(() => Object.assign(one.json<object>(), { downloads: 8 })).toThrow(TypeError);
    const anonymous = await under.client.get(`/${name}`, { as: 'anonymous' });
    expect(anonymous.json()).toMatchObject({ count: 2 });
    expect(under.origin.hits[1]?.headers.authorization).toBeUndefined();
  });

  it('loads once for concurrent requests of the client and the gateway', async () => {
    const name = fresh();
    const asks = Array.from({ length: 100 }, (_, at) =>
      at % 2 === 0 ? under.client.get(`/${name}`, { as: 'anonymous' }) : get(`/registry/${name}`, JSON_FIELDS),
    );
    await Promise.all(asks);
    expect(paths()).toEqual([`/api/${name}`]);
  });

  it('follows redirects below its base, and none that leads away', async () => {
    const [from, to, away] = [fresh(), fresh(), fresh()];
    answer(({ url: asked }) =>
      asked.endsWith(from)
        ? { status: 301, headers: { location: `/api/${to}` } }
        : asked.endsWith(away)
          ? { status: 301, headers: { location: 'http://127.0.0.1:1/api/x' } }
          : {},
    );
    expect((await under.client.get(`/${from}`)).json()).toMatchObject({ path: `/api/${to}` });
    await expect(under.client.get(`/${away}`)).rejects.toMatchObject({ code: 'upstream-invalid' });
  });

  it('follows a redirect with a fragment, which it does not send (RFC 9110 §10.2.2)', async () => {
    const [from, to] = [fresh(), fresh()];
    answer(({ url }) => (url.endsWith(from) ? { status: 301, headers: { location: `/api/${to}#readme` } } : {}));
    expect((await under.client.get(`/${from}`)).status).toBe(200);
    expect(paths()).toEqual([`/api/${from}`, `/api/${to}`]);
  });

  it('reports a redirect to a URL that it cannot ask for as a fault of the API, and shows nothing of it', async () => {
    for (const query of ['password=s3cret-of-a-redirect', 's3cret=%00']) {
      answer(() => ({ status: 302, headers: { location: `/api/x?${query}` } }));
      const failure: unknown = await under.client.get(`/${fresh()}`).catch((error: unknown) => error);
      expect([query, (failure as Error).message]).toEqual([query, expect.stringContaining('redirects to')]);
      expect(inspect(failure)).not.toContain('s3cret');
    }
  });

  it('ignores a byte order mark in front of JSON (RFC 8259 §8.1)', async () => {
    under.origin.answerBy((response) => response.writeHead(200, FRESH).end('\ufeff{"downloads":9}'));
    const name = fresh();
    for (let times = 0; times < 2; times++)
      expect((await under.client.get(`/${name}`)).json()).toEqual({ downloads: 9 });
    expect(JSON.parse((await get(`/downloads/${fresh()}`)).text)).toMatchObject({ downloads: 9 });
  });

  it('reports a body in a coding that it did not ask for as a fault of the API, new and stored', async () => {
    const name = fresh();
    under.origin.answerBy((response) =>
      response.writeHead(200, { ...FRESH, 'content-encoding': 'br' }).end(brotliCompressSync('{}')),
    );
    await expect(under.client.get(`/${name}`)).rejects.toMatchObject({ code: 'upstream-invalid' });
    await get(`/registry/${name}`, JSON_FIELDS);
    expect(await get(`/registry/${name}`, JSON_FIELDS)).toMatchObject({ cache: 'HIT' });
    const stored = under.client.get(`/${name}`, { as: 'anonymous' });
    await expect(stored).rejects.toMatchObject({ code: 'upstream-invalid' });
    expect(paths()).toHaveLength(2);
  });

  it('gives field names of the API that objects have, too, as they came', async () => {
    answer(() => ({ headers: { ...FRESH, constructor: 'x' } }));
    expect((await under.client.get(`/${fresh()}`)).headers['constructor']).toBe('x');
  });

  it('answers no request whose signal has aborted, and goes on for others that wait for the same', async () => {
    const name = fresh();
    const arrived = new Promise<() => void>((resolve) =>
      under.origin.answerBy((response) => resolve(() => response.writeHead(200, FRESH).end('{}'))),
    );
    const leaving = new AbortController();
    const left = under.client.get(`/${name}`, { signal: leaving.signal });
    const waiting = under.client.get(`/${name}`);
    const answer = await arrived;
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'deadline-exceeded' });
    answer();
    expect((await waiting).status).toBe(200);
    const late = under.client.get(`/${name}`, { signal: leaving.signal });
    await expect(late).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect(paths()).toHaveLength(1);
  });

  it.each(['a\r\nNpm-Otp: 1', 'a\0', '€', 5])('sends no field value that is none: %j', async (value) => {
    const headers = { 'npm-command': value as string };
    await expect(under.client.get(`/${fresh()}`, { headers })).rejects.toMatchObject({ code: 'request-invalid' });
    expect(under.origin.hits).toHaveLength(0);
  });

  it('asks each time where a rule says bypass, and reads no body without end', async () => {
    for (let times = 0; times < 2; times++) expect((await under.client.get('/-/ping')).outcome).toBe('BYPASS');
    expect(paths()).toEqual(['/api/-/ping', '/api/-/ping']);
    under.origin.answerBy((response) => response.end(Buffer.alloc(11_000_000)));
    await expect(under.client.get(`/${fresh()}`)).rejects.toMatchObject({ code: 'upstream-too-large' });
  });

  it('gives callers with a forwarded field that looks like a credential a partition of their own', async () => {
    const name = fresh();
    const ask = (key: string) => get(`/registry/${name}`, { 'x-api-key': key });
    const [one, other] = [await ask('s3cret-1'), await ask('s3cret-2')];
    expect([one.cache, other.cache, (await ask('s3cret-1')).cache]).toEqual(['MISS', 'MISS', 'HIT']);
    for (const { key } of [one, other]) expect(key).toMatch(new RegExp(`^registry:[\\w-]{16}:/${name}$`));
    expect(one.key).not.toBe(other.key);
    expect(under.origin.hits.map(({ headers }) => headers['x-api-key'])).toEqual(['s3cret-1', 's3cret-2']);
  });

  it('knows the case of paths, in rules and keys', async () => {
    answer(() => ({ headers: { 'cache-control': 'public, max-age=60' } }));
    const ttlOf = async (path: string) => {
      await get(`/registry${path}`);
      return Number(/ttl=(\d+)/.exec(String((await get(`/registry${path}`)).fields['cache-status']))?.[1]);
    };
    expect(await ttlOf('/JSONStream')).toBeGreaterThan(800);
    expect(await ttlOf('/jsonstream')).toBeLessThanOrEqual(60);
    expect(paths()).toHaveLength(2);
  });

  it('keeps callers with any of its credentials apart, and shows none of them', async () => {
    const name = fresh();
    answer(({ headers, url: asked }) => ({
      headers: { link: `<${under.origin.url}${asked}&page=2>; rel="next"` },
      body: { otp: headers['npm-otp'], asked },
    }));
    const asked = async (query: string, headers: Record<string, string> = {}) =>
      get(`/registry/${name}${query}`, headers);
    const answers = [
      await asked('', { 'npm-otp': 's3cret-1' }),
      await asked('', { 'npm-otp': 's3cret-2' }),
      await asked('?access_token=s3cret-a'),
      await asked('?access_token=s3cret-b'),
      await asked(''),
    ];
    expect(answers.map(({ cache }) => cache)).toEqual(Array(5).fill('MISS'));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(5);
    expect(paths()).toContain(`/api/${name}?access_token=s3cret-a`);
    const again = await asked('?access_token=s3cret-a');
    expect(again).toMatchObject({ cache: 'HIT', text: answers[2]!.text });
    for (const { fields } of [...answers, again]) expect(JSON.stringify(fields)).not.toMatch(/s3cret/);
    expect(again.fields['link']).toBe(`<${under.url}/registry/${name}?page=2>; rel="next"`);
    const seen = await get('/metrics');
    const entries = await get('/admin/cache/entries?match=registry:*', { authorization: 'Bearer test-admin-token' });
    expect(seen.text + entries.text).not.toMatch(/s3cret/);
    expect((await asked('?password=x')).status).toBe(400);
  });

  it('has tags of its own, which another upstream’s word does not remove', async () => {
    const name = fresh();
    const admin = { authorization: 'Bearer test-admin-token' };
    for (let times = 0; times < 2; times++) await get(`/registry/${name}`);
    await get(`/admin/cache/tags/package:${name}`, admin, 'DELETE');
    expect(await get(`/registry/${name}`)).toMatchObject({ cache: 'HIT' });
    await get(`/admin/cache/tags/registry:package:${name}`, admin, 'DELETE');
    expect(await get(`/registry/${name}`)).toMatchObject({ cache: 'MISS' });
    await get('/registry/@scope/a');
    await get('/admin/cache/tags/registry:scoped:a', admin, 'DELETE');
    expect(await get('/registry/@scope/a')).toMatchObject({ cache: 'MISS' });
  });

  it('removes what a write changes', async () => {
    const name = fresh();
    for (let times = 0; times < 2; times++) await get(`/registry/${name}/versions`);
    await get(`/registry/${name}`, {}, 'DELETE');
    expect(await get(`/registry/${name}/versions`)).toMatchObject({ cache: 'MISS' });
  });

  it('takes webhooks that are signed, and says by which field', async () => {
    const name = fresh();
    for (let times = 0; times < 2; times++) await get(`/registry/${name}`);
    const body = `\ufeff${JSON.stringify({ event: 'package:publish', name })}`; // RFC 8259 §8.1: the mark is ignored
    const deliver = async (signature: string) => {
      const fields = { 'content-type': 'application/json', 'x-registry-signature': signature };
      const { status, body: told } = await request(`${under.url}/webhooks/registry`, {
        method: 'POST',
        body,
        headers: fields,
      });
      return { status, json: JSON.parse(told.toString()) as Record<string, unknown> };
    };
    const unsigned = await deliver('sha256=00');
    expect([unsigned.status, unsigned.json['detail']]).toEqual([
      401,
      expect.stringContaining('(X-Registry-Signature)'),
    ]);
    expect(await get(`/registry/${name}`)).toMatchObject({ cache: 'HIT' });
    const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
    expect(await deliver(signature)).toMatchObject({ status: 202, json: { status: 'done', invalidated: 1 } });
    expect(await get(`/registry/${name}`)).toMatchObject({ cache: 'MISS' });
    expect((await deliver(signature)).json).toMatchObject({ status: 'duplicate' });
    expect((await get('/metrics')).text).toMatch(
      /deliveries_total\{upstream="registry",event="package:publish",result="done"\} 1/,
    );
  });

  it('holds back what its limits forbid, for gateway and client alike, and shows them', async () => {
    const policy = { 'ratelimit-policy': '"burst";q=50;w=60, "daily";q=1000;w=86400' };
    answer(() => ({
      headers: { ...policy, ratelimit: '"burst";r=12;t=60, "daily";r=0;t=3600', 'cache-control': 'no-store' },
    }));
    const name = fresh();
    const token = { authorization: 'Bearer of-one-caller' };
    await get(`/registry/${name}`, token);
    const held = await get(`/registry/${name}`, token);
    expect([held.status, held.text]).toEqual([429, expect.stringContaining('registry (daily) is spent')]);
    expect(under.origin.hits).toHaveLength(1);
    await under.client.get(`/${fresh()}`);
    await expect(under.client.get(`/${fresh()}`)).rejects.toMatchObject({ code: 'upstream-rate-limited' });
    const budget = await get('/registry-budget', { authorization: 'Bearer test-admin-token' });
    await reopen();
    expect(JSON.parse(budget.text)).toMatchObject({
      upstream: 'registry',
      credentials: expect.arrayContaining([
        expect.objectContaining({
          resources: { burst: expect.anything(), daily: expect.objectContaining({ limit: 1_000, remaining: 0 }) },
        }),
      ]),
    });
  });

  it('has its routes documented', () => {
    const upstreams = under.app.get(Upstreams).all();
    const paths = upstreams.find(({ definition }) => definition === (registry as object))?.paths ?? {};
    expect(Object.keys(paths)).toEqual(['/registry/{package}', '/registry/{path}', '/webhooks/registry']);
    expect(JSON.stringify(paths)).toContain("the package registry's own answer");
  });

  it('has one breaker for gateway and client, which the health shows', async () => {
    const health = async () => {
      const { status, text } = await get('/health');
      return [status, (JSON.parse(text) as { details: Record<string, object> }).details['registry']];
    };
    expect(await health()).toEqual([200, { status: 'up', breaker: 'closed' }]);
    under.origin.answerBy((response) => response.socket!.destroy());
    for (let times = 0; times < 4; times++) await get(`/registry/${fresh()}`);
    await expect(under.client.get(`/${fresh()}`, { as: 'anonymous' })).rejects.toMatchObject({
      code: 'upstream-paused',
    });
    await expect(under.client.fetch(`/${fresh()}`)).rejects.toMatchObject({
      code: 'upstream-paused',
    });
    expect(await health()).toEqual([200, { status: 'up', breaker: 'open' }]);
    await reopen();
  });

  it('has settings under its prefix, which are checked with the others', async () => {
    const { readEnvironment } = await import('../../src/config/env.schema.js');
    const given = { REGISTRY_API_URL: 'https://registry.example' };
    const read = (more: object) => () => readEnvironment({ ...given, ...more });
    expect(() => readEnvironment({})).toThrow(
      'REGISTRY_API_URL is missing. Example: REGISTRY_API_URL=https://api.example',
    );
    expect(read({ REGISTRY_FLAVOUR: 'long' })).toThrow(/REGISTRY_FLAVOUR .*Example: REGISTRY_FLAVOUR=short/);
    expect(read({ REGISTRY_MAX_CONCURRENCY: '0', PORT: 'x' })).toThrow(
      /PORT[^]*REGISTRY_MAX_CONCURRENCY must be at least 1/,
    );
    expect(read({ REGISTRY_ROUTE_PREFIX: '/repos/x' })).toThrow('is a path of the service itself');
    expect(read({ GITHUB_ROUTE_PREFIX: '/downloads' })).toThrow('is a path of the service itself');
    expect(read({ REGISTRY_SHARE_TOKEN: 'true' })).toThrow('REGISTRY_TOKEN is missing');
    expect(read({})()).toMatchObject({
      REGISTRY_MAX_CONCURRENCY: 64,
      REGISTRY_FLAVOUR: 'full',
      GITHUB_POINTS_PER_MINUTE: 900,
    });
  });
});
