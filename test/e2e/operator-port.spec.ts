import { GithubSimulator } from '../../simulator';
import { freePort } from '../support/free-port';
import { rawRequest } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { readEnvironment } from '../../src/config/env.schema';
import '../../src/app.module'; // declares the settings of the upstreams

const ADMIN = { authorization: 'Bearer test-admin-token' };
const OPERATORS = ['/', '/metrics', '/docs', '/docs-json', '/page.json', '/events', '/admin/audit', '/github-budget'];

describe('a port for operators (ADMIN_PORT)', () => {
  let github: GithubSimulator;
  let gitlab: ScriptedOrigin;
  let service: ServiceProcess;
  let operators: string;
  let adminPort: number;

  const start = async (env: Record<string, string>): Promise<void> => {
    adminPort = await freePort();
    operators = `http://127.0.0.1:${adminPort}`;
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: github.url, ADMIN_PORT: String(adminPort), ADMIN_HOST: '127.0.0.1' },
        ...{ ADMIN_TOKEN: 'test-admin-token', CREDENTIAL_SECRET: 'of-the-tests', ...env },
      },
    });
  };
  const statusOf = async (base: string, path: string, init?: RequestInit): Promise<number> => {
    const response = await fetch(base + path, { headers: ADMIN, ...init });
    await response.body?.cancel();
    return response.status;
  };

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    gitlab = await ScriptedOrigin.start((response) => response.end('{}'));
  });
  afterEach(() => service.stop());
  afterAll(() => Promise.all([github.stop(), gitlab.stop()]));

  it('has the operations; on the public port they are a 404 problem, and probes, webhooks and hits are as before', async () => {
    await start({ GITHUB_WEBHOOK_SECRET: 'of-the-tests' });
    for (const path of OPERATORS) {
      expect([path, await statusOf(operators, path)]).toEqual([path, 200]);
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE'])
        expect([path, await statusOf(service.url, path, { method })]).toEqual([path, 404]);
    }
    for (const disguised of ['/METRICS', '/%6Detrics', '//metrics', '/metrics/', '/./metrics', '/github/../metrics'])
      expect([disguised, await statusOf(service.url, disguised)]).toEqual([disguised, 404]);
    const problem = await fetch(`${service.url}/metrics`);
    expect(problem.headers.get('content-type')).toContain('application/problem+json');
    expect(problem.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await statusOf(operators, '/health/live')).toBe(200);
    expect(await statusOf(service.url, '/health/live')).toBe(200);
    expect(await statusOf(service.url, '/webhooks/github', { method: 'POST', body: '{}' })).toBe(401);
    const answers = [];
    for (let at = 0; at < 3; at++) answers.push(await fetch(`${service.url}/github/users/redis`));
    expect(answers.map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT', 'HIT']);
    const metrics = await (await fetch(`${operators}/metrics`)).text();
    expect(metrics).toMatch(/^larder_fast_path_routes_off 0$/m);
    expect(await statusOf(operators, '/github/users/redis', { headers: {} })).toBe(200); // for the page
  });

  it('lets the gateway have every other path of the public port: a name can stand for api.github.com', async () => {
    await start({ GITHUB_ROUTE_PREFIX: '/' });
    const answers = [];
    for (let at = 0; at < 3; at++) answers.push(await fetch(`${service.url}/users/microsoft/repos?per_page=1`));
    expect(answers.map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT', 'HIT']);
    expect(answers[2]?.headers.get('link')).toContain(`<${service.url}/users/microsoft/repos?per_page=1&page=2>`);
    // The upstream's own paths by these names, on the public port alone, and never with an admin token.
    github.requests.reset();
    for (const path of ['/', '/events', '/metrics', '/admin/audit']) {
      for (const [headers, isAsked] of [[ADMIN, false] as const, [{}, true] as const]) {
        const response = await fetch(service.url + path, { headers });
        const found = [path, response.status === 400, (response.headers.get('cache-status') ?? '').includes('larder')];
        expect(found).toEqual([path, !isAsked, isAsked]);
        await response.body?.cancel();
      }
    }
    expect(await statusOf(service.url, '/admin/cache/tags/x', { method: 'DELETE' })).toBe(400);
    const sent = github.requests.all().filter(({ headers }) => headers.authorization !== undefined);
    expect([github.requests.count() > 0, sent]).toEqual([true, []]);
    const [page, audit] = [await fetch(operators), await fetch(`${operators}/admin/audit`, { headers: ADMIN })];
    expect([page.headers.get('content-type'), audit.status]).toEqual([expect.stringContaining('text/html'), 200]);
    // What is meant for the admin API goes there or nowhere: it has the admin token.
    github.requests.reset();
    for (const [method, path] of [
      ...[
        ['GET', '/admin'],
        ['GET', '/Admin/audit'],
        ['GET', '/%2561dmin'],
        ['GET', '/METRICS'],
        ['PUT', '/admin/audit'],
      ],
      ...[
        ['POST', '/admin/cache/tags/x'],
        ['GET', '/admin;x/audit'],
        ['DELETE', '/docs'],
        ['GET', '/admin%2Faudit'],
      ],
    ] as const)
      expect([path, await statusOf(operators, path, { method })]).toEqual([path, 404]);
    for (const path of ['//admin/audit', '/./admin/audit', '/x/../admin/audit'])
      await rawRequest(
        adminPort,
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: ${ADMIN.authorization}\r\n\r\n`,
      );
    expect(github.requests.all()).toEqual([]);
    expect(await statusOf(service.url, '/health/live')).toBe(200);
    expect((await fetch(`${service.url}/repos/redis`)).headers.get('x-cache')).toBeTruthy();
    expect(await (await fetch(`${operators}/docs-json`)).json()).toMatchObject({
      paths: expect.objectContaining({ '/users/{username}': expect.anything() }),
    });
  });

  it('leaves other APIs their paths beside a gateway at /, and what is for them or a webhook goes to no other API', async () => {
    await start({
      ...{ GITHUB_ROUTE_PREFIX: '/', STACKEXCHANGE_ENABLED: 'false' },
      ...{ GITLAB_ENABLED: 'true', GITLAB_API_URL: `${gitlab.url}/api/v4` },
    });
    github.requests.reset();
    const authorization = 'Bearer glpat-of-the-tests-00000';
    for (const path of ['/gitlab/projects/1', '/api/v4/projects/2', '/gitlab/api/v4/projects/3'])
      expect([path, await statusOf(service.url, path, { headers: { authorization } })]).toEqual([path, 200]);
    expect(gitlab.hits.map(({ url }) => url)).toEqual([1, 2, 3].map((id) => `/api/v4/projects/${id}`));
    for (const path of ['/webhooks/gitlab', '/webhooks/github', '/webhooks/unknown'])
      for (const method of ['GET', 'POST'])
        expect([path, await statusOf(service.url, path, { method, headers: {} })]).toEqual([path, 404]);
    const misspelt = [
      '//webhooks/gitlab',
      '/Webhooks/x',
      '/x/../webhooks/x',
      '/webhooks;x/y',
      '/%2577ebhooks',
      '//gitlab/user',
      '/GitLab/user',
      '/API/v4/user',
    ];
    for (const path of misspelt) {
      const secrets = `authorization: ${authorization}\r\nx-gitlab-token: secret\r\ncontent-length: 0`;
      const answer = await rawRequest(
        service.port,
        `POST ${path} HTTP/1.1\r\nhost: x\r\n${secrets}\r\nconnection: close\r\n\r\n`,
      );
      expect([path, answer.toString('latin1', 0, 12)]).toEqual([path, 'HTTP/1.1 404']);
    }
    const off = await fetch(`${service.url}/stackexchange/questions`, { headers: { authorization } });
    expect([off.status, await off.text()]).toEqual([404, expect.stringContaining('Set STACKEXCHANGE_ENABLED=true')]);
    expect(github.requests.all()).toEqual([]);
    expect((await fetch(`${service.url}/tags/redis`)).headers.get('cache-status')).toContain('github:-:/tags/redis');
  });

  it('ends both ports when it stops, after the requests under way', async () => {
    await start({});
    const events = await fetch(`${operators}/events`, { headers: ADMIN });
    expect(events.status).toBe(200);
    expect(await service.stop()).toBe(0);
    await expect(fetch(`${operators}/health/live`)).rejects.toThrow();
    await events.body?.cancel().catch(() => undefined);
  });

  it.each([
    [{ GITHUB_ROUTE_PREFIX: '/' }, /ADMIN_PORT is missing: GITHUB_ROUTE_PREFIX=\/ needs ADMIN_PORT as well/],
    [{ ADMIN_HOST: '127.0.0.1' }, /ADMIN_PORT is missing: ADMIN_HOST needs ADMIN_PORT/],
    [{ ADMIN_PORT: '8081' }, /ADMIN_PORT must be another port than PORT/],
  ])('does not start with %j', (env, message) => {
    expect(() => readEnvironment(env)).toThrow(message);
  });
});
