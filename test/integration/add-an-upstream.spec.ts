import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';

const ROOT = resolve(__dirname, '../..');
const SECRET = 'a-webhook-secret-of-the-tests';
const ADMIN = 'an-admin-token-of-the-tests';
const FRESH = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' };

/** The files of the guide, by their paths, as a reader would copy them. Its spec runs in package.spec.ts. */
function guideFiles(): ReadonlyMap<string, string> {
  const guide = readFileSync(join(ROOT, 'docs/guides/add-an-upstream.md'), 'utf8');
  const blocks = [...guide.matchAll(/```ts\n\/\/ src\/(\S+)\n([^]*?)```/g)];
  return new Map(blocks.map(([, path = '', code = '']) => [path, code]));
}

describe('the upstream of the guide', () => {
  // Inside the project, so that its packages are found from there.
  const folder = mkdtempSync(join(__dirname, 'guide-'));
  let origin: ScriptedOrigin;
  let app: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    for (const [path, code] of guideFiles()) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), code.replace("'../upstream'", JSON.stringify(join(ROOT, 'src/upstream'))));
    }
    origin = await ScriptedOrigin.start((response, { url: path, method }) => {
      const quota = { 'x-quota': '1000', 'x-quota-left': '900', 'x-quota-ends': '60' };
      const isThere = /^\/parcels\/7(?:\/notes)?(?:\?|$)/.test(path);
      response.writeHead(isThere ? 200 : 404, method === 'GET' ? { ...FRESH, ...quota } : quota);
      response.end(isThere ? '{"id":"7","status":"moving"}' : '{"error":"not found"}');
    });
    Object.assign(process.env, {
      POSTAL_API_URL: origin.url,
      POSTAL_SETTLE_SECONDS: '0',
      POSTAL_TOKEN: 'the-service-s-key',
    });
    Object.assign(process.env, { POSTAL_WEBHOOK_SECRET: SECRET, GITHUB_API_URL: origin.url, ADMIN_TOKEN: ADMIN });
    const { PostalModule } = (await import(join(folder, 'postal/postal.module.ts'))) as { PostalModule: Type };
    const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
    const { AppModule } = await import('../../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule, PostalModule] }).compile();
    app = setUp(module.createNestApplication<NestFastifyApplication>(createAdapter()));
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await origin.stop();
    await app.close();
  });

  const get = async (path: string, options = {}) => {
    const { status, headers, body } = await request(`${url}${path}`, options);
    return { status, cacheStatus: headers['cache-status'], json: JSON.parse(body.toString()) as object };
  };
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const arrival = { id: '7', hasArrived: false };

  it('answers as it says, step by step', async () => {
    expect(await get('/postal/parcels/7')).toMatchObject({
      status: 200,
      cacheStatus: expect.stringMatching(/^larder; fwd=uri-miss; stored;/),
    });
    expect(await get('/postal/parcels/7')).toMatchObject({ cacheStatus: expect.stringMatching(/^larder; hit;/) });
    expect((await get('/arrivals/7')).json).toEqual({ ...arrival, cached: true });
    expect(origin.hits).toHaveLength(1);
    expect((await get('/postal/parcels/7/notes', { ...post, body: '{}' })).status).toBe(200);
    expect((await get('/arrivals/7')).json).toEqual({ ...arrival, cached: false });
    expect((await get('/arrivals/none')).json).toMatchObject({ status: 404, code: 'parcel-not-found' });
    expect(
      JSON.stringify((await get('/postal-budget', { headers: { authorization: `Bearer ${ADMIN}` } })).json),
    ).toMatch(/"limit":1000,"remaining":900/);
  });

  it('asks with its own key, and keeps the keys of callers apart', async () => {
    expect(origin.hits.at(-1)?.url).toBe('/parcels/none?key=the-service-s-key');
    for (const key of ['one', 'other'])
      expect((await get(`/postal/parcels/7?key=${key}`)).cacheStatus).toMatch(/fwd=uri-miss/);
    expect(origin.hits.slice(-2).map((hit) => hit.url)).toEqual(['/parcels/7?key=one', '/parcels/7?key=other']);
  });

  it('removes what a signed webhook names', async () => {
    await get('/arrivals/7');
    expect((await get('/arrivals/7')).json).toEqual({ ...arrival, cached: true });
    const body = JSON.stringify({ parcel: '7' });
    const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
    const headers = { ...post.headers, 'x-postal-signature': signature, 'x-postal-event': 'parcel.moved' };
    expect((await get('/webhooks/postal', { ...post, headers, body })).json).toMatchObject({ status: 'done' });
    expect((await get('/arrivals/7')).json).toEqual({ ...arrival, cached: false });
  });
});
