import type { IncomingHttpHeaders } from 'node:http';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask } from './ask';
import { newPath } from './hostile';

/** What the API says, as its answer depends on a field that its `Vary` does not name. */
const answerTo = (headers: IncomingHttpHeaders): string => `tenant ${String(headers['x-tenant'])}`;

describe('a forwarded field that one replica names and another does not', () => {
  let redis: RedisProcess;
  let origin: ScriptedOrigin;
  let without: ServiceProcess;
  let naming: ServiceProcess;
  let path: string;

  const startReplica = async (fields?: string): Promise<ServiceProcess> => {
    const replica = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: origin.url, REDIS_ENDPOINT_URI: redis.uri, CREDENTIAL_SECRET: 'a-secret-of-the-tests' },
        ...(fields !== undefined && { GITHUB_FORWARD_HEADERS: fields }),
      },
    });
    await waitUntil(async () => (await ask(replica, '/health')).text.includes('"state":"up"'), { what: 'Redis' });
    return replica;
  };
  const get = async (replica: ServiceProcess, headers: Record<string, string> = {}) => {
    const answer = await request(`${replica.url}/github${path}`, { headers });
    return { body: answer.body.toString(), cache: answer.headers['x-cache'] };
  };
  const [b, c] = [{ 'x-tenant': 'B' }, { 'x-tenant': 'C' }];

  beforeAll(async () => {
    redis = await RedisProcess.start();
    origin = await ScriptedOrigin.start((response, { headers }) =>
      response.writeHead(200, { 'cache-control': 'public, max-age=600' }).end(answerTo(headers)),
    );
    [without, naming] = await Promise.all([startReplica(), startReplica('X-Tenant')]);
  });
  beforeEach(() => {
    path = newPath();
  });
  afterAll(async () => {
    await Promise.all([without, naming].map((replica) => replica.stop()));
    await origin.stop();
    await redis.stop();
  });

  it('selects among what the other has stored', async () => {
    expect(await get(without, b)).toEqual({ body: 'tenant undefined', cache: 'MISS' });
    for (const cache of ['MISS', 'HIT', 'HIT']) {
      expect(await get(naming, b)).toEqual({ body: 'tenant B', cache });
      expect(await get(naming, c)).toEqual({ body: 'tenant C', cache });
    }
    expect(await get(naming)).toMatchObject({ body: 'tenant undefined' });
  });

  it('selects while both store in turn, and none of them gets the other’s', async () => {
    for (let times = 0; times < 3; times++) {
      expect(await get(naming, b)).toMatchObject({ body: 'tenant B' });
      expect(await get(without, c)).toMatchObject({ body: 'tenant undefined' });
      expect(await get(naming, c)).toMatchObject({ body: 'tenant C' });
      expect(await get(without)).toMatchObject({ body: 'tenant undefined' });
    }
  });

  it.each(['x-tenant, x-other', '*'])('selects after a restart that names it: %s', async (fields) => {
    await get(without, b);
    await get(without, b);
    await get(naming, c);
    const restarted = await startReplica(fields);
    try {
      for (const cache of ['MISS', 'HIT', 'HIT']) expect(await get(restarted, b)).toEqual({ body: 'tenant B', cache });
      expect(await get(restarted, { 'x-tenant': 'D' })).toMatchObject({ body: 'tenant D' });
    } finally {
      await restarted.stop();
    }
  });
});
