import { Gate } from '../support/barrier';
import { openInProcess, type ServiceInProcess } from '../support/in-process-service';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { waitUntil } from '../support/wait-until';

let origin: ScriptedOrigin;
let service: ServiceInProcess;
let gate = new Gate();
let repos = 5;

beforeAll(async () => {
  origin = await ScriptedOrigin.start((response, { url, headers }) => {
    void gate.wait().then(() => {
      const etag = `"${repos}"`;
      if (headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
      else
        response
          .writeHead(200, { 'content-type': 'application/json', etag })
          .end(JSON.stringify({ login: url.slice('/users/'.length), public_repos: repos }));
    });
  });
  service = await openInProcess({
    GITHUB_API_URL: origin.url,
    CACHE_TTL_SECONDS: '1',
    CACHE_STALE_WHILE_REVALIDATE_SECONDS: '60',
    CACHE_TTL_JITTER: '0',
    REQUEST_DEADLINE_MS: '1500',
  });
});
beforeEach(() => {
  gate = new Gate();
  gate.open();
  repos = 5;
});
afterAll(async () => {
  gate.open();
  await service.app.close();
  await origin.stop();
});

const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await request(`http://127.0.0.1:${service.port}${path}`, { headers });
  return { ...answer, text: answer.body.toString() };
};

/** The entity tag of a stored response. The first load of a busy machine may take longer than a request waits. */
const storedTag = async (path: string): Promise<string> => {
  let tag = '';
  const isStored = async () => {
    const { status, headers } = await get(path);
    tag = headers.etag ?? '';
    return status === 200;
  };
  await waitUntil(isStored, { what: path });
  return tag;
};

describe('/repos/:account', () => {
  it('gives a poller with its entity tag the new count', async () => {
    const etag = await storedTag('/repos/poller');
    const poll = () => get('/repos/poller', { 'if-none-match': etag });
    expect((await poll()).status).toBe(304);
    repos = 6;
    await waitUntil(
      async () => {
        const { status, text } = await poll();
        return status === 200 && text.includes('"repos":6');
      },
      { what: 'the new count', pollMs: 100 },
    );
    expect((await get('/repos/poller')).text).toContain('"repos":6');
  });

  it('answers 304 only to the client that has the response when two wait for one load', async () => {
    const etag = await storedTag('/repos/joined');
    await service.cache.invalidate({ kind: 'prefix', prefix: '' });
    gate = new Gate();
    let arrived = 0;
    service.app.getHttpServer().on('request', () => (arrived += 1));
    const poller = get('/repos/joined', { 'if-none-match': etag });
    await gate.untilWaiting(1);
    const plain = get('/repos/joined');
    await waitUntil(() => arrived === 2, { what: 'both' });
    setImmediate(() => gate.open());
    const { status, text, headers } = await plain;
    expect([status, JSON.parse(text)]).toEqual([200, { username: 'joined', repos: 5, cached: false }]);
    expect(headers['cache-status']).toContain('COALESCED');
    expect((await poller).status).toBe(304);
  });

  it('stores the count after a 504', async () => {
    gate = new Gate();
    const { status, headers } = await get('/repos/slow');
    expect([status, headers['content-type']]).toEqual([504, 'application/problem+json; charset=utf-8']);
    gate.open();
    await waitUntil(async () => (await get('/repos/slow')).headers['x-cache'] === 'HIT', { what: 'the hit' });
    expect(JSON.parse((await get('/repos/slow')).text)).toEqual({ username: 'slow', repos: 5, cached: true });
    const loads = origin.hits.filter(({ url, headers }) => url === '/users/slow' && !headers['if-none-match']);
    expect(loads).toHaveLength(1); // it is validated after a second
  });
});
