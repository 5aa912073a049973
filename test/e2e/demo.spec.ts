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
    await waitUntil(() => !demo.isRunning || demo.stdout().includes('Try:'), { what: 'the demo', timeoutMs: 20_000 });
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
    expect(await redis.command('CLIENT', 'LIST')).not.toContain('larder');
    // The limit of callers without a token, as the demo has it.
    const metrics = (await request(`${url}/metrics`)).body.toString();
    expect(metrics).toMatch(/^larder_rate_limit\{[^}]*resource="core"[^}]*\} 100000$/m);
  });
});
