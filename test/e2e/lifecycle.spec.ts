import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { repositoryRoot } from '../support/build-service';
import { OwnedProcess } from '../support/owned-process';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

describe('without the API', () => {
  it('says so, and names the setting', async () => {
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: 'http://127.0.0.1:1' } });
    const answer = await ask(service, '/repos/redis');
    expect(answer).toMatchObject({
      status: 502,
      json: { code: 'upstream-unreachable', detail: expect.stringContaining('GITHUB_API_URL') },
    });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await service.stop();
  });
});

describe('the admin token', () => {
  it('is generated and shown once when none is set', async () => {
    const service = await ServiceProcess.start({ env: { ADMIN_TOKEN: undefined } });
    const [, token] = await service.waitForLog(/ADMIN_TOKEN is not set; for this run it is ([0-9a-f]{48})/);
    const answer = await ask(service, '/admin/cache/entries', { headers: { authorization: `Bearer ${token!}` } });
    expect(answer.status).toBe(200);
    await service.stop();
  });

  it('turns the admin API off when none is set in production', async () => {
    const service = await ServiceProcess.start({ env: { NODE_ENV: 'production' } });
    await service.waitForLog(/admin API is off/);
    expect(await ask(service, '/admin/cache/entries', { headers: ADMIN })).toMatchObject({
      status: 404,
      json: { code: 'route-not-found' },
    });
    await service.stop();
  });

  it('is not to be guessed: an address with many wrong tokens is refused', async () => {
    const service = await ServiceProcess.start({ env: { ADMIN_TOKEN: 'test-admin-token' } });
    const statuses: number[] = [];
    for (let tries = 0; tries < 25; tries++) {
      statuses.push(
        (await ask(service, '/admin/cache/entries', { headers: { authorization: `Bearer guess-${tries}` } })).status,
      );
    }
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401));
    expect(statuses.slice(20)).toEqual(Array(5).fill(429));
    await service.stop();
  });
});

/** When the process ends: the CommonJS files that are loaded. */
const PRINT_AT_THE_END = `data:text/javascript,
  import { Module } from 'node:module';
  process.on('exit', () => process.stdout.write('loaded ' + Object.keys(Module._cache).join(' ') + ';'));`;

