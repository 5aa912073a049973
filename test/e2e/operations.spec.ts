import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { getExecutable } from '../support/executables';
import { rawRequest, request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { ADMIN } from './ask';

interface OpenApi {
  readonly paths: Record<
    string,
    Record<
      string,
      {
        parameters?: { name: string; in: string; example?: string | number; schema: { example?: string | number } }[];
        requestBody?: { content: Record<string, { schema: { example: object } }> };
        responses: Record<
          string,
          { description: string; content?: Record<string, { schema?: object; examples?: object }> }
        >;
        security?: object[];
      }
    >
  >;
  readonly components: { securitySchemes: Record<string, object> };
}

describe('what a person sees of the service', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: github.url, ADMIN_TOKEN: 'test-admin-token', LOG_LEVEL: 'debug' },
    });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await request(`${service.url}${path}`, { headers });
    return { status, headers: fields, text: body.toString() };
  };

  it('is a page without inline script or style, which nothing may frame', async () => {
    const page = await get('/');
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringMatching(/frame-ancestors 'none';script-src 'self';/),
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    });
    expect(page.text).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/);
    const assets = [...page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, asset]) => asset!);
    expect(assets.length).toBeGreaterThan(1);
    for (const asset of assets) expect((await get(asset)).status).toBe(200);
    expect((await get('/assets/..%2fpackage.json')).status).toBe(404);
  });

  it.each(['/docs', '/docs/', '/docs/index.html', '/docs?x', '/docs/nothing'])(
    'lets no page frame %s',
    async (path) => {
      expect((await get(path)).headers).toMatchObject({
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
        'x-frame-options': 'DENY',
      });
    },
  );

  it('has the security fields on the routes of operators, and no policy of ours on those of clients', async () => {
    for (const path of ['/', '/docs', '/docs-json', '/metrics', '/page.json', '/admin/audit', '/github-budget']) {
      const { headers } = await get(path);
      expect([path, headers]).toEqual([
        path,
        expect.objectContaining({
          'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'/),
          ...{ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' },
          'cross-origin-opener-policy': 'same-origin',
        }),
      ]);
      expect(headers['strict-transport-security']).toBeUndefined();
    }
    const { headers } = await get('/health/live');
    expect([headers['content-security-policy'], headers['x-content-type-options']]).toEqual([undefined, 'nosniff']);
  });

  it('is Swagger UI at /docs', async () => {
    expect(await get('/docs')).toMatchObject({ status: 200, text: expect.stringContaining('swagger-ui') });
  });

  it('is documented route by route, with the shape of its errors and the bearer of the admin', async () => {
    const { text } = await get('/docs-json');
    const { paths, components } = JSON.parse(text) as OpenApi;
    expect(text).not.toContain('an-upstream'); // examples name an upstream that there is
    for (const path of Object.keys(paths)) expect(path).toMatch(/^(?:\/(?:[\w.-]+|\{\w+\}))+$/);
    const documented = [
      '/admin/audit',
      '/admin/cache',
      '/admin/cache/accounts/{account}',
      '/admin/cache/count',
      '/admin/cache/entries',
      '/admin/cache/entries/{path}',
      '/admin/cache/invalidations',
      '/admin/cache/tags/{path}',
      '/events',
      '/github-budget',
      '/github/orgs/{org}/repos',
      '/github/repos/{owner}/{repo}',
      '/github/repos/{owner}/{repo}/commits',
      '/github/repos/{owner}/{repo}/issues',
      '/github/repos/{owner}/{repo}/releases',
      '/github/users/{username}',
      '/github/users/{username}/repos',
      '/github/{path}',
      '/health',
      '/health/live',
      '/health/ready',
      '/metrics',
      '/page.json',
      '/repos/{account}',
    ];
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(documented));
    expect(components.securitySchemes['admin']).toEqual({
      ...{ type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' },
    });
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { responses, security }] of Object.entries(operations)) {
        const problems = Object.entries(responses).filter(([status]) => Number(status) >= 400);
        expect([method, path, problems.length > 0]).toEqual([method, path, true]);
        for (const [, { content }] of problems.filter(([, { description }]) => !description.endsWith("'s own answer")))
          expect(content?.['application/problem+json']).toMatchObject({
            schema: expect.anything(),
            examples: expect.anything(),
          });
        if (path.startsWith('/admin')) expect(security).toEqual([{ admin: [] }]);
      }
    }
  });

  it('is counted by outcome in /metrics, without a key or a token', async () => {
    await get('/repos/redis');
    await get('/repos/redis');
    const { text, headers } = await get('/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(text).toMatch(/larder_requests_total\{upstream="github",outcome="MISS",tier="upstream"\} 1/);
    expect(text).toMatch(/larder_requests_total\{upstream="github",outcome="HIT",tier="l1"\} 1/);
    expect(text).not.toMatch(/users.redis|test-admin-token/);
  });

  it('keeps to the naming rules of Prometheus, as promtool checks them', async () => {
    const { text } = await get('/metrics');
    const checked = spawnSync(getExecutable('promtool'), ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect([checked.stdout, checked.stderr, checked.status]).toEqual(['', '', 0]);
    expect(text).not.toMatch(/ # \{/); // an exemplar of OpenMetrics
  });

  it('says who spends the budget: client, route and credential', async () => {
    const headers = { 'user-agent': 'budget-spender/1.2 (x)', authorization: 'Bearer ghp_spender' };
    await get('/github/repos/redis/redis/issues?page=7', headers);
    await get('/github/repos/redis/redis/issues?page=7', headers); // stored: costs nothing
    const { text } = await get('/metrics');
    expect(text).toMatch(/^larder_upstream_requests_by_client_total\{upstream="github",client="budget-spender"\} 1$/m);
    expect(text).toMatch(/^larder_upstream_requests_by_client_total\{upstream="github",client="service"\} \d+$/m);
    expect(text).toMatch(
      /^larder_upstream_requests_by_route_total\{upstream="github",route="\/repos\/\*\/\*\/issues"\} \d+$/m,
    );
    expect(text).toMatch(/^larder_upstream_requests_by_credential_total\{upstream="github",credential="[\w-]+"\} 1$/m);
    expect(text).not.toContain('ghp_spender');
  });

  it('counts no bytes in Redis where there is none', async () => {
    await get('/repos/redis');
    expect((await get('/metrics')).text).not.toMatch(/^larder_redis_entry_bytes_/m);
  });

  it('has each metric in docs/reference/metrics.md, and no other', async () => {
    const { text } = await get('/metrics');
    const metrics = new Set(Array.from(text.matchAll(/^# HELP (larder_\w+) /gm), ([, name]) => name));
    const page = readFileSync(join(__dirname, '../../docs/reference/metrics.md'), 'utf8');
    const documented = Array.from(page.matchAll(/^\| (`larder_.*?) \|/gm), ([, names = '']) => {
      const [first = '', ...others] = Array.from(names.matchAll(/`(\w+)`/g), ([, name = '']) => name);
      return [first, ...others.map((name) => (name.startsWith('_') ? first + name : name))];
    }).flat();
    expect(new Set(documented)).toEqual(metrics);
  });

  it('takes a request id that is a harmless word, and no other', async () => {
    expect((await get('/repos/-', { 'x-request-id': 'trace-1' })).headers['x-request-id']).toBe('trace-1');
    expect((await get('/repos/-', { 'x-request-id': 'a b<script>' })).headers['x-request-id']).toMatch(
      /^[\w-]{12}\.[0-9a-z]+$/,
    );
  });

  it.each([
    ['/repos/twemproxy', {}, { outcome: 'MISS', tier: 'upstream', status: 200 }],
    ['/repos/twemproxy', {}, { outcome: 'HIT', tier: 'l1', status: 200 }],
    ['/github/users/twemproxy', {}, { outcome: 'MISS', tier: 'upstream', status: 200 }],
    ['/github/users/twemproxy', {}, { outcome: 'HIT', tier: 'l1', status: 200 }],
    ['/github/users/twemproxy', {}, { outcome: 'HIT', tier: 'l1', status: 200 }], // on the fast path
    ['/repos/broken', {}, { outcome: 'ERROR', tier: 'none', status: 502, failure: 'upstream-error' }],
    [
      '/github/users/nothing-stored',
      { 'cache-control': 'only-if-cached' },
      { outcome: 'ERROR', tier: 'none', status: 504, failure: 'not-cached' },
    ],
  ])('has a line in the log for %s with its id and its response (%j)', async (path, headers, told) => {
    if (path === '/repos/broken') github.faults.next(1, { kind: 'status', status: 500 });
    const id = randomUUID();
    const { status } = await get(path, { 'x-request-id': id, ...headers });
    expect(status).toBe(told.status);
    const [line] = await service.waitForLog(new RegExp(`^.*"requestId":"${id}".*$`, 'm'));
    expect(JSON.parse(line)).toMatchObject({ msg: 'request', requestId: id, ...told });
  });

  it('answers an unknown route, a wrong method and a broken path as problems', async () => {
    expect(await get('/nothing')).toMatchObject({ status: 404, text: expect.stringContaining('"route-not-found"') });
    expect(await get('/repos/%zz')).toMatchObject({ status: 400, text: expect.stringContaining('"request-invalid"') });
    const posted = await request(`${service.url}/repos/redis`, { method: 'POST' });
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  it.each([
    ['not JSON', 'nope', 400],
    ['an unknown member', '{"keys":["a"],"x":1}', 400],
    ['a prototype', '{"__proto__":{"a":1},"keys":["a"]}', 400],
    ['nothing to invalidate', '{}', 400],
    ['a megabyte and more', `{"keys":["${'x'.repeat(1_100_000)}"]}`, 413],
  ])('refuses a batch that is %s', async (_name, body, status) => {
    const answer = await request(`${service.url}/admin/cache/invalidations`, {
      method: 'POST',
      headers: { authorization: 'Bearer test-admin-token', 'content-type': 'application/json' },
      body,
    });
    expect([answer.status, String(answer.headers['content-type'])]).toEqual([
      status,
      expect.stringContaining('problem+json'),
    ]);
  });

  it.each([
    ['a method that nobody knows', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['noise', '\x16\x03\x01\r\n\r\n', 400],
    ['fields of 20 kB', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('answers what is no request as a problem, such as %s', async (_name, bytes, status) => {
    const [head = '', body = ''] = (await rawRequest(service.port, Buffer.from(bytes, 'latin1')))
      .toString()
      .split('\r\n\r\n');
    expect(head).toMatch(/^content-type: application\/problem\+json/m);
    const problem = JSON.parse(body) as { status: number; instance: string };
    expect([problem.status, head.split(' ')[1]]).toEqual([status, String(status)]);
    expect(head).toContain(`x-request-id: ${problem.instance}`);
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'application/xml'])(
    'asks for JSON where a batch comes as %s',
    async (type) => {
      const answer = await request(`${service.url}/admin/cache/invalidations`, {
        method: 'POST',
        headers: { authorization: 'Bearer test-admin-token', 'content-type': type },
        body: '{"keys":["a"]}',
      });
      expect([answer.status, answer.body.toString()]).toEqual([
        400,
        expect.stringContaining('Send Content-Type: application/json.'),
      ]);
    },
  );

  it('reads the rest of a refused body away, so that the refusal arrives and the connection stays', async () => {
    const batch = [
      ...['POST /admin/cache/invalidations HTTP/1.1', 'host: x', 'authorization: Bearer test-admin-token'],
      ...['content-type: application/json', 'content-length: 30000000', '', ' '.repeat(30_000_000)],
    ].join('\r\n');
    const next = ['GET /health HTTP/1.1', 'host: x', 'connection: close', '', ''].join('\r\n');
    const answers = (await rawRequest(service.port, batch + next)).toString();
    expect(answers.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['413', '200']);
  });

  it('is documented by examples that work unchanged', async () => {
    const { paths } = JSON.parse((await get('/docs-json')).text) as OpenApi;
    const filled = (path: string, method: string): string => {
      const query = new URLSearchParams();
      let target = path;
      for (const { name, in: place, example, schema } of paths[path]![method]!.parameters ?? []) {
        const given = example ?? schema.example;
        if (given === undefined) continue;
        const value = String(given);
        if (place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(value));
        if (place === 'query') query.set(name, value);
      }
      return `${target}?${query.toString()}`;
    };
    for (const path of Object.keys(paths).filter((path) => /^\/github\/.*\{(?!path)/.test(path)))
      expect([path, (await get(filled(path, 'get'))).status]).toEqual([path, 200]);
    for (const path of ['/github-budget', '/admin/cache/entries', '/admin/audit'])
      expect([path, (await get(filled(path, 'get'), ADMIN)).status]).toEqual([path, 200]);
    expect(
      (await request(service.url + filled('/admin/cache', 'delete'), { method: 'DELETE', headers: ADMIN })).status,
    ).toBe(200);
    const { schema } = paths['/admin/cache/invalidations']!['post']!.requestBody!.content['application/json']!;
    const posted = await request(`${service.url}/admin/cache/invalidations`, {
      method: 'POST',
      headers: { ...ADMIN, 'content-type': 'application/json' },
      body: JSON.stringify(schema.example),
    });
    expect(posted.status).toBe(200);
  });
});
