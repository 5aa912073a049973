import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { request, type HttpAnswer } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

const SECRET = { CREDENTIAL_SECRET: 'a-secret-of-the-tests' };
const TOKEN = { authorization: 'Bearer ghp_owner_secret' };

const through = (service: ServiceProcess, path: string, headers: Record<string, string> = {}) =>
  request(`${service.url}/github${path}`, { headers });
const problemOf = ({ status, headers, body }: HttpAnswer) => ({
  status,
  code: (JSON.parse(body.toString()) as { code?: string }).code,
  retryAfter: Number(headers['retry-after']),
  remaining: headers['x-ratelimit-remaining'],
});
const folder = makeTempFolder('rules');
afterAll(() => removeTempFolder(folder));

function rulesFile(rules: readonly object[]): string {
  const path = join(folder, 'rules.json');
  writeFileSync(path, JSON.stringify(rules));
  return path;
}

const budgetOf = async (service: ServiceProcess) =>
  (await ask(service, '/github-budget', { headers: ADMIN })).json as unknown as {
    credentials: { credential: string; resources: Record<string, { remaining: number }>; pausedFor: number }[];
    requests: Record<string, number>;
  };

describe('the rate limit as a budget', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  const begin = async (anonymous: number, env: Record<string, string> = {}): Promise<void> => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous } });
    service = await start(github, { ...SECRET, ...env });
  };
  afterEach(async () => {
    await service.stop();
    await github.stop();
  });

  it('sends nothing more once the limit is spent, and says until when', async () => {
    await begin(2);
    expect((await through(service, '/users/redis')).status).toBe(200);
    expect((await through(service, '/users/nodejs')).status).toBe(200);
    github.requests.reset();
    const held = await Promise.all(Array.from({ length: 50 }, (_, at) => through(service, `/users/nobody-${at}`)));
    for (const answer of held) {
      const { retryAfter, ...problem } = problemOf(answer);
      expect(problem).toEqual({ status: 403, code: 'upstream-rate-limited', remaining: '0' });
      expect(retryAfter).toBeGreaterThan(3_000);
    }
    expect(github.requests.count()).toBe(0);
    expect((await through(service, '/users/redis')).status).toBe(200); // what is stored still is
  });

  it('counts a refusal by the class of its status, and shows a limit in the metrics until its window is over', async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 1, windowMs: 2_000 } });
    service = await start(github, SECRET);
    await through(service, '/users/redis');
    github.faults.next(1, { kind: 'rate-limited', status: 403, retryAfter: '60' });
    await through(service, '/users/nodejs', TOKEN);
    expect(problemOf(await through(service, '/users/nobody', TOKEN)).status).toBe(403);
    const metrics = async () => (await ask(service, '/metrics')).text;
    expect(await metrics()).toContain(
      'larder_failures_total{upstream="github",code="upstream-rate-limited",status="4xx"} 1',
    );
    await waitUntil(async () => !(await metrics()).includes('larder_rate_limit_remaining{'), {
      what: 'no limit in the metrics',
      pollMs: 50,
    });
  });

  it('never sends more at once than are left', async () => {
    await begin(5);
    await through(service, '/users/redis');
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => through(service, `/users/nobody-${at}`)));
    expect(answers.filter(({ status }) => status !== 403)).toHaveLength(4);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(36);
    expect(github.requests.count()).toBe(5);
  });

  it('keeps one budget for the gateway and for the account route', async () => {
    await begin(1);
    expect((await ask(service, '/repos/redis')).status).toBe(200);
    github.requests.reset();
    expect(problemOf(await through(service, '/users/nodejs'))).toMatchObject({ code: 'upstream-rate-limited' });
    expect((await ask(service, '/repos/nodejs')).json).toMatchObject({ code: 'upstream-rate-limited', status: 429 });
    expect(github.requests.count()).toBe(0);
  });

  it('keeps credentials apart, and resources of a credential', async () => {
    await begin(1);
    await through(service, '/users/redis');
    expect((await through(service, '/users/nodejs')).status).toBe(403);
    expect((await through(service, '/users/nodejs', TOKEN)).status).toBe(200);
    expect((await through(service, '/search/repositories?q=redis')).status).toBe(200);
    expect((await through(service, '/rate_limit')).status).toBe(200);
    const { credentials } = await budgetOf(service);
    expect(credentials.map(({ resources }) => Object.keys(resources).sort())).toEqual(
      expect.arrayContaining([['core', 'search'], ['core']]),
    );
    expect(JSON.stringify(credentials)).not.toContain('ghp_');
  });

  it('passes a refusal by GitHub itself on unchanged, once', async () => {
    await begin(100);
    github.faults.next(1, { kind: 'rate-limited', status: 403, retryAfter: '300' });
    const first = await through(service, '/users/redis');
    expect([first.status, first.headers['retry-after']]).toEqual([403, '300']);
    expect(first.body.toString()).toContain('secondary rate limit');
    github.requests.reset();
    expect(problemOf(await through(service, '/users/redis'))).toMatchObject({ status: 403 });
    expect(problemOf(await through(service, '/search/repositories?q=x'))).toMatchObject({ status: 403 });
    expect(github.requests.count()).toBe(0);
    expect((await budgetOf(service)).credentials[0]?.pausedFor).toBeGreaterThan(200);
  });

  it('serves what is stale while nothing may be sent', async () => {
    await begin(100, { GITHUB_RULES_FILE: rulesFile([{ path: '/users/:name', ttl: 0 }]) });
    const fresh = await through(service, '/users/redis');
    github.faults.next(1, { kind: 'rate-limited', status: 429, retryAfter: '60' });
    for (let times = 0; times < 3; times++) {
      const stale = await through(service, '/users/redis');
      expect([stale.status, stale.body]).toEqual([200, fresh.body]);
      expect(stale.headers['cache-status']).toContain('STALE_ON_ERROR');
    }
    expect(github.requests.count()).toBe(2);
  });

  it('knows a secondary limit by the body of a 403 alone, passes it on, and serves what is stale', async () => {
    await begin(100, { GITHUB_RULES_FILE: rulesFile([{ path: '/users/redis', ttl: 0 }]) });
    const fresh = await through(service, '/users/redis');
    const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
    const body = JSON.stringify({ message, documentation_url: 'https://docs.github.com/rest' });
    const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=60' };
    github.faults.next(1, { kind: 'status', status: 403, headers, body });
    const refused = await through(service, '/users/nodejs');
    expect([refused.status, refused.body.toString()]).toEqual([403, body]);
    expect(problemOf(await through(service, '/users/nodejs'))).toMatchObject({ code: 'upstream-rate-limited' });
    const stale = await through(service, '/users/redis');
    expect([stale.status, stale.body]).toEqual([200, fresh.body]);
    expect(github.requests.count()).toBe(2);
  });

  it('stores a 403 that is about access, as GitHub allows', async () => {
    await begin(100);
    const body = JSON.stringify({ message: 'Repository access blocked' });
    const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=60' };
    github.faults.next(1, { kind: 'status', status: 403, headers, body });
    for (let times = 0; times < 2; times++) {
      const { status, body: got } = await through(service, '/repos/redis/redis');
      expect([status, got.toString()]).toEqual([403, body]);
    }
    expect(github.requests.count()).toBe(1);
  });

  it('counts requests sent and saved', async () => {
    await begin(100, { GITHUB_RULES_FILE: rulesFile([{ path: '/users/nodejs', ttl: 0 }]) });
    for (let times = 0; times < 3; times++) await through(service, '/users/redis', TOKEN);
    for (let times = 0; times < 3; times++) await through(service, '/users/nodejs', TOKEN);
    const { requests, credentials } = await budgetOf(service);
    expect(requests).toMatchObject({ sent: 4, notModified: 2, heldBack: 0, savedByStore: 2, underWay: 0, waiting: 0 });
    const remaining = credentials[0]?.resources['core']?.remaining;
    const { text } = await ask(service, '/metrics');
    expect(text).toContain('larder_upstream_requests_total{upstream="github",result="not_modified"} 2');
    expect(text).toContain('larder_upstream_requests_saved_total{upstream="github",by="stored"} 2');
    expect(text).toMatch(
      new RegExp(
        `larder_rate_limit_remaining\\{upstream="github",credential="[\\w-]{16}",resource="core"\\} ${remaining}`,
      ),
    );
  });

  it('spends no more points a minute than it may, however the token is written', async () => {
    await begin(100, { GITHUB_POINTS_PER_MINUTE: '3' });
    const basic = `Basic ${Buffer.from('x-access-token:ghp_x').toString('base64')}`;
    const ways = ['Bearer ghp_x', 'bearer ghp_x', basic, 'token ghp_x'];
    const answers: HttpAnswer[] = [];
    for (const [at, authorization] of ways.entries())
      answers.push(await through(service, `/users/redis?page=${at}`, { authorization })); // one caller: the same URL would be a hit
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 403]);
    const { retryAfter, ...problem } = problemOf(answers[3] as HttpAnswer);
    expect(problem).toEqual({ status: 403, code: 'upstream-rate-limited', remaining: '99' });
    expect(retryAfter).toBeGreaterThan(0);
    expect(github.requests.count()).toBe(3);
    expect((await budgetOf(service)).credentials).toHaveLength(1);
  });

  it('is shown only with the admin token', async () => {
    await begin(100);
    expect((await ask(service, '/github-budget')).status).toBe(401);
    expect((await ask(service, '/gitlab-budget', { headers: ADMIN })).json).toMatchObject({
      ...{ status: 404, code: 'route-not-found' },
    });
  });
});

