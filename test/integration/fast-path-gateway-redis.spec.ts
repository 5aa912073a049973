import { Agent } from 'node:http';
import { StoreHealth } from '../../src/cache/nest/store-health';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';
import { rawRequest, request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { waitUntil } from '../support/wait-until';

const keepAlive = new Agent({ keepAlive: true });
const large = 'a line of words that gzip makes shorter\n'.repeat(5_000);

describe('a gateway hit that is in Redis only', () => {
  let origin: ScriptedOrigin;
  let redis: RedisProcess;
  let service: ServiceInProcess;
  let version = 1;
  let asked = 0;
  const get = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${service.port}/github${path}`, { headers, agent: keepAlive });
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    const isHit = async () => String((await get(path, headers)).headers['cache-status']).includes('detail=HIT');
    await waitUntil(isHit, { what: 'a hit' }); // a large body is stored a little after it was sent
    await get(path, headers);
  };
  const isUp = (): boolean => service.app.get(StoreHealth, { strict: false }).get().isUp;
  const indexOf = (path: string): string => `larder:v4:e:{github:-:${path}}`;

  beforeAll(async () => {
    [origin, redis] = await Promise.all([ScriptedOrigin.start(), RedisProcess.start()]);
    origin.answerBy((response, { url, headers }) => {
      asked += 1;
      const link = url.startsWith('/linked') ? { link: `<${origin.url}/linked?page=2>; rel="next"` } : {};
      const age = url.startsWith('/brief') ? 1 : 100;
      response.writeHead(200, {
        'content-type': 'text/plain',
        'cache-control': `public, max-age=${age}`,
        etag: `"v${version}"`,
        ...link,
      });
      response.end(`${version} ${headers.authorization ?? '-'} ${url.startsWith('/large') ? large : ''}`);
    });
    const settings = { L1_MAX_BYTES: '0', REDIS_ENDPOINT_URI: redis.uri, REDIS_COMMAND_TIMEOUT_MS: '1000' };
    service = await openInProcess({ GITHUB_API_URL: origin.url, ...settings });
    await waitUntil(isUp, { what: 'the link to Redis' });
  });
  afterAll(async () => {
    await service.app.close();
    await Promise.all([origin.stop(), redis.stop()]);
  });

  it.each(['/small', '/large', '/linked'])('is served before Fastify routes the request: %s', async (path) => {
    await warm(path);
    let cacheStatus: unknown;
    expect(
      await service.seenDuring(async () => {
        cacheStatus = (await get(path)).headers['cache-status'];
      }),
    ).toBe(0);
    expect(cacheStatus).toContain('detail=HIT/l2');
  });

  it.each([
    ['/small', ''],
    ['/large', ''],
    ['/linked', ''],
    ['/small', 'if-none-match: "v1"\r\n'],
    ['/small', 'authorization: Bearer mine\r\n'],
  ])('is the same to the byte the long way: %s %j', async (path, fields) => {
    const [name = '', value = ''] = fields.trim().split(': ');
    await warm(path, name === 'authorization' ? { [name]: value } : {});
    const ask = (more: string): Promise<string> =>
      service.answerTo(`GET /github${path} HTTP/1.1\r\nhost: 127.0.0.1:${service.port}\r\n${fields}${more}\r\n`);
    let short = '';
    let long = '';
    expect(await service.seenDuring(async () => (short = await ask('')))).toBe(1); // the last request
    expect(await service.seenDuring(async () => (long = await ask('content-length: 0\r\n')))).toBe(2);
    expect(short).toBe(long);
  });

  it('is in its turn among requests of one connection', async () => {
    await Promise.all([warm('/small'), warm('/large')]);
    const asking = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
    const paths = ['/github/large', '/health', '/github/small', '/github/new', '/github/small'];
    const bytes = paths.map((path) => asking(path)).join('') + asking('/nowhere', 'connection: close\r\n');
    const answers = (await rawRequest(service.port, bytes)).toString('latin1').split('HTTP/1.1 ').slice(1);
    expect(answers.map((answer) => /^\d+|detail=\S+/.exec(answer.replace(/^200/, ''))?.[0] ?? '-')).toEqual([
      ...['detail=HIT/l2', '-', 'detail=HIT/l2', 'detail=MISS/upstream', 'detail=HIT/l2', '404'],
    ]);
  });

  it.each([
    ['the admin API', (path: string) => service.cache.invalidate({ kind: 'tag', tag: `path:github:${path}` })],
    ['a soft purge', (path: string) => service.cache.invalidate({ kind: 'tag', tag: `path:github:${path}` }, 'stale')],
    ['redis-cli DEL', (path: string) => redis.cli('DEL', indexOf(path))],
  ])('is none any more after %s', async (how, invalidate) => {
    const path = `/gone-by-${how.replaceAll(' ', '-')}`;
    await warm(path);
    expect(await service.seenDuring(() => get(path))).toBe(0);
    version += 1;
    await invalidate(path);
    const { body } = await get(path);
    expect(body.toString()).toBe(`${version} - `);
    await warm(path);
    expect(await service.seenDuring(() => get(path))).toBe(0);
  });

  it('is none any more once it is stale', async () => {
    await warm('/brief');
    const before = asked;
    await waitUntil(async () => !String((await get('/brief')).headers['cache-status']).includes('detail=HIT/'), {
      what: 'the end of its life',
    });
    expect(asked).toBeGreaterThan(before);
  });

  it('is looked for once where a client of HTTP/1.0 asks', async () => {
    await warm('/old');
    const reads = async (): Promise<number> =>
      Number(/cmdstat_get:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1]);
    const before = await reads();
    const answer = await rawRequest(service.port, 'GET /github/old HTTP/1.0\r\nhost: x\r\n\r\n');
    expect(answer.toString()).toContain('detail=HIT/l2');
    expect((await reads()) - before).toBe(2); // the index and the variant
  });

  it('is removed, and loaded again, where its stored body cannot be unpacked', async () => {
    await warm('/large-and-broken');
    const key = await redis.cli('--scan', '--pattern', 'larder:v4:e:{github:-:/large-and-broken|*}');
    await redis.command('SETRANGE', key, Number(await redis.command('STRLEN', key)) - 60, 'x'.repeat(40));
    const before = asked;
    // Not by the fast path either, which has a prepared response of the entry it read before, under another id.
    await redis.command('SETRANGE', key, 0, 'AAAAAAAAAAAA');
    const { status, headers } = await get('/large-and-broken');
    expect([status, headers['cache-status']]).toEqual([200, expect.stringContaining('detail=MISS/upstream')]);
    expect((await get('/large-and-broken')).body.toString()).toBe(`${version} - ${large}`);
    expect(asked).toBe(before + 1);
  });

  it('is sent only to its caller', async () => {
    const bodies = new Set<string>();
    for (const token of ['Bearer a', 'Bearer b', undefined]) {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: token };
      await warm('/apart', headers);
      bodies.add((await get('/apart', headers)).body.toString());
    }
    expect(bodies.size).toBe(3);
  });

  it('is answered by the upstream while Redis is frozen, and from Redis after it', async () => {
    await warm('/frozen');
    await redis.freeze();
    const answers = await Promise.all(Array.from({ length: 10 }, () => get('/frozen')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    await redis.thaw();
    await waitUntil(isUp, { what: 'the link to Redis' });
    await warm('/frozen');
    expect(await service.seenDuring(() => get('/frozen'))).toBe(0);
  });
});
