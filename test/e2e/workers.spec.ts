import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

const CLIENTS = 200;

/** Each on a connection of its own, so that both workers have their share. */
const crowd = (service: ServiceProcess, path: string) =>
  Promise.all(Array.from({ length: CLIENTS }, () => request(`${service.url}${path}`)));

/** The requests that all workers have counted, whatever became of them. */
const counted = async (service: ServiceProcess): Promise<number> => {
  const { text } = await ask(service, '/metrics');
  const counts = [...text.matchAll(/^larder_requests_total\{[^}]*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
};

/** The workers that have written to the log. */
const workersHeard = (service: ServiceProcess): number[] =>
  [...service.stdout().matchAll(/"worker":(\d+)/g)].map(([, id]) => Number(id));

describe.each([
  ['without Redis', 'SIGHUP', async () => ({ uri: undefined, stop: () => Promise.resolve() })],
  ['over Redis', 'SIGTERM', () => RedisProcess.start()],
] as const)('two workers %s', (_where, endSignal, openRedis) => {
  let github: GithubSimulator;
  let redis: Awaited<ReturnType<typeof openRedis>>;
  let service: ServiceProcess;

  beforeAll(async () => {
    [github, redis] = await Promise.all([GithubSimulator.start({ latencyMs: 50 }), openRedis()]);
    const env: Record<string, string> = redis.uri === undefined ? {} : { REDIS_ENDPOINT_URI: redis.uri };
    service = await start(github, { WORKERS: '2', LOG_LEVEL: 'debug', CACHE_LEASE_MS: '30000', ...env });
    await waitUntil(() => new Set(workersHeard(service)).size >= 2, { what: 'both workers' });
    if (redis.uri !== undefined)
      await waitUntil(() => (service.stdout().match(/"Connected\./g) ?? []).length >= 2, { what: 'both reach Redis' });
  });
  beforeEach(() => github.requests.reset());
  afterAll(async () => {
    await service.stop();
    await Promise.all([github.stop(), redis.stop()]);
  });

  it('load a key once', async () => {
    const before = workersHeard(service).length;
    const answers = await crowd(service, '/repos/redis');
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(github.requests.count()).toBe(1);
    const isShared = () => new Set(workersHeard(service).slice(before)).size === 2;
    await waitUntil(isShared, { what: 'the lines of both workers' });
  });

  it('invalidate for each other', async () => {
    for (let times = 0; times < 10; times++) {
      await crowd(service, '/repos/nestjs');
      const gone = await ask(service, '/admin/cache/accounts/nestjs', { method: 'DELETE', headers: ADMIN });
      expect(gone.status).toBe(200);
      // Replicas over Redis promise it within so long, workers without it at once.
      if (redis.uri !== undefined) await new Promise((resolve) => setTimeout(resolve, 50));
      github.requests.reset();
      const answers = await crowd(service, '/repos/nestjs');
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(github.requests.count()).toBe(1);
    }
  });

  it('merge their metrics', async () => {
    const before = await counted(service);
    await crowd(service, '/repos/octocat');
    expect(await counted(service)).toBe(before + CLIENTS);
  });

  it('are replaced when they die, and the others still answer', async () => {
    await crowd(service, '/repos/redis');
    const started = new Set(workersHeard(service)).size;
    const { text } = await ask(service, '/admin/cache/entries', { headers: ADMIN });
    expect(text).toContain('github:-:/users/redis');
    const [child] = await childrenOf(service.pid!);
    process.kill(child!, 'SIGKILL');
    await service.waitForLog(/Worker \d+ ended \(SIGKILL\); another starts/);
    const statuses: number[] = [];
    await waitUntil(
      async () => {
        statuses.push((await ask(service, '/repos/redis')).status);
        return new Set(workersHeard(service)).size > started && (await childrenOf(service.pid!)).length === 2;
      },
      { what: 'another worker' },
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('keep the counts of a dead worker, and report them while another starts', async () => {
    await crowd(service, '/repos/redis');
    expect((await ask(service, '/metrics')).text).toMatch(/^larder_store_up 1$/m);
    const counts = [await counted(service)];
    const before = await childrenOf(service.pid!);
    const started = new Set(workersHeard(service)).size;
    process.kill(before[0]!, 'SIGKILL');
    await waitUntil(async () => !(await childrenOf(service.pid!)).includes(before[0]!), { what: 'its end' });
    await waitUntil(
      async () => {
        counts.push(await counted(service));
        const now = await childrenOf(service.pid!);
        return now.length === 2 && new Set(workersHeard(service)).size > started;
      },
      { what: 'another worker' },
    );
    expect(counts[0]).toBeGreaterThanOrEqual(CLIENTS);
    expect(counts).toEqual([...counts].sort((one, other) => one - other));
  });

  it(`end together on ${endSignal}, after the requests under way`, async () => {
    const release = github.hold();
    const answers = [1, 2, 3, 4].map((number) => ask(service, `/repos/late-${number}`));
    await waitUntil(() => github.inFlight === 4, { what: 'the calls' });
    service.kill(endSignal);
    setImmediate(release);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await service.exited).toBe(0);
  });
});

describe('when a worker is killed', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  const through = (path: string, agent?: Agent) =>
    request(`${service.url}/github${path}`, { timeoutMs: 30_000, ...(agent && { agent }) });
  /** Ended without a response is as good as answered: a client may try again. Only one that hears nothing cannot know. */
  const isLeftWaiting = (error: unknown): boolean => String(error).includes('silence for');
  const kill = async (pid: number): Promise<void> => {
    const started = new Set(workersHeard(service)).size;
    process.kill(pid, 'SIGKILL');
    await waitUntil(
      async () => new Set(workersHeard(service)).size > started && !(await childrenOf(service.pid!)).includes(pid),
      { what: 'another worker' },
    );
  };

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: origin.url, GITHUB_POINTS_PER_MINUTE: '0', CACHE_LEASE_MS: '60000' },
        ...{ WORKERS: '2', LOG_LEVEL: 'debug' },
      },
    });
    await waitUntil(() => new Set(workersHeard(service)).size >= 2, { what: 'both workers' });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  it('every new connection is answered or closed', async () => {
    origin.answerBy((response) => void setTimeout(() => response.end('ok'), 20));
    let isOver = false;
    let asked = 0;
    const leftWaiting: string[] = [];
    const client = async (): Promise<void> => {
      while (!isOver) {
        await through(`/path-${asked++}`).catch((error: unknown) => {
          if (isLeftWaiting(error)) leftWaiting.push(String(error));
        });
      }
    };
    const clients = Array.from({ length: 50 }, client);
    for (let kills = 0; kills < 4; kills++) {
      const before = asked;
      await waitUntil(() => asked > before + 100, { what: 'requests' });
      await kill((await childrenOf(service.pid!))[kills % 2]!);
    }
    isOver = true;
    await Promise.all(clients);
    expect(leftWaiting).toEqual([]);
    for (let times = 0; times < 100; times++) expect((await through(`/after-${times}`)).status).toBe(200);
  }, 120_000);

  it('the key that it was loading is loaded by another at once, however long the lease', async () => {
    const held: ServerResponse[] = [];
    origin.answerBy((response, { url }) => {
      if (url === '/held') held.push(response);
      else response.end('ok');
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await through('/on-the-same-connection', agent);
    const loading = through('/held', agent).catch(() => undefined);
    await waitUntil(() => held.length === 1, { what: 'the load' });
    const waiting = Array.from({ length: 50 }, () => through('/held').catch(isLeftWaiting));
    await crowd(service, '/github/while-they-wait');
    const killed = kill(await processThatAnswered(service, '/on-the-same-connection'));
    await waitUntil(() => held.length === 2, { what: 'the load of another worker' });
    held[1]!.end('by another');
    const answers = await Promise.all(waiting);
    expect(answers).not.toContain(true);
    const bodies = answers.map((answer) => (typeof answer === 'object' ? answer.body.toString() : 'closed'));
    expect(new Set(bodies)).toEqual(new Set(['by another', 'closed']));
    await loading;
    agent.destroy();
    await killed;
  });

  it('connections that arrive together are still shared evenly', async () => {
    origin.answerBy((response) => response.end('ok'));
    const largestShares: number[] = [];
    for (let round = 0; round < 15; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, at) => through(`/together-${round}-${at}`)));
      const pattern = new RegExp(`"worker":(\\d+),.*"key":"[^"]*/together-${round}-`, 'g');
      const workers = () => [...service.stdout().matchAll(pattern)].map(([, id]) => Number(id));
      await waitUntil(() => workers().length === 50, { what: 'the log lines' });
      largestShares.push(
        Math.max(...[...new Set(workers())].map((id) => workers().filter((one) => one === id).length)),
      );
    }
    const median = largestShares.sort((one, other) => one - other)[7];
    expect(median).toBeLessThanOrEqual(35);
  });
});

it('ends with the message of a worker that cannot start', async () => {
  const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const env = { WORKERS: '2', PORT: String((other.address() as AddressInfo).port), HOST: '127.0.0.1' };
  await expect(ServiceProcess.start({ env })).rejects.toThrow(/ended with code 1[^]*EADDRINUSE/);
  other.close();
});

/** The process of the worker that answered a request, by its log line; workers are numbered in the order of their start. */
async function processThatAnswered(service: ServiceProcess, path: string): Promise<number> {
  const [, id] = await service.waitForLog(new RegExp(`"worker":(\\d+),.*"key":"[^"]*${path}"`));
  const ended = [...service.stdout().matchAll(/Worker (\d+) ended/g)].map(([, one]) => Number(one));
  const alive = [...new Set(workersHeard(service))]
    .filter((one) => !ended.includes(one))
    .sort((one, other) => one - other);
  const children = await childrenOf(service.pid!);
  return children[alive.indexOf(Number(id))]!;
}

/** The processes that a process has started, oldest first. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
}