describe('start and stop', () => {
  it('loads nothing that only some requests or settings need', async () => {
    const service = await ServiceProcess.start({ nodeArgs: ['--import', PRINT_AT_THE_END] });
    await service.stop();
    const files = (await service.waitForLog(/loaded (.*?);/))[1]!;
    expect(files).toContain('node_modules/fastify/');
    const spared = ['ajv', 'axios', 'redis', '@redis', 'swagger-ui-dist', '@fastify/static', 'js-yaml'];
    const sdk = ['@opentelemetry/resources', '@opentelemetry/sdk-trace-base', '@opentelemetry/sdk-metrics'];
    expect([...spared, ...sdk].filter((name) => files.includes(`node_modules/${name}/`))).toEqual([]);
  });

  it('ends without waiting for a request whose head never comes to its end', async () => {
    const service = await ServiceProcess.start({ env: { SHUTDOWN_TIMEOUT_MS: '60000' } });
    const socket = connect(service.port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('GET /health HTT');
    expect(await service.stop()).toBe(0); // which waits 20 s at most
  });

  it('refuses a wrong setting in one line for each, and exits with 1', async () => {
    await expect(
      ServiceProcess.start({ env: { CACHE_TTL_SECONDS: 'soon', REDIS_ENDPOINT_URI: 'http://x' } }),
    ).rejects.toThrow(
      /ended with code 1[^]*CACHE_TTL_SECONDS must be a number\. Example: CACHE_TTL_SECONDS=3600\n {2}REDIS_ENDPOINT_URI has the unknown scheme/,
    );
  });

  it.each([
    ['PORT', '127.0.0.1', /^PORT \d+ is in use on 127\.0\.0\.1 \(EADDRINUSE\)\. Example: PORT=\d+$/],
    [
      'HOST',
      '192.0.2.1',
      /^HOST 192\.0\.2\.1 is no address of this machine \(EADDRNOTAVAIL\)\. Example: HOST=0\.0\.0\.0$/,
    ],
  ])('refuses a %s that it cannot listen on in one line, and exits with 1', async (_name, HOST, line) => {
    const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const PORT = String((other.address() as AddressInfo).port);
    const child = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/src/main.js')], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', ADMIN_TOKEN: 'test-admin-token', HOST, PORT },
    });
    expect(await child.exited).toBe(1);
    expect(child.stderr().trim()).toMatch(line);
    expect(child.stdout()).toContain('in memory only');
    expect(child.stdout()).not.toMatch(/success|listening/i);
    other.close();
  });

  it('ends although no process reads its log any more', async () => {
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: 'http://127.0.0.1:1' } });
    service.leaveOutput();
    expect((await ask(service, '/repos/unread')).status).toBe(502);
    expect(await service.stop()).toBe(0);
  });

  it('loses no request of a client that is connected while it stops', async () => {
    const github = await GithubSimulator.start({ latencyMs: 0 });
    const service = await start(github);
    const seen: number[] = [];
    // On the fast path, and on the gateway's slow path; each on a connection of its own, until it is told to leave it.
    const clients = ['/repos/redis', '/repos/redis', '/github/users/redis', '/github/users/redis?long'].map(
      async (path, number) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const headers = number === 3 ? { 'cache-control': 'no-cache' } : {};
        for (;;) {
          const answer = await request(`${service.url}${path}`, { agent, headers });
          seen.push(answer.status);
          if (answer.headers.connection === 'close') break;
        }
        agent.destroy();
      },
    );
    await waitUntil(() => seen.length > 50, { what: 'the load' });
    service.kill('SIGTERM');
    await Promise.all(clients);
    expect(new Set(seen)).toEqual(new Set([200]));
    expect(await service.exited).toBe(0);
    await github.stop();
  });

  it('finishes the requests under way on SIGTERM, and exits with 0', async () => {
    const github = await GithubSimulator.start({ latencyMs: 0 });
    const service = await start(github);
    const release = github.hold();
    const agent = new Agent({ keepAlive: true });
    const answers = ['/repos/redis', '/github/users/nestjs'].map((path) => request(`${service.url}${path}`, { agent }));
    await waitUntil(() => github.inFlight === 2, { what: 'the calls' });
    service.kill('SIGTERM');
    const isRefused = () =>
      request(`${service.url}/health/live`).then(
        () => false,
        (error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED',
      );
    await waitUntil(isRefused, { what: 'the port to be closed' });
    release();
    // Told to leave, or the service would wait for the client to do so by itself.
    for (const { status, headers } of await Promise.all(answers))
      expect([status, headers.connection]).toEqual([200, 'close']);
    expect(await service.exited).toBe(0);
    agent.destroy();
    await github.stop();
  });
});

describe('GitHub Enterprise Server', () => {
  it('works under its base path', async () => {
    const github = await GithubSimulator.start({ latencyMs: 0, basePath: '/api/v3' });
    const service = await start(github, { GITHUB_TOKEN: 'ghp_enterprise' });
    expect((await ask(service, '/repos/redis')).json).toEqual({ username: 'redis', repos: 155, cached: false });
    const [seen] = github.requests.all();
    expect(seen).toMatchObject({
      url: '/api/v3/users/redis',
      headers: {
        authorization: 'Bearer ghp_enterprise',
        accept: 'application/vnd.github+json',
        'user-agent': expect.stringMatching(/^larder/),
        'x-github-api-version': '2022-11-28',
      },
    });
    await service.stop();
    await github.stop();
  });

  it.each([
    ['/api/v3', '/api/graphql'],
    ['/github', '/github/graphql'],
  ])('is at %s for its clients, with GraphQL at %s', async (prefix, graphql) => {
    const github = await GithubSimulator.start({ latencyMs: 0, basePath: '/api/v3' });
    const service = await start(github, { GITHUB_ROUTE_PREFIX: prefix });
    const headers = { 'content-type': 'application/json', authorization: 'Bearer ghp_owner_secret' };
    const body = { method: 'POST', headers, body: '{"query":"{ viewer { login } }"}' };
    expect((await ask(service, `${prefix}/users/redis`)).json['public_repos']).toBe(155);
    expect((await ask(service, graphql, body)).json).toMatchObject({ data: { viewer: {} } });
    expect(github.requests.all().map(({ url }) => url)).toEqual(['/api/v3/users/redis', '/api/graphql']);
    await service.stop();
    await github.stop();
  });
});
