import { createHmac, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';
import { ask } from './ask';

const SECRET = 'the-webhook-secret';
const ISSUES = '/github/repos/acme/tool/issues';
/** Far longer than a test takes. */
const RULES = [{ path: '/*', ttl: 600, swr: 600 }];

/** GitHub as it may be right after its own event: for a while it still gives the old. */
describe.each([
  ['in memory', 1],
  ['across replicas', 2],
])('what has just changed, %s,', (_where, replicas) => {
  let github: ScriptedOrigin;
  let redis: RedisProcess | undefined;
  let services: ServiceProcess[];
  let version: number;
  let folder: string;

  beforeAll(async () => {
    github = await ScriptedOrigin.start((response, { method, url }) => {
      response.setHeader('cache-control', 'public, max-age=60, s-maxage=60');
      response.setHeader('content-type', 'application/json');
      if (method !== 'GET') response.statusCode = 201;
      response.end(JSON.stringify({ login: 'acme', id: 7, url, public_repos: version }));
    });
    if (replicas > 1) redis = await RedisProcess.start();
    folder = makeTempFolder('settling');
    const rules = join(folder, 'rules.json');
    writeFileSync(rules, JSON.stringify(RULES));
    const env = {
      GITHUB_API_URL: github.url,
      GITHUB_WEBHOOK_SECRET: SECRET,
      GITHUB_RULES_FILE: rules,
      GITHUB_SETTLE_SECONDS: '30',
      CREDENTIAL_SECRET: 'a-secret-of-the-tests',
      ...(redis === undefined ? {} : { REDIS_ENDPOINT_URI: redis.uri }),
    };
    services = await Promise.all(Array.from({ length: replicas }, () => ServiceProcess.start({ env })));
    if (redis !== undefined) for (const service of services) await service.untilRedisIsUp();
  });
  beforeEach(() => (version = 1));
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([github.stop(), redis?.stop()]);
    removeTempFolder(folder);
  });

  const deliver = (event: string, payload: unknown) => {
    const body = JSON.stringify(payload);
    const headers = {
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    };
    return ask(services[0]!, '/webhooks/github', { method: 'POST', headers, body });
  };
  const read = (path: string) => ask(services.at(-1)!, path);
  const repository = { full_name: 'acme/tool', owner: { login: 'acme', id: 7 } };

  it('leaves everything else fresh', async () => {
    const other = '/github/repos/acme/other/issues';
    await deliver('issues', { action: 'opened', repository });
    await read(other);
    expect(Number(/ttl=(\d+)/.exec((await read(other)).headers['cache-status'] ?? '')?.[1])).toBeGreaterThan(500);
  });

  it.each<[string, string, () => Promise<{ readonly status: number }>]>([
    ['an event', ISSUES, () => deliver('issues', { action: 'opened', repository })],
    ['a write', ISSUES, () => ask(services[0]!, ISSUES, { method: 'POST', body: '{"title":"x"}' })],
    [
      'a write by an id, which does not tell what it changes',
      ISSUES,
      () => ask(services[0]!, '/github/teams/5/members/mona', { method: 'DELETE' }),
    ],
    [
      'a write by an id, at the count of repositories',
      '/repos/acme',
      () => ask(services[0]!, '/github/repositories/77', { method: 'DELETE' }),
    ],
    [
      'an event, at the count of repositories',
      '/repos/acme',
      () => deliver('repository', { action: 'created', repository }),
    ],
  ])('is old for a second at most after %s', async (_what, path, change) => {
    await read(path);
    expect([201, 202]).toContain((await change()).status);
    expect((await read(path)).text).toMatch(/:1[,}]/); // GitHub still gives the old
    version = 2;
    await waitUntil(async () => /:2[,}]/.test((await read(path)).text), { what: 'the new answer' });
  });
});