describe('the rate limit, across replicas', () => {
  let redis: RedisProcess;
  let github: GithubSimulator;
  let replicas: readonly [ServiceProcess, ServiceProcess];

  beforeAll(async () => {
    [redis, github] = await Promise.all([
      RedisProcess.start(),
      GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 2 } }),
    ]);
    const env = { ...SECRET, REDIS_ENDPOINT_URI: redis.uri };
    replicas = await Promise.all([start(github, env), start(github, env)]);
    await Promise.all(replicas.map((replica) => replica.untilRedisIsUp()));
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await Promise.all([redis.stop(), github.stop()]);
  });

  it('is spent for all of them when it is for one', async () => {
    await through(replicas[0], '/users/redis');
    await through(replicas[0], '/users/nodejs');
    expect((await through(replicas[0], '/users/nestjs')).status).toBe(403);
    github.requests.reset();
    const burst = await Promise.all(Array.from({ length: 10 }, (_, at) => through(replicas[1], `/users/nobody-${at}`)));
    expect(burst.map(({ status }) => status)).toEqual(Array.from(burst, () => 403));
    expect(github.requests.count()).toBe(0);
    const shown = await Promise.all(replicas.map(budgetOf));
    for (const { credentials } of shown)
      expect(credentials).toMatchObject([
        { credential: '-', resources: { core: { limit: 2, remaining: 0, used: 2 } } },
      ]);
  });
});
