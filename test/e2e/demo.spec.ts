import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { OwnedProcess } from '../support/owned-process';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';

describe('npm run demo, beside an .env with a Redis and a token', () => {
  let redis: RedisProcess;
  let folder: string;
  let demo: OwnedProcess;
  let port: number;

  beforeAll(async () => {
    [redis, port] = await Promise.all([RedisProcess.start(), freePort()]);
    folder = makeTempFolder('demo');
    const settings = {
      ...{ PORT: port, HOST: '127.0.0.1', REDIS_ENDPOINT_URI: redis.uri, REDIS_KEY_PREFIX: 'real' },
      ...{ GITHUB_TOKEN: 'ghp_real', GITHUB_SHARE_TOKEN: 'true', GITHUB_RULES_FILE: '/nowhere.json' },
      ...{ LOG_LEVEL: 'error', ADMIN_TOKEN: 'test-admin-token' },
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(folder, '.env'), lines.join(''));
    const { PATH = '', HOME = '' } = process.env;
    demo = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/simulator/demo.js')], {
      cwd: folder,
      env: { PATH, HOME, REDIS_ENDPOINT_URI: redis.uri },
    });
    await waitUntil(() => !demo.isRunning || demo.stdout().includes('Try:'), { what: 'the demo' });
    expect(demo.output()).toContain(`curl -i localhost:${port}/repos/redis`);
  });
  afterAll(async () => {
    demo.signal('SIGTERM');
    expect(await demo.exited).toBe(0);
    await redis.stop();
    removeTempFolder(folder);
  });

  it('says where it listens, sends no real token, and keeps what it makes up out of that Redis', async () => {
    const url = `http://127.0.0.1:${port}`;
    const answers = [await request(`${url}/repos/redis`), await request(`${url}/repos/redis`)];
    expect(answers.map(({ headers }) => headers['x-cache'])).toEqual(['MISS', 'HIT']);
    expect(JSON.parse((await request(`${url}/health`)).body.toString())).toMatchObject({
      details: { store: { store: 'memory' } },
    });
    expect(await redis.command('DBSIZE')).toBe('0');
    expect((await redis.command('CLIENT', 'LIST')).trim().split('\n')).toHaveLength(1); // the one who looks
    // The limit of callers without a token, as the demo has it.
    const metrics = (await request(`${url}/metrics`)).body.toString();
    expect(metrics).toMatch(/^larder_rate_limit\{[^}]*resource="core"[^}]*\} 100000$/m);
  });

  it('shows a page that can turn the API off and on again, and make it slow', async () => {
    const url = `http://127.0.0.1:${port}`;
    const facts = JSON.parse((await request(`${url}/page.json`)).body.toString()) as Record<string, unknown>;
    expect(facts['demo']).toEqual({ control: '/demo/upstream', race: '/demo/race' });
    const control = async (change?: object) => {
      const sent = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(change) };
      const { status, body } = await request(`${url}/demo/upstream`, change === undefined ? {} : sent);
      return { status, ...(JSON.parse(body.toString()) as object) };
    };
    expect(await control()).toEqual({ status: 200, isDown: false, latencyMs: 800 });
    expect(await control({ latencyMs: 5 })).toEqual({ status: 200, isDown: false, latencyMs: 5 });
    expect(await control({ isDown: true })).toEqual({ status: 200, isDown: true, latencyMs: 5 });
    expect((await request(`${url}/repos/unseen`)).status).toBe(502);
    await Promise.all([control({ isDown: false }), control({ isDown: true }), control({ isDown: false })]);
    expect(await control()).toEqual({ status: 200, isDown: false, latencyMs: 5 });
    await waitUntil(async () => (await request(`${url}/repos/nestjs`)).status === 200, { what: 'the API' });
    for (const wrong of [{ isDown: 'yes' }, { latencyMs: -1 }, { other: true }])
      expect(await control(wrong)).toMatchObject({ status: 400, code: 'request-invalid' });
  });

  it('races many requests at once to one call of the API', async () => {
    const { status, body } = await request(`http://127.0.0.1:${port}/demo/race`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ path: '/repos/octocat', requests: 50 }),
    });
    const { requests } = JSON.parse(body.toString()) as {
      requests: { startedMs: number; endedMs: number; status: number; cacheStatus: string }[];
    };
    expect([status, requests.length, new Set(requests.map((one) => one.status))]).toEqual([200, 50, new Set([200])]);
    expect(requests.filter(({ cacheStatus }) => cacheStatus.includes('detail=MISS'))).toHaveLength(1);
    for (const { startedMs, endedMs } of requests) expect(endedMs).toBeGreaterThan(startedMs);
  });
});
