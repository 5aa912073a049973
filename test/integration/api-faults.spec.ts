import { GithubSimulator, type Fault } from '../../simulator';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask, HUNG_AFTER_MS, type Seen } from './clients';

const faults: [string, Fault, RegExp][] = [
  ['500', { kind: 'status', status: 500 }, /^upstream-error$/],
  ['503', { kind: 'status', status: 503, headers: { 'retry-after': '7' } }, /^upstream-error$/],
  [
    'an HTML page as 200',
    { kind: 'status', status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Unicorn!</h1>' },
    /^upstream-invalid$/,
  ],
  ['broken JSON', { kind: 'status', status: 200, body: '{"login":"x"' }, /^upstream-invalid$/],
  [
    'JSON of another kind',
    { kind: 'status', status: 200, body: '{"login":"x","public_repos":"many"}' },
    /^upstream-invalid$/,
  ],
  ['a reset', { kind: 'reset' }, /^upstream-(unreachable|invalid)$/],
  ['a reset in mid-body', { kind: 'reset', afterBytes: 20 }, /^upstream-(unreachable|invalid)$/],
  ['a truncated body', { kind: 'truncated' }, /^upstream-(unreachable|invalid)$/],
  ['no answer', { kind: 'hang' }, /^(upstream-timeout|deadline-exceeded)$/],
  ['one byte a second', { kind: 'slow-body', bytesPerSecond: 1 }, /^(upstream-timeout|deadline-exceeded)$/],
  ['an endless body', { kind: 'endless-body' }, /^upstream-too-large$/],
  ['a gzip bomb', { kind: 'gzip-bomb', bytes: 50_000_000 }, /^upstream-too-large$/],
  ['64 kB of headers', { kind: 'huge-headers', count: 8, bytes: 8_192 }, /^upstream-(unreachable|invalid)$/],
];

const refusals: typeof faults = [
  ['a secondary limit', { kind: 'rate-limited', status: 403, retryAfter: '30' }, /^upstream-rate-limited$/],
  [
    'a spent limit whose reset is past',
    { kind: 'rate-limited', status: 429, resetInSeconds: -100 },
    /^upstream-rate-limited$/,
  ],
];

describe('the API fails', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let service: ServiceProcess;
  /** Waits for the API for less than a second. */
  let impatient: ServiceProcess;
  let count = 0;

  const startService = async (more: Record<string, string> = {}): Promise<ServiceProcess> => {
    const started = await ServiceProcess.start({
      env: {
        GITHUB_API_URL: github.url,
        REDIS_ENDPOINT_URI: redis.uri,
        CACHE_TTL_SECONDS: '1',
        UPSTREAM_BREAKER_PAUSE_MS: '150',
        UPSTREAM_BREAKER_FAILURES: '50',
        UPSTREAM_MAX_RESPONSE_BYTES: '1000000',
        LOG_LEVEL: 'error',
        ...more,
      },
    });
    await started.untilRedisIsUp();
    return started;
  };
  const askedAbout = ({ kind }: Fault): ServiceProcess => (/hang|slow/.test(kind) ? impatient : service);
  /** A good answer; a slow machine needs more than one request for it where the service is impatient. */
  const load = async (on: ServiceProcess, name: string): Promise<Seen> => {
    let seen = await ask(on, name);
    await waitUntil(async () => seen.status === 200 || (seen = await ask(on, name)).status === 200, {
      what: 'a good answer',
    });
    return seen;
  };
  const untilStale = (name: string): Promise<void> =>
    waitUntil(
      async () => {
        const key = await redis.cli('--scan', '--pattern', `larder:v4:e:{github:-:/users/${name}|*}`);
        return key !== '' && Number(await redis.command('PTTL', key)) < 86_400_000;
      },
      { what: 'the end of freshness' },
    );

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 1_000_000_000 } });
    redis = await RedisProcess.start();
    [service, impatient] = await Promise.all([startService(), startService({ UPSTREAM_TIMEOUT_MS: '800' })]);
  });
  afterEach(() => github.faults.clear());
  afterAll(async () => {
    await Promise.all([service.stop(), impatient.stop()]);
    await redis.stop();
    await github.stop();
  });

  it.each(faults)(
    'with %s: a problem that says when to try again, and nothing is stored',
    async (_name, fault, code) => {
      const name = `cold-${++count}`;
      github.faults.always(fault);
      const seen = await ask(askedAbout(fault), name);
      expect(seen.code).toMatch(code);
      expect([429, 502, 504]).toContain(seen.status);
      if (code.source !== '^upstream-too-large$') expect(Number(seen.retryAfter)).toBeGreaterThan(0);
      expect(seen.ms).toBeLessThan(HUNG_AFTER_MS);
      expect(await redis.command('EXISTS', `larder:v4:e:{github:-:/users/${name}}`)).toBe('0');
      github.faults.clear();
      await load(askedAbout(fault), name);
    },
  );

  it.each(faults)('with %s: the stale entry, which says so', async (_name, fault) => {
    const name = `stale-${++count}`;
    const on = askedAbout(fault);
    const { repos } = (await load(on, name)).json;
    await untilStale(name);
    github.faults.always(fault);
    const seen = await ask(on, name);
    expect([seen.status, seen.json['repos'], seen.json['cached']]).toEqual([200, repos, true]);
    expect(seen.cacheStatus).toMatch(/^larder; hit; ttl=-\d+; .*detail=STALE_ON_ERROR\/l\d:/);
    expect(seen.ms).toBeLessThan(HUNG_AFTER_MS);
  });

  it.each(refusals)(
    'with %s: the stale entry, or a problem that says when to try again',
    async (_name, fault, code) => {
      // A limit is spent for all that a service asks: one of its own, with nothing known of limits.
      await redis.command('DEL', 'larder:v4:n:{budget:github}');
      const limited = await startService();
      try {
        const name = `refused-${++count}`;
        const { repos } = (await load(limited, name)).json;
        await untilStale(name);
        github.faults.always(fault);
        const seen = await ask(limited, name);
        expect([seen.status, seen.json['repos'], seen.json['cached']]).toEqual([200, repos, true]);
        expect(seen.cacheStatus).toMatch(/^larder; hit; ttl=-\d+; .*detail=STALE_ON_ERROR\/l\d:/);
        const cold = await ask(limited, `cold-${name}`);
        expect([cold.status, cold.code]).toEqual([429, expect.stringMatching(code)]);
        expect(Number(cold.retryAfter)).toBeGreaterThan(0);
        expect(await redis.command('EXISTS', `larder:v4:e:{github:-:/users/cold-${name}}`)).toBe('0');
      } finally {
        await limited.stop();
        await redis.command('DEL', 'larder:v4:n:{budget:github}');
      }
    },
  );

  it('does not ask an API that is down again and again, and is back when it is', async () => {
    await github.stop();
    const answers = await Promise.all(Array.from({ length: 120 }, (_, at) => ask(service, `down-${at}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([502]));
    await waitUntil(async () => (await ask(service, 'down-more')).code === 'upstream-paused', { what: 'the pause' });
    expect(service.isRunning).toBe(true);
    await github.restart();
    await waitUntil(async () => (await ask(service, 'back')).status === 200, { what: 'a good answer' });
  });
});

describe('the API and Redis are both down', () => {
  it('and entries in memory are served, everything else is a problem', async () => {
    const github = await GithubSimulator.start({ latencyMs: 0 });
    const redis = await RedisProcess.start();
    const service = await ServiceProcess.start({
      env: {
        GITHUB_API_URL: github.url,
        REDIS_ENDPOINT_URI: redis.uri,
        LOG_LEVEL: 'error',
        UPSTREAM_CONNECT_TIMEOUT_MS: '500',
      },
    });
    await waitUntil(async () => (await ask(service, 'kept')).cacheStatus.includes('HIT/l1'), {
      what: 'the copy in memory',
    });
    await Promise.all([github.stop(), redis.kill()]);
    const kept = await ask(service, 'kept');
    expect([kept.status, kept.json['cached']]).toEqual([200, true]);
    const unknown = await ask(service, 'unknown');
    expect([502, 503, 504]).toContain(unknown.status);
    expect(Number(unknown.retryAfter)).toBeGreaterThan(0);
    expect(service.isRunning).toBe(true);
    await service.stop();
    await redis.stop();
  });
});
