import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';

const ROOT = resolve(__dirname, '../..');
const TOKEN = 'an-admin-token-of-the-tests';

/** The files of the tutorial, by their paths, as a reader would copy them. */
function tutorialFiles(): ReadonlyMap<string, string> {
  const guide = readFileSync(join(ROOT, 'docs/guides/tutorial-upstream.md'), 'utf8');
  const blocks = [...guide.matchAll(/```ts\n\/\/ src\/(\S+)\n([^]*?)```/g)];
  return new Map(blocks.map(([, path = '', code = '']) => [path, code]));
}

describe('the tutorial of an upstream', () => {
  // Inside the project, so that its packages are found from there.
  const folder = mkdtempSync(join(__dirname, 'tutorial-'));
  let origin: ScriptedOrigin;
  let app: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    for (const [path, code] of tutorialFiles()) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(
        join(folder, path),
        code.replace(/'\.\.\/(upstream|cache|kernel\/[\w-]+)'/g, (_import, name: string) =>
          JSON.stringify(join(ROOT, 'src', name)),
        ),
      );
    }
    origin = await ScriptedOrigin.start((response, { url: path }) => {
      response.setHeader('content-type', 'application/json').setHeader('cache-control', 'public, max-age=300');
      if (path !== '/left-pad') response.writeHead(404).end('{"error":"Not found"}');
      else response.end(JSON.stringify({ name: 'left-pad', versions: { '1.0.0': {}, '1.3.0': {} } }));
    });
    Object.assign(process.env, { NPM_API_URL: origin.url, NPM_SETTLE_SECONDS: '0', ADMIN_TOKEN: TOKEN });
    Object.assign(process.env, { GITHUB_API_URL: origin.url, SWAGGER_ENABLED: 'false' });
    const { NpmModule } = (await import(join(folder, 'npm/npm.module.ts'))) as { NpmModule: Type };
    const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
    const { AppModule } = await import('../../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule, NpmModule] }).compile();
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

  it('answers as it says, step by step', async () => {
    expect(await get('/npm/left-pad')).toMatchObject({
      status: 200,
      cacheStatus: expect.stringMatching(/^larder; fwd=uri-miss; stored;/),
    });
    expect(await get('/npm/left-pad')).toMatchObject({ cacheStatus: expect.stringMatching(/^larder; hit;/) });
    const derived = { name: 'left-pad', versions: 2 };
    expect((await get('/downloads/left-pad')).json).toEqual({ ...derived, cached: true });
    expect(origin.hits).toHaveLength(1);
    const admin = { method: 'DELETE', headers: { authorization: `Bearer ${TOKEN}` } };
    expect((await get('/admin/cache/tags/npm:package:left-pad', admin)).status).toBe(200);
    expect((await get('/downloads/left-pad')).json).toEqual({ ...derived, cached: false });
    expect((await get('/downloads/no-such-package')).json).toMatchObject({ status: 404, code: 'package-not-found' });
  });

  it('has a service that reads through the same cache', async () => {
    const { PackagesService } = (await import(join(folder, 'npm/packages.service.ts'))) as {
      PackagesService: Type<{ versions(name: string): Promise<readonly string[]> }>;
    };
    const packages = app.get(PackagesService, { strict: false });
    expect(await packages.versions('left-pad')).toEqual(['1.0.0', '1.3.0']);
    const calls = origin.hits.length;
    expect(await packages.versions('left-pad')).toEqual(['1.0.0', '1.3.0']);
    expect(origin.hits).toHaveLength(calls);
  });
});
