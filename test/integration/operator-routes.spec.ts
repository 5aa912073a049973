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
      .filter((route) => !documented.includes(route));
    expect(missing).toEqual([]);
  });

  it('that is public has no line', () => {
    expect(lines.filter(({ target }) => PUBLIC.includes(String(target)))).toEqual([]);
  });
});
