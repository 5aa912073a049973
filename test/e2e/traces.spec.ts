import { GithubSimulator } from '../../simulator';
import { freePort } from '../support/free-port';
import { OtlpCollector, type ReceivedSpan } from '../support/otlp-collector';
import { rawRequest, request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const IN_A_PATH = `ghp_${'a'.repeat(36)}`;
const PARENT = '00f067aa0ba902b7';

describe('traces', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let collector: OtlpCollector;
  let replicas: ServiceProcess[] = [];

  beforeAll(async () => {
    [github, redis, collector] = await Promise.all([
      GithubSimulator.start({ latencyMs: 0 }),
      RedisProcess.start(),
      OtlpCollector.start(),
    ]);
    const env = {
      GITHUB_API_URL: github.url,
      GITHUB_TOKEN: 'the-token-of-github',
      REDIS_ENDPOINT_URI: redis.uri,
      CREDENTIAL_SECRET: 'the-secret-of-both',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collectors-own',
      OTEL_SERVICE_NAME: 'larder-test',
      TRACE_CONTEXT_UPSTREAM: 'github',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    };
    replicas = await Promise.all([ServiceProcess.start({ env }), ServiceProcess.start({ env })]);
    const isConnected = async (replica: number) =>
      (await get(replica, '/health')).body.toString().includes('"state":"up"');
    await waitUntil(async () => (await isConnected(0)) && (await isConnected(1)), { what: 'both to reach Redis' });
  });
  afterAll(async () => {
    await Promise.all(replicas.map((one) => one.stop()));
    await Promise.all([github.stop(), redis.stop()]);
    collector.stop();
  });

  const get = (replica: number, path: string, headers: Record<string, string> = {}) =>
    request(`${replicas[replica]!.url}${path}`, { headers });
  const spansOf = (traceId: string) => collector.spans.filter((one) => one.traceId === traceId);
  const servedAs = (outcome: string, path: string) =>
    collector.spans.filter(
      ({ kind, attributes }) =>
        kind === 2 && attributes['larder.cache.outcome'] === outcome && attributes['url.path'] === path,
    );
  const nameOfParent = (one: ReceivedSpan) => collector.spans.find(({ id }) => id === one.parentId)?.name;

  it('have the steps of a miss below the span of the caller, and tell the upstream of it', async () => {
    await get(0, '/github/users/redis?ref=in-the-query', {
      traceparent: `00-${TRACE}-${PARENT}-01`,
      tracestate: 'vendor=opaque',
      authorization: 'Bearer the-callers-token',
    });
    await waitUntil(() => spansOf(TRACE).some(({ kind }) => kind === 2), { what: 'the span of the request' });
    const spans = spansOf(TRACE);
    const server = spans.find(({ kind }) => kind === 2)!;
    expect(server).toMatchObject({ service: 'larder-test', parentId: PARENT, name: 'GET /github/*' });
    expect(server.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': '/github/*',
      'http.response.status_code': 200,
      'url.path': '/github/users/redis',
      'larder.cache.outcome': 'MISS',
      'larder.cache.tier': 'upstream',
      'larder.upstream': 'github',
      'larder.cache.key_hash': expect.stringMatching(/^[\da-f]{16}$/),
    });
    const call = spans.find(({ attributes }) => attributes['server.address'] !== undefined)!;
    expect(call).toMatchObject({ kind: 3, name: 'GET' });
    expect(call.attributes).toMatchObject({
      'url.full': `${github.url}/users/redis`,
      'http.response.status_code': 200,
    });
    expect(nameOfParent(call)).toBe('load');
    expect(spans.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['cache lookup', 'cache lease', 'load', 'cache store', 'EVALSHA']),
    );
    const sent = github.requests.all().find(({ url }) => url.startsWith('/users/redis'))!;
    expect(sent.headers['traceparent']).toBe(`00-${TRACE}-${call.id}-01`);
    expect(sent.headers['tracestate']).toBe('vendor=opaque');
  });

  it('have the tier of a hit that another replica stored, and Redis below the look-up', async () => {
    await get(0, '/github/users/torvalds');
    await get(1, '/github/users/torvalds');
    await waitUntil(() => servedAs('HIT', '/github/users/torvalds').length > 0, { what: 'the span of the hit' });
    const [hit] = servedAs('HIT', '/github/users/torvalds');
    expect(hit?.attributes['larder.cache.tier']).toBe('l2');
    const commands = spansOf(hit!.traceId).filter(({ attributes }) => attributes['db.system.name'] === 'redis');
    expect(commands.map(nameOfParent)).toContain('cache lookup');
  });

  it('link a request that waited to the load that it waited for', async () => {
    const release = github.hold();
    const answers = [get(0, '/repos/octocat')];
    await waitUntil(() => github.inFlight === 1, { what: 'the load' });
    answers.push(get(0, '/repos/octocat'));
    await get(0, '/health/live'); // answered after the second has come
    release();
    await Promise.all(answers);
    await waitUntil(() => servedAs('COALESCED', '/repos/octocat').length > 0, {
      what: 'the span of the one that waited',
    });
    const [waited] = servedAs('COALESCED', '/repos/octocat');
    const linked = waited!.links.map(({ id }) => collector.spans.find((one) => one.id === id)?.name);
    expect(waited!.name).toBe('GET /repos/:account');
    expect(linked).toContain('load');
  });

  it('are not made of requests that the caller has not sampled', async () => {
    const path = '/github/users/antirez';
    const unsampled = TRACE.replace('4b', '5b');
    const headers = { traceparent: `00-${unsampled}-${PARENT}-00` };
    for (let one = 0; one < 3; one++) await get(0, path, headers);
    expect((await get(0, path, headers)).headers['cache-status']).toContain('detail=HIT/l1');
    await get(0, path);
    await waitUntil(() => servedAs('HIT', path).length > 0, { what: 'the span of the last one' });
    expect(spansOf(unsampled)).toEqual([]);
  });

  it('hold no credential, and the collector gets its own', async () => {
    const spans = () => collector.spans.filter(({ kind }) => kind === 2).length;
    const before = spans();
    const refused = [`/github/users/${IN_A_PATH}`, `/nowhere/${IN_A_PATH}`, `/github/users/x;token=${IN_A_PATH}`];
    for (const path of refused) await get(0, path);
    const withUser = `GET http://x:${IN_A_PATH}@x/github/users/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    await rawRequest(replicas[0]!.port, withUser);
    await waitUntil(() => spans() >= before + 4, { what: 'the spans of refused requests' });
    const sent = Buffer.concat(collector.received.map(({ body }) => body)).toString('latin1');
    for (const secret of [IN_A_PATH, 'the-token-of-github', 'the-callers-token', 'in-the-query', 'the-secret-of-both'])
      expect(sent).not.toContain(secret);
    expect(collector.received[0]?.headers.authorization).toBe('Bearer collectors-own');
  });

  it('are made of the requests of the operators’ port, too', async () => {
    const port = await freePort();
    const env = {
      ...{ GITHUB_API_URL: github.url, ADMIN_PORT: String(port), ADMIN_TOKEN: 'the-token-of-admins' },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'with-operators' },
    };
    const service = await ServiceProcess.start({ env });
    const headers = { authorization: 'Bearer the-token-of-admins', traceparent: `00-${'7'.repeat(32)}-${PARENT}-01` };
    expect((await request(`http://127.0.0.1:${port}/admin/audit`, { headers })).status).toBe(200);
    await service.stop();
    const [span] = spansOf('7'.repeat(32));
    expect(span).toMatchObject({ service: 'with-operators', parentId: PARENT, name: 'GET /admin/audit' });
    const sent = Buffer.concat(collector.received.map(({ body }) => body)).toString('latin1');
    expect(sent).not.toContain('the-token-of-admins');
  });

  it('are flushed when the service stops, and a collector that is down changes no answer', async () => {
    const last = await get(1, '/github/users/last-of-all');
    await replicas[1]!.stop();
    expect(servedAs('MISS', '/github/users/last-of-all')).toHaveLength(1);
    collector.stop();
    const after = await get(0, '/github/users/after-it');
    expect([last.status, after.status]).toEqual([200, 200]);
  });
});
