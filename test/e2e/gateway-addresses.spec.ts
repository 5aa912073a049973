import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ask } from './ask';

const OWNER = { authorization: 'Bearer ghp_owner_secret' };
const SECRET = { CREDENTIAL_SECRET: 'a-secret-of-the-tests' };

describe('links behind a proxy that ends TLS', () => {
  let origin: ScriptedOrigin;
  const services: ServiceProcess[] = [];
  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response) => {
      response
        .writeHead(200, { 'cache-control': 'max-age=600', link: `<${origin.url}/x?page=2>; rel="next"` })
        .end('[]');
    });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await origin.stop();
  });
  const linkOf = async (env: Record<string, string>, headers: Record<string, string>): Promise<string[]> => {
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, ...SECRET, ...env } });
    services.push(service);
    const links: string[] = [];
    for (const sent of [{}, headers, headers, headers, {}]) {
      const { headers: got } = await ask(service, '/github/x', { headers: sent });
      links.push(String(got['link']).replace(service.url, 'self'));
    }
    return links;
  };
  const X = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'larder.example' };
  const [own, named] = ['<self/github/x?page=2>; rel="next"', '<https://larder.example/github/x?page=2>; rel="next"'];

  it('name the service as the client does, whoever asked before', async () => {
    expect(await linkOf({ TRUST_PROXY: 'loopback' }, X)).toEqual([own, named, named, named, own]);
    const forwarded = { forwarded: 'for=203.0.113.1;proto=https;host=larder.example' };
    expect(await linkOf({ TRUST_PROXY: '1' }, forwarded)).toEqual([own, named, named, named, own]);
  });

  it('are not changed by a client that no proxy stands in front of', async () => {
    expect(await linkOf({}, X)).toEqual(Array(5).fill(own));
  });
});

describe('a host that clients take for an Enterprise Server', () => {
  let origin: ScriptedOrigin;
  let uploads: ScriptedOrigin;
  let service: ServiceProcess;
  const assets: string[] = [];
  const startService = (env: Record<string, string>) =>
    ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, GITHUB_UPLOADS_URL: uploads.url, ...SECRET, ...env } });
  const get = (path: string, headers = {}) => ask(service, path, { headers });

  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response, { url, method }) => {
      const body = { url, method, assets };
      response.writeHead(200, { 'cache-control': 'max-age=600', 'content-type': 'application/json', etag: '"e"' });
      response.end(JSON.stringify(body));
    });
    uploads = await ScriptedOrigin.start((response, { url }) => {
      assets.push(url);
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 1 }));
    });
    service = await startService({});
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all([origin.stop(), uploads.stop()]);
  });

  it('finds REST at /api/v3, also doubled, and the same stored response by every name', async () => {
    expect((await get('/github/users/redis')).headers['x-cache']).toBe('MISS');
    for (const base of ['/api/v3', '/api/v3/api/v3', '/github', '/api/v3'])
      for (let times = 0; times < 2; times++)
        expect(await get(`${base}/users/redis`)).toMatchObject({
          json: { url: '/users/redis' },
          headers: { 'x-cache': 'HIT' },
        });
    expect((await get('/api/v3/a/../users/redis')).headers['x-cache']).toBe('HIT');
    expect((await get('/api/v3')).json).toMatchObject({ url: '/' });
    expect(origin.hits.map(({ url }) => url)).toEqual(['/users/redis', '/']);
  });

  it('finds GraphQL at /api/graphql', async () => {
    const answer = await ask(service, '/api/graphql', { method: 'POST', body: '{}' });
    expect(answer.json).toMatchObject({ url: '/graphql', method: 'POST' });
  });

  it('uploads to the host of uploads, and sees the asset in the list that was stored', async () => {
    const list = () => get('/api/v3/repos/redis/redis/releases/1/assets');
    expect((await list()).json).toMatchObject({ assets: [] });
    const path = '/api/uploads/repos/redis/redis/releases/1/assets?name=a.zip';
    const headers = { ...OWNER, 'content-type': 'application/zip' };
    const uploaded = await ask(service, path, { method: 'POST', headers, body: 'bytes' });
    expect(uploaded).toMatchObject({ status: 201, json: { id: 1 } });
    const [hit] = uploads.hits;
    expect([hit?.url, hit?.body.toString(), hit?.headers.authorization]).toEqual([
      '/repos/redis/redis/releases/1/assets?name=a.zip',
      'bytes',
      OWNER.authorization,
    ]);
    expect((await list()).json).toMatchObject({ assets: [hit?.url] });
  });

  it('is not one where that is turned off, or in the strict profile', async () => {
    for (const env of [{ GITHUB_ENTERPRISE_PATHS: 'false' }, { GATEWAY_PROFILE: 'rfc' }] as Record<string, string>[]) {
      const other = await startService(env);
      try {
        expect((await ask(other, '/api/v3/users/redis')).status).toBe(404);
        expect((await ask(other, '/api/graphql', { method: 'POST', body: '{}' })).status).toBe(404);
      } finally {
        await other.stop();
      }
    }
  });

  it('keeps its own prefix where that is one of the paths', async () => {
    const other = await startService({ GITHUB_ROUTE_PREFIX: '/api/v3' });
    try {
      expect((await ask(other, '/api/v3/users/nodejs')).json).toMatchObject({ url: '/users/nodejs' });
      expect((await ask(other, '/api/v3/api/v3/users/nodejs')).json).toMatchObject({ url: '/users/nodejs' });
      expect((await ask(other, '/api/graphql', { method: 'POST', body: '{}' })).json).toMatchObject({
        url: '/graphql',
      });
    } finally {
      await other.stop();
    }
  });
});
