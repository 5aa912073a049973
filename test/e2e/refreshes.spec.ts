import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

let origin: ScriptedOrigin;
let service: ServiceProcess;

beforeAll(async () => {
  origin = await ScriptedOrigin.start();
  service = await ServiceProcess.start({
    env: {
      ...{ GITHUB_API_URL: origin.url, CACHE_TTL_SECONDS: '1', CACHE_STALE_WHILE_REVALIDATE_SECONDS: '600' },
      ...{ UPSTREAM_BREAKER_FAILURES: '1000', LOG_LEVEL: 'warn' },
    },
  });
});
afterAll(async () => {
  await service.stop();
  await origin.stop();
});

async function failuresOf(code: string): Promise<number> {
  const text = (await request(`${service.url}/metrics`)).body.toString();
  return Number(new RegExp(`^larder_refresh_failures_total\\{.*code="${code}".*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

const linesOf = (): string[] => service.stdout().match(/.*Refreshes of .*/g) ?? [];

describe('background refreshes that fail', () => {
  it.each([
    ['the gateway', '/github/users/one', 'upstream-error'],
    ['the gateway, where the API resets', '/github/users/two', 'upstream-unreachable'],
    ['a route', '/repos/three', 'upstream-unreachable'],
  ])('at %s are counted by their reason, and logged once for all', async (_where, path, code) => {
    origin.answerBy((response) =>
      response
        .setHeader('cache-control', 'max-age=1, stale-while-revalidate=600')
        .end(JSON.stringify({ login: 'x', public_repos: 1 })),
    );
    expect((await request(`${service.url}${path}`)).status).toBe(200);
    origin.answerBy((response) => {
      if (code === 'upstream-error') response.writeHead(503).end();
      else response.destroy();
    });
    const before = await failuresOf(code);
    await waitUntil(
      async () => {
        expect((await request(`${service.url}${path}`)).status).toBe(200);
        return (await failuresOf(code)) >= before + 2;
      },
      { what: 'two refreshes to fail', pollMs: 100 },
    );
    await service.waitForLog(/Refreshes of github fail/);
    expect(linesOf()).toEqual([expect.stringContaining('Refreshes of github fail (upstream-error); stale responses')]);
  });
});
