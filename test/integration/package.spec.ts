import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port';
import { buildService, repositoryRoot } from '../support/build-service';
import { OwnedProcess } from '../support/owned-process';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';

/*
 * The package as another team has it: packed, installed into a fresh application, type-checked, run on both adapters.
 */

const { devDependencies: pinned } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
  devDependencies: Readonly<Record<string, string>>;
};
const node = process.execPath;
const binOf = (name: string, file: string): string => join(repositoryRoot, 'node_modules', name, file);

/** The files of a guide by their names, as a reader would copy them. */
function filesOf(guide: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(repositoryRoot, 'docs/guides', guide), 'utf8');
  const blocks = [...text.matchAll(/```ts\n\/\/ src\/(\S+)\n([^]*?)```/g)];
  return new Map(blocks.map(([, path = '', code = '']) => [path, code]));
}

/** A file of a checkout, as it is in a project of modules with the package. */
function inPackage(text: string): string {
  return text
    .replaceAll("'../upstream'", "'larder/upstream'")
    .replaceAll("'../../testing'", "'larder/testing'")
    .replaceAll(/'(\.\/[\w.]+)'/g, "'$1.js'");
}

describe('the package, installed into a fresh Nest application', () => {
  const folder = makeTempFolder('package');
  const app = join(folder, 'shop');
  const tarball = join(folder, 'larder.tgz');
  const run = async (file: string, args: readonly string[], cwd = app) => {
    const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' };
    const running = promisify(execFile)(node, [file, ...args], { cwd, env });
    return running.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: unknown) => error as { code: number; stdout: string; stderr: string },
    );
  };
  const larder = (...args: readonly string[]) => run(join(app, 'node_modules/larder/dist/src/cli/main.js'), args);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), text);
  };
  let redis: RedisProcess;

  beforeAll(async () => {
    [redis] = await Promise.all([RedisProcess.start(), buildService()]);
    const npm = (args: readonly string[], cwd: string) =>
      promisify(execFile)('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd });
    // what `prepack` does besides the build, which other specs use at this moment
    const tsc = binOf('typescript', 'bin/tsc');
    expect(await run(tsc, ['-p', 'tsconfig.types.json'], repositoryRoot)).toMatchObject({ code: 0 });
    const packed = await npm(['pack', '--pack-destination', folder], repositoryRoot);
    const from = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '');
    writeFileSync(tarball, readFileSync(from));
    const exact = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, pinned[name]]));
    const types = exact('@types/node', '@types/jest');
    const nest = ['@nestjs/common', '@nestjs/core', '@nestjs/cache-manager', '@nestjs/platform-express'];
    const dependencies = { larder: `file:${tarball}`, ...exact(...nest, 'reflect-metadata', 'rxjs') };
    write('package.json', JSON.stringify({ name: 'shop', type: 'module', dependencies, devDependencies: types }));
    write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          ...{ target: 'ES2022', module: 'node20', strict: true, outDir: 'out', rootDir: 'src', skipLibCheck: true },
          ...{ experimentalDecorators: true, emitDecoratorMetadata: true, types: ['node', 'jest'] },
        },
        include: ['src'],
      }),
    );
    for (const [path, text] of filesOf('install-in-nest.md')) write(`src/${path}`, text);
    for (const [path, text] of filesOf('add-an-upstream.md')) write(`src/${path}`, inPackage(text));
    write(
      'src/start.ts',
      `import { startService } from 'larder/upstream';
import { AcmeCloudModule } from './acme-cloud/acme-cloud.module.js';

void startService(AcmeCloudModule);
`,
    );
    await npm(['install', '--prefer-offline'], app);
    expect(await larder('add-upstream', 'acme-cloud', '--projection', '/items/:id')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await run(tsc, [])).toMatchObject({ code: 0 });
  }, 240_000);
  afterAll(async () => {
    await redis.stop();
    removeTempFolder(folder);
  });

  it('names no source map that it does not have', () => {
    const dist = join(app, 'node_modules/larder/dist');
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.js'));
    expect(files.length).toBeGreaterThan(100);
    const named = files.filter((path) => readFileSync(join(dist, path), 'utf8').includes('\n//# sourceMappingURL='));
    expect(named).toEqual([]);
  });

  it('has no second Nest', () => {
    const found = readdirSync(join(app, 'node_modules'), { recursive: true, encoding: 'utf8' });
    const cores = found.filter((path) => /(?:^|\/)@nestjs\/(?:core|common)\/package\.json$/.test(path));
    expect(cores.sort()).toEqual(['@nestjs/common/package.json', '@nestjs/core/package.json']);
  });

  it('is what publint and attw ask for', async () => {
    expect(await run(binOf('publint', 'src/cli.js'), [tarball, '--strict'])).toMatchObject({ code: 0 });
    const attw = binOf('@arethetypeswrong/cli', 'dist/index.js');
    expect(await run(attw, [tarball, '--profile', 'node16', '--no-emoji'])).toMatchObject({ code: 0 });
  });

  it('reads and opens nothing when it is imported, and loads no web framework for the cache alone', async () => {
    const script = `
      import { createRequire } from 'node:module';
      const names = { larder: 'ResponseCacheModule', 'larder/upstream': 'defineUpstream', 'larder/testing': 'describeStore' };
      process.env = new Proxy({ ...process.env }, {
        set: (_env, name) => { throw new Error('sets ' + name); },
        get: (env, name) => {
          if (/^(PORT|REDIS_|CACHE_|GITHUB_|ACME_)/.test(String(name))) throw new Error('reads ' + String(name));
          return env[name];
        },
      });
      for (const [entry, name] of Object.entries(names)) {
        if (!(name in (await import(entry)))) throw new Error(entry + ' has no ' + name);
        const loaded = Object.keys(createRequire(import.meta.url).cache).join();
        if (entry === 'larder' && /node_modules.(fastify|express|axios|pino)/.test(loaded)) throw new Error('loads ' + loaded);
      }
      const signals = process.eventNames().filter((one) => /^SIG|^uncaught|^unhandled/.test(String(one)));
      if (signals.length > 0) throw new Error('listens to ' + signals);`;
    write('imports.mjs', script);
    // It ends by itself: no timer and no socket keeps it.
    expect(await run('imports.mjs', [])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  describe('caches a route', () => {
    const servers: OwnedProcess[] = [];
    const urls: string[] = [];

    beforeAll(async () => {
      for (const main of ['main.express.js', 'main.fastify.js']) {
        const port = await freePort();
        const env = { ...process.env, NODE_OPTIONS: '', PORT: String(port), REDIS_URL: redis.uri };
        servers.push(OwnedProcess.spawn(node, [join(app, 'out', main)], { cwd: app, env }));
        urls.push(`http://127.0.0.1:${port}`);
      }
      for (const [at, url] of urls.entries())
        await waitUntil(async () => (await get(url, '/')).status === 404, {
          what: `the application to start: ${servers[at]?.output()}`,
        });
    }, 180_000);
    afterAll(() => Promise.all(servers.map((server) => server.kill())));

    const get = async (url: string | undefined, path: string, method = 'GET') => {
      const { status, headers, body } = await request(`${url}${path}`, { method });
      return { status, cache: headers['x-cache'], body: body.toString(), headers };
    };

    it('on Express and on Fastify, by its URL', async () => {
      for (const url of urls) {
        const first = await get(url, '/products/7');
        expect(first).toMatchObject({ status: 200, cache: 'MISS' });
        expect(await get(url, '/products/7')).toMatchObject({ status: 200, cache: 'HIT', body: first.body });
      }
    });

    it('of both through one Redis, and is invalidated from code', async () => {
      const [express, fastify] = urls;
      const first = await get(express, '/stock');
      expect(first).toMatchObject({ status: 200, cache: 'MISS' });
      await waitUntil(async () => (await redis.command('KEYS', 'shop:*')).includes('shop:stock'), {
        what: 'the entry',
      });
      for (const url of urls) expect(await get(url, '/stock')).toMatchObject({ cache: 'HIT', body: first.body });
      expect(await get(fastify, '/stock', 'DELETE')).toMatchObject({ status: 200, body: '{"removed":3}' });
      const second = await get(express, '/stock');
      expect(second).toMatchObject({ status: 200, cache: 'MISS' });
      expect(second.body).not.toBe(first.body);
      expect((await get(express, '/products/7')).cache).toBe('MISS');
    });

    it('with a deadline, at which clients get a 504', async () => {
      for (const url of urls)
        expect(await get(url, '/stock/slow')).toMatchObject({
          status: 504,
          body: expect.stringContaining('deadline-exceeded') as string,
        });
    });
  });

  describe('larder, the command,', () => {
    it('says its version and its commands, and which one it does not know', async () => {
      const { version } = JSON.parse(readFileSync(join(app, 'node_modules/larder/package.json'), 'utf8')) as {
        version: string;
      };
      const [help, shown, unknown] = [await larder('--help'), await larder('--version'), await larder('strat')];
      expect(help.stdout).toMatch(/larder add-upstream NAME/);
      expect(shown).toMatchObject({ code: 0, stdout: `${version}\n` });
      expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/^larder has no command "strat"\. /) });
    });

    it('starts the service with its page, as startService does with an upstream of the application', async () => {
      const start = async (file: string) => {
        const port = await freePort();
        const env = { PATH: process.env['PATH'], NODE_ENV: 'test', PORT: String(port) };
        const service = OwnedProcess.spawn(file, file.endsWith('larder') ? [] : [join(app, 'out/start.js')], {
          cwd: app,
          env,
        });
        const get = async (path: string) => {
          const { status, body } = await request(`http://127.0.0.1:${port}${path}`);
          return { status, body: body.toString() };
        };
        await waitUntil(async () => (await get('/health/live')).status === 200, {
          what: 'the service to start',
        });
        return { service, get };
      };
      const [plain, own] = await Promise.all([start(join(app, 'node_modules/.bin/larder')), start(node)]);
      expect((await plain.get('/')).body).toContain('<title>Larder');
      expect((await plain.get('/docs-json')).body).not.toContain('"/acme-cloud/');
      expect((await own.get('/docs-json')).body).toContain('"/acme-cloud/');
      for (const { service } of [plain, own]) {
        service.signal('SIGTERM');
        expect(await service.exited).toBe(0);
      }
    });

    it('writes an upstream whose spec passes, and never over another one', async () => {
      expect(await larder('add-upstream', 'acme-cloud')).toMatchObject({
        ...{ code: 1, stdout: '' },
        stderr: expect.stringMatching(/^src\/acme-cloud is there already, and nothing was written\. .*\n$/) as string,
      });
      write(
        'jest.config.json',
        JSON.stringify({
          rootDir: app,
          testMatch: ['<rootDir>/out/**/*.spec.js'],
          transform: { '\\.m?js$': [binOf('@swc/jest', 'index.js'), { module: { type: 'commonjs' } }] },
          transformIgnorePatterns: ['/node_modules/(?!(@nestjs)/)'],
        }),
      );
      const { code, stderr } = await run(binOf('jest', 'bin/jest.js'), [
        '--config',
        'jest.config.json',
        '--ci',
        '--forceExit',
      ]);
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/Tests: +(?:1 skipped, )?\d+ passed/),
      });
    }, 120_000);
  });
});
