import { Logger } from '@nestjs/common';
import { GithubSimulator } from '../../simulator';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';

type Line = Readonly<Record<string, unknown>>;

/** Routes that let anybody in. Every other route of the service is for admins: a new one is guarded, or is named here. */
const PUBLIC = [
  ...[
    '/',
    '/assets/:name',
    '/page.json',
    '/health',
    '/health/live',
    '/health/ready',
    '/metrics',
    '/repos/:account',
    '/tags/:tag',
  ],
];
/** Everything below is an upstream's: gateways take every path, and webhooks have signatures. */
const OF_UPSTREAMS = /^\/(?:github|gitlab|stackexchange|api|webhooks)(?:\/|$)/;
/** Refuses a URL that ends where a name is due. */
const WITHOUT_NAME = /^DELETE \/admin\/cache\/(?:entries|tags|accounts)$/;
const EXAMPLES: Readonly<Record<string, string>> = { ':upstream': 'github', ':account': 'redis', '*': 'example' };

/** These do not come from the documentation, which may lack a route, but from the router. */
describe('every registered route', () => {
  let github: GithubSimulator;
  let service: ServiceInProcess;
  let routes: (readonly [method: string, route: string])[];
  const lines: Line[] = [];

  const send = async (method: string, route: string, requestId: string, token?: string): Promise<number> => {
    const path = route.replace(/:upstream|:\w+|\*/g, (name) => EXAMPLES[name] ?? 'example');
    const closing = new AbortController();
    const { status } = await fetch(`http://127.0.0.1:${service.port}${path}`, {
      ...{ method, redirect: 'manual', signal: closing.signal },
      headers: { 'x-request-id': requestId, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });
    closing.abort(); // the live events have no end
    return status;
  };
  const linesOf = (requestId: string): unknown[] =>
    lines
      .filter((line) => line['requestId'] === requestId)
      .map(({ token, outcome, status, by, action, target }) => {
        expect([typeof action, typeof target, by]).toEqual(['string', 'string', '127.0.0.1']);
        return [token, outcome === 'refused', status];
      });

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    const env = { GITHUB_API_URL: github.url, ADMIN_TOKENS: 'alice:alices-secret' };
    service = await openInProcess(env);
    routes = service.routes.filter(([, url]) => !OF_UPSTREAMS.test(url) && !PUBLIC.includes(url));
    const keep = (line: unknown): void => {
      if (typeof line === 'object') lines.push(line as Line);
    };
    Logger.overrideLogger({ log: keep, warn: keep, error: keep });
  });
  afterAll(async () => {
    Logger.overrideLogger(false);
    await service.app.close();
    await github.stop();
  });

  it('is an upstream’s, or public, or refuses a wrong token; and has one line in the audit log each time', async () => {
    expect(routes.map((route) => route.join(' '))).toEqual(
      expect.arrayContaining(['GET /admin/audit', 'POST /admin/cache/invalidations', 'GET /events']),
    );
    for (const [at, [method, route]] of routes.entries()) {
      const wrong = await send(method, route, `wrong-${at}`, 'not-a-token');
      expect([method, route, [401, 429].includes(wrong)]).toEqual([method, route, true]);
      expect([method, route, linesOf(`wrong-${at}`)]).toEqual([method, route, [[undefined, true, wrong]]]);
      const right = await send(method, route, `right-${at}`, 'alices-secret');
      expect([method, route, linesOf(`right-${at}`)]).toEqual([method, route, [['alice', false, right]]]);
      if (route === '/events') continue; // its figures are for anybody
      const none = await send(method, route, `none-${at}`);
      expect([method, route, none, linesOf(`none-${at}`)]).toEqual([method, route, 401, [[undefined, true, 401]]]);
    }
  });

  it('is in the API document, if it is for admins', async () => {
    const { loadSwagger } = await import('../../src/server/api-decorators.js');
    const { DocumentBuilder, SwaggerModule } = await loadSwagger();
    const { paths } = SwaggerModule.createDocument(service.app, new DocumentBuilder().build());
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`),
    );
    const missing = routes
      .filter(([method]) => method !== 'HEAD')
      .map(([method, route]) => `${method} ${route.replace(/:upstream|:\w+/g, '*')}`)
      .filter((route) => !documented.includes(route) && !WITHOUT_NAME.test(route));
    expect(missing).toEqual([]);
  });

  it.each([
    ['of broken JSON', '/admin/cache/invalidations', 'POST', '{'],
    ['of a megabyte and more', '/admin/cache/invalidations', 'POST', `{"keys":["${'k'.repeat(1_100_000)}"]}`],
    ['of broken JSON', '/admin/cache/entries/a', 'DELETE', '{'],
  ])('reads no body %s before the token: %s', async (_what, path, method, body) => {
    const send = async (token: string) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      return (await fetch(`http://127.0.0.1:${service.port}${path}`, { method, headers, body })).status;
    };
    expect([401, 429]).toContain(await send('not-a-token'));
    expect([400, 413]).toContain(await send('alices-secret'));
  });

  const problemOf = async (method: string, path: string) => {
    const headers = { authorization: 'Bearer alices-secret' };
    const json = { headers: { ...headers, 'content-type': 'application/json' }, body: '{"keys":["a"]}' };
    const init = { method, headers, ...(method === 'POST' && json) };
    const response = await fetch(`http://127.0.0.1:${service.port}${path}`, init);
    const { code, detail } = (await response.json()) as Record<string, unknown>;
    return [response.status, code, detail];
  };

  it.each([
    ['DELETE', '/admin/cache/tags/x?mode=stale&y=1'],
    ['DELETE', '/admin/cache/tags/x?y=1'],
    ['DELETE', '/admin/cache/accounts/x?y=1'],
    ['DELETE', '/admin/cache?prefix=x&y=1'],
    ['POST', '/admin/cache/invalidations?y=1'],
    ['GET', '/admin/cache/entries?y=1'],
    ['GET', '/admin/cache/count?tag=x&y=1'],
    ['GET', '/admin/audit?y=1'],
    ['GET', '/github-budget?y=1'],
  ])('refuses a parameter that it does not know, and names it: %s %s', async (method, path) => {
    const problem = await problemOf(method, path);
    expect(problem).toEqual([400, 'request-invalid', expect.stringContaining('"y"')]);
  });

  it.each(['entries', 'entries/', 'tags/', 'tags/?mode=stale', 'accounts/'])(
    'says what to name where a URL to delete names nothing: %s',
    async (path) => {
      const problem = await problemOf('DELETE', `/admin/cache/${path}`);
      expect(problem).toEqual([400, 'request-invalid', expect.stringContaining('Name what to invalidate')]);
    },
  );

  it('that is public has no line', () => {
    expect(lines.filter(({ target }) => PUBLIC.includes(String(target)))).toEqual([]);
  });
});
