import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { ProblemFilter } from '../../src/server/problem.filter';
import { PageController } from '../../src/web/page.controller';
import { PageFiles, readPageFiles } from '../../src/web/page.files';
import { rawRequest, request } from '../support/raw-http';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';

const HTML = '<!doctype html><title>Larder</title>';
const SCRIPT = 'export const script = true;'.repeat(100);
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** A built page as the build leaves it. */
function build(root: string): void {
  const web = join(root, 'dist/web');
  mkdirSync(join(web, 'assets/deep'), { recursive: true });
  const write = (name: string, text: string): void => {
    writeFileSync(join(web, name), text);
    writeFileSync(join(web, `${name}.br`), brotliCompressSync(text));
    writeFileSync(join(web, `${name}.gz`), gzipSync(text));
  };
  write('index.html', HTML);
  write('assets/index-BC3x9s2K.js', SCRIPT);
  writeFileSync(join(web, 'assets/logo-DEADBEEF.svg'), '<svg/>');
  writeFileSync(join(web, 'assets/notes.txt'), 'not of the page');
  writeFileSync(join(root, 'package.json'), '{}');
}

describe('the built page', () => {
  let root: string;
  let app: NestFastifyApplication;
  let port: number;

  beforeAll(async () => {
    root = makeTempFolder('page');
    build(root);
    const adapter = createAdapter();
    const module = await Test.createTestingModule({
      controllers: [PageController],
      providers: [{ provide: PageFiles, useValue: new PageFiles(readPageFiles(root)) }],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(adapter);
    app.useGlobalFilters(ProblemFilter.of(adapter));
    await app.listen(0, '127.0.0.1');
    ({ port } = app.getHttpServer().address() as AddressInfo);
  });
  afterAll(async () => {
    await app.close();
    removeTempFolder(root);
  });

  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    request(`http://127.0.0.1:${port}${path}`, { method, headers });

  it('is revalidated each time, and its files never', async () => {
    const page = await get('/');
    expect(page).toMatchObject({ status: 200, body: Buffer.from(HTML) });
    expect(page.headers).toMatchObject({ 'cache-control': 'no-cache', vary: 'Accept-Encoding' });
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none';.*;script-src 'self';style-src 'self';/,
    );
    const script = await get('/assets/index-BC3x9s2K.js');
    expect(script).toMatchObject({ status: 200, body: Buffer.from(SCRIPT) });
    expect(script.headers).toMatchObject({
      ...{ 'cache-control': IMMUTABLE, 'content-type': 'text/javascript; charset=utf-8' },
      'x-content-type-options': 'nosniff',
    });
    expect((await get('/assets/logo-DEADBEEF.svg')).headers).toMatchObject({ 'content-type': 'image/svg+xml' });
  });

  it.each([
    ['gzip, deflate, br', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
    ['br;q=0, gzip;q=0.5', 'gzip', gunzipSync],
    ['identity', undefined, (bytes: Buffer) => bytes],
  ])('comes as the client takes it: %s', async (accepted, coding, decode) => {
    for (const [path, text] of [
      ['/', HTML],
      ['/assets/index-BC3x9s2K.js', SCRIPT],
    ] as const) {
      const { headers, body } = await get(path, { 'accept-encoding': accepted });
      expect([headers['content-encoding'], decode(body).toString()]).toEqual([coding, text]);
      expect(headers['content-length']).toBe(String(body.length));
    }
  });

  it('comes plain where a file has no smaller form', async () => {
    const { headers, body } = await get('/assets/logo-DEADBEEF.svg', { 'accept-encoding': 'br, gzip' });
    expect([headers['content-encoding'], body.toString()]).toEqual([undefined, '<svg/>']);
  });

  it('has a validator for each coding, and answers 304 to it', async () => {
    const [plain, small] = [await get('/'), await get('/', { 'accept-encoding': 'br' })];
    expect(plain.headers['etag']).not.toBe(small.headers['etag']);
    for (const tag of [plain.headers['etag'], `"other", W/${String(plain.headers['etag'])}`, '*']) {
      const again = await get('/', { 'if-none-match': String(tag) });
      expect([again.status, again.body.length, again.headers['etag']]).toEqual([304, 0, plain.headers['etag']]);
    }
    expect((await get('/', { 'if-none-match': String(small.headers['etag']) })).status).toBe(200);
  });

  it('answers HEAD with the fields of GET and no body', async () => {
    const head = await get('/assets/index-BC3x9s2K.js', { 'accept-encoding': 'br' }, 'HEAD');
    const { headers } = await get('/assets/index-BC3x9s2K.js', { 'accept-encoding': 'br' });
    expect([head.status, head.body.length]).toEqual([200, 0]);
    for (const name of ['content-type', 'content-length', 'content-encoding', 'etag', 'cache-control'])
      expect([name, head.headers[name]]).toEqual([name, headers[name]]);
  });

  it.each([
    '/assets/index.html',
    '/assets/notes.txt',
    '/assets/index-BC3x9s2K.js.br',
    '/assets/index-BC3x9s2K.jsx',
    '/assets/..%2f..%2fpackage.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/__proto__',
    '/assets/deep',
    '/assets/',
  ])('has no %s', async (path) => {
    const answer = await get(path);
    expect([answer.status, answer.headers['content-type']]).toEqual([404, expect.stringContaining('problem+json')]);
  });

  it('is never left by a path with dots on the wire', async () => {
    const path = '/assets/../../package.json';
    const answer = await rawRequest(port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /);
  });
});

it('has no files where the page is not built', () => {
  const root = makeTempFolder('page');
  try {
    expect(readPageFiles(root).size).toBe(0);
  } finally {
    removeTempFolder(root);
  }
});
