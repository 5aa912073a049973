import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import type { Finding } from '../../src/doctor/finding';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { RedisCluster } from '../support/redis-cluster';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { TlsAuthority } from '../support/tls-authority';

interface Report {
  readonly code: number;
  readonly output: string;
  readonly findings: readonly Finding[];
}

describe('npm run doctor', () => {
  let github: GithubSimulator;
  let others: ScriptedOrigin;
  let folder: string;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 5_000 } });
    others = await ScriptedOrigin.start();
    folder = makeTempFolder('doctor');
  });
  afterAll(async () => {
    removeTempFolder(folder);
    await others.stop();
    await github.stop();
  });

  /** In an empty folder, so that no `.env` of a developer is read. */
  const run = (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<[number, string]> =>
    new Promise((resolve) => {
      const settings = {
        PATH: process.env['PATH'],
        GITHUB_API_URL: github.url,
        STACKEXCHANGE_API_URL: others.url,
        ...env,
      };
      execFile(
        process.execPath,
        [join(repositoryRoot, 'dist/src/doctor/main.js'), ...args],
        { cwd: folder, env: settings },
        (error, stdout, stderr) => resolve([error ? Number(error.code) : 0, stdout + stderr]),
      );
    });
  const examine = async (env?: Readonly<Record<string, string>>): Promise<Report> => {
    const [code, output] = await run(env, ['--json']);
    return { code, output, findings: JSON.parse(output) as Finding[] };
  };
  const problems = ({ findings }: Report): readonly Finding[] => findings.filter(({ level }) => level === 'problem');
  const warnings = ({ findings }: Report): readonly Finding[] => findings.filter(({ level }) => level === 'warning');

  it('finds no problem where nothing is configured, and ends with 0', async () => {
    const [code, output] = await run();
    expect(output).toMatch(/^ok {7}Redis: Not used/m);
    expect(output).toMatch(/^ok {7}GitHub: .*answers 200, without a token\.$/m);
    expect(output).toMatch(/\n0 problems, \d warnings\.\n$/);
    expect(output).not.toContain('\u001b');
    expect(code).toBe(0);
  });

  it('names every wrong setting with an example, repeats no secret, and ends with 1', async () => {
    const report = await examine({ CACHE_TTL_SECONDS: '-1', ADMIN_TOKEN: 'kurz-x7', PORT: 'none' });
    expect(report.code).toBe(1);
    expect(problems(report)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          text: 'CACHE_TTL_SECONDS must be at least 1.',
          remedy: 'Example: CACHE_TTL_SECONDS=3600',
        }),
        expect.objectContaining({ text: 'ADMIN_TOKEN must have at least 8 characters.' }),
        expect.objectContaining({ text: 'PORT must be a number.' }),
      ]),
    );
    expect(report.output).not.toContain('kurz-x7');
  });

  it('says what the start says of combinations that hurt, and of a slip in a name', async () => {
    const report = await examine({ REDIS_PASSWORD: 'never-shown-1', CACHE_TTL_SECOND: '5' });
    expect(
      warnings(report)
        .map(({ text }) => text)
        .join('\n'),
    ).toMatch(/CACHE_TTL_SECOND\b[^]*no Redis|no Redis[^]*CACHE_TTL_SECOND\b/);
    expect(report.output).not.toContain('never-shown-1');
  });

  describe('of Redis', () => {
    const evicting = { config: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' } };
    const secret = 'never-shown-2';

    it('finds nothing wrong with one that is set up as the guide says, by the rights that the reference names, and leaves nothing there', async () => {
      const page = readFileSync(join(repositoryRoot, 'docs/reference/redis-keys.md'), 'utf8');
      const [, rules = ''] = /ACL SETUSER larder (.+)/.exec(page) ?? [];
      const redis = await RedisProcess.start({
        ...evicting,
        acl: [`larder ${rules.replace('>secret', `>${secret}`)}`],
      });
      const report = await examine({
        ...{
          REDIS_ENDPOINT_URI: redis.uri,
          REDIS_USERNAME: 'larder',
          REDIS_PASSWORD: secret,
          CREDENTIAL_SECRET: secret,
        },
      });
      const keys = await redis.command('KEYS', '*');
      await redis.stop();
      expect([problems(report), warnings(report), report.code]).toEqual([[], [], 0]);
      const texts = report.findings.map(({ text }) => text).join('\n');
      for (const fact of [
        /^Redis \d+\.\d+\.\d+ at /m,
        /^Evicts by allkeys-lru \(100 MiB/m,
        /CLIENT TRACKING/,
        /may run every command/,
      ])
        expect(texts).toMatch(fact);
      expect(report.output).not.toContain(secret);
      expect(keys).toBe('');
    });

    it('names each command and channel that an ACL lacks', async () => {
      const acl = `larder on >${secret} ~* resetchannels +@all -hset -eval -client|tracking`;
      const redis = await RedisProcess.start({ ...evicting, acl: [acl] });
      const report = await examine({ REDIS_ENDPOINT_URI: `redis://larder:${secret}@127.0.0.1:${redis.port}` });
      await redis.stop();
      expect(report.code).toBe(1);
      expect(problems(report)).toEqual([
        expect.objectContaining({
          text: expect.stringContaining('may not run hset, eval'),
          remedy: expect.stringContaining('ACL SETUSER larder ~larder:* +hset +eval'),
        }),
        expect.objectContaining({ remedy: expect.stringContaining('+client|tracking') }),
        expect.objectContaining({ remedy: expect.stringContaining('&larder:invalidate') }),
      ]);
      expect(report.output).not.toContain(secret);
    });

    it('distinguishes a wrong password from a Redis that is down', async () => {
      const redis = await RedisProcess.start({ password: 'right' });
      const refused = await examine({ REDIS_ENDPOINT_URI: redis.uri, REDIS_PASSWORD: secret });
      await redis.stop();
      const gone = await examine({ REDIS_ENDPOINT_URI: `redis://127.0.0.1:${await freePort()}` });
      expect(problems(refused)[0]).toMatchObject({
        text: expect.stringContaining('WRONGPASS'),
        remedy: 'Check REDIS_USERNAME and REDIS_PASSWORD.',
      });
      expect(problems(gone)[0]).toMatchObject({
        text: expect.stringContaining('ECONNREFUSED'),
        remedy: expect.stringContaining('Start Redis there'),
      });
      expect([refused.code, gone.code]).toEqual([1, 1]);
      expect(refused.output).not.toContain(secret);
    });

    it('warns of one that evicts nothing, has no limit, or holds the keys of others', async () => {
      const redis = await RedisProcess.start({ config: { maxmemory: '100mb', 'maxmemory-policy': 'noeviction' } });
      await redis.command('SET', 'session:1', 'x');
      const refusing = await examine({ REDIS_ENDPOINT_URI: redis.uri, CREDENTIAL_SECRET: secret });
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      const boundless = await examine({ REDIS_ENDPOINT_URI: redis.uri, CREDENTIAL_SECRET: secret });
      const left = await redis.command('KEYS', '*');
      await redis.stop();
      const texts = (report: Report) => warnings(report).map(({ text }) => text);
      expect(texts(refusing)).toEqual([
        expect.stringContaining('noeviction'),
        expect.stringContaining("1 of 1 keys looked at are not the service's"),
      ]);
      expect(texts(boundless)[0]).toContain('maxmemory is not set');
      expect([refusing.code, left]).toEqual([0, 'session:1']);
    });

    it('looks at every primary of a Cluster', async () => {
      const cluster = await RedisCluster.start();
      const report = await examine({ REDIS_ENDPOINT_URI: cluster.uri });
      await cluster.stop();
      expect(problems(report)).toEqual([]);
      expect(report.findings.filter(({ text }) => /^Redis \d.* at /.test(text)).length).toBeGreaterThan(2);
    });
  });

  describe('of an upstream', () => {
    const token = 'ghp_neverShown3';

    it('distinguishes a refused token from an API that is down, fails or redirects', async () => {
      const refused = await examine({ GITHUB_TOKEN: 'bad' });
      const gone = await examine({ GITHUB_API_URL: `http://127.0.0.1:${await freePort()}`, GITHUB_TOKEN: token });
      const origin = await ScriptedOrigin.start((response) => response.writeHead(503).end());
      const failing = await examine({ GITHUB_API_URL: origin.url });
      origin.answerBy((response) => response.writeHead(301, { location: 'https://api.github.example/' }).end());
      const moved = await examine({ GITHUB_API_URL: origin.url });
      await origin.stop();
      const found = [refused, gone, failing, moved].map((report) => problems(report).map(({ text }) => text));
      expect(found).toEqual([
        [expect.stringContaining('refuses the token in GITHUB_TOKEN (401)')],
        [expect.stringContaining('ECONNREFUSED')],
        [expect.stringContaining('answers 503')],
        [expect.stringContaining('redirects (301)')],
      ]);
      expect(gone.output).not.toContain(token);
    });

    it('shows the scopes of the token and the remaining limit, and warns about a token that writes', async () => {
      const origin = await ScriptedOrigin.start((response, { headers, url }) => {
        const isAllowed = headers.authorization === `Bearer ${token}` && url === '/rate_limit';
        const limits = {
          'x-ratelimit-limit': '5000',
          'x-ratelimit-remaining': '12',
          'x-ratelimit-reset': '4000000000',
        };
        response.writeHead(isAllowed ? 200 : 401, { ...limits, 'x-oauth-scopes': 'repo, read:org' }).end('{}');
      });
      const report = await examine({ GITHUB_API_URL: origin.url, GITHUB_TOKEN: token });
      await origin.stop();
      expect(warnings(report).map(({ text }) => text)).toEqual([
        expect.stringContaining('may do more than read: repo'),
        expect.stringContaining('12 of 5000 requests'),
      ]);
      expect(report.code).toBe(0);
      expect(report.output).not.toContain(token);
    });
  });

  it('looks at the certificate: its end, its host, and whether the key belongs to it', async () => {
    const [authority, other] = [await TlsAuthority.create(), await TlsAuthority.create()];
    const files = { TLS_CERT_FILE: authority.certFile, TLS_KEY_FILE: authority.keyFile };
    const ending = await examine({ ...files, PUBLIC_URL: 'https://larder.example' });
    const mixed = await examine({ ...files, TLS_KEY_FILE: other.keyFile });
    writeFileSync(join(folder, 'no.key'), 'nothing');
    const garbage = await examine({ ...files, TLS_KEY_FILE: join(folder, 'no.key') });
    for (const one of [authority, other]) one.remove();
    expect(warnings(ending).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^The certificate in TLS_CERT_FILE ends at /),
      expect.stringContaining('does not name larder.example'),
    ]);
    expect(problems(mixed)).toEqual([
      expect.objectContaining({ subject: 'TLS', text: expect.stringContaining('cannot be used together') }),
    ]);
    expect(problems(garbage)).toEqual([
      expect.objectContaining({ subject: 'Settings', text: expect.stringContaining('TLS_KEY_FILE') }),
    ]);
  });
});
