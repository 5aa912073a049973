import {
  Controller,
  Get,
  Header,
  Headers,
  Injectable,
  Module,
  Res,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Agent } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { CacheStore } from '../../src/cache/store/cache-store';
import { rawRequest, request } from '../support/raw-http';
import { responseCache } from '../support/response-cache';

/** How many requests have got as far as an answer by Nest. */
const handled = new WeakMap<NestFastifyApplication, number>();

/** What must run on every request, and did. */
const seen = { guard: 0, interceptor: 0 };

@Injectable()
class CountingGuard implements CanActivate {
  canActivate(): boolean {
    seen.guard += 1;
    return true;
  }
}

@Injectable()
class CountingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    seen.interceptor += 1;
    return next.handle();
  }
}

const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id;

@Controller('things')
@UseInterceptors(ResponseCacheInterceptor)
class ThingsController {
  @Get('plain/:id')
  @CacheRule({ upstream: 'things', key: (request) => `plain:${idOf(request)}`, byUrl: true })
  plain() {
    return { text: 'ü'.repeat(10) };
  }

  @Get('large/:id')
  @CacheRule({ upstream: 'things', key: (request) => `large:${idOf(request)}`, byUrl: true })
  large() {
    return { text: 'x'.repeat(100_000) };
  }

  @Get('long-text/:id')
  @Header('content-type', 'text/plain; charset=utf-8')
  @CacheRule({ upstream: 'things', key: (request) => `long-text:${idOf(request)}`, byUrl: true })
  longText() {
    return 'naïve – ü '.repeat(400);
  }

  @Get('odd-fields/:id')
  @Header('vary', 'Accept-Language')
  @Header('x-note', 'caf\u00e9')
  @CacheRule({ upstream: 'things', key: (request) => `odd-fields:${idOf(request)}`, byUrl: true })
  oddFields() {
    return { value: 1 };
  }

  @Get('dated/:id')
  @Header('last-modified', 'Thu, 01 Jan 2026 00:00:00 GMT')
  @CacheRule({ upstream: 'things', key: (request) => `dated:${idOf(request)}`, byUrl: true })
  dated() {
    return { value: 1 };
  }

  @Get('by-language/:id')
  @CacheRule({ upstream: 'things', key: (request) => `by-language:${idOf(request)}`, byUrl: true })
  byLanguage(@Headers('accept-language') language: string, @Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('vary', 'Accept-Language');
    return { language };
  }

  @Get('several/:id')
  @CacheRule({ upstream: 'things', key: (request) => `several:${idOf(request)}`, byUrl: true })
  several(@Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('link', ['</a>; rel="first"', '</b>; rel="last"']);
    return { value: 1 };
  }

  @Get('marked/:id')
  @CacheRule({ upstream: 'things', key: (request) => `marked:${idOf(request)}`, byUrl: true, hitFlagName: 'cached' })
  marked() {
    return { value: 1 };
  }

  @Get('guarded/:id')
  @UseGuards(CountingGuard)
  @CacheRule({ upstream: 'things', key: (request) => `guarded:${idOf(request)}`, byUrl: true })
  guarded() {
    return { value: 1 };
  }

  @Get('tenant')
  @CacheRule({ upstream: 'things', key: ({ headers }) => `tenant:${String(headers['x-tenant'])}` })
  tenant() {
    return { value: 1 };
  }
}

/** An interceptor in front of the cache's. */
@Controller('watched')
@UseInterceptors(CountingInterceptor, ResponseCacheInterceptor)
class WatchedController {
  @Get(':id')
  @CacheRule({ upstream: 'things', key: (request) => `watched:${idOf(request)}`, byUrl: true })
  watched() {
    return { value: 1 };
  }
}

async function open(fastPathEnabled: boolean): Promise<NestFastifyApplication> {
  @Module({
    imports: [responseCache({ fastPathEnabled })],
    controllers: [ThingsController, WatchedController],
  })
  class ThingsModule {}
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter());
  await app.listen(0, '127.0.0.1');
  const adapter = app.getHttpAdapter();
  const reply = adapter.reply.bind(adapter);
  adapter.reply = (...args: Parameters<typeof reply>): unknown => {
    handled.set(app, (handled.get(app) ?? 0) + 1);
    return reply(...args) as unknown;
  };
  return app;
}

const portOf = (app: NestFastifyApplication) => (app.getHttpServer().address() as { port: number }).port;

describe('a fresh hit of a route in memory', () => {
  let withFastPath: NestFastifyApplication;
  let without: NestFastifyApplication;

  beforeAll(async () => {
    [withFastPath, without] = await Promise.all([open(true), open(false)]);
  });
  afterAll(() => Promise.all([withFastPath.close(), without.close()]));

  /** The third response: the first request loads, the second is served by the interceptor. */
  async function thirdAnswer(app: NestFastifyApplication, line: string, fields: string): Promise<string> {
    const warm = `${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${fields}\r\n`;
    for (let times = 0; times < 2; times++) await rawRequest(portOf(app), warm);
    // On a connection that stays, with a last request after it that ends the connection.
    const asked = `${line} HTTP/1.1\r\nhost: x\r\n${fields}\r\n`;
    const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    const answers = (await rawRequest(portOf(app), `${asked}${last}`)).toString('latin1');
    const answer = answers.slice(0, answers.lastIndexOf('HTTP/1.1 404'));
    return answer.replace(/(x-request-id|x-response-time|Date): .*/g, '$1: …').replace(/(ttl=|age: )\d+/g, '$1…');
  }

  /** How many requests got as far as the router while `call` ran. */
  async function handledDuring(app: NestFastifyApplication, call: () => Promise<unknown>): Promise<number> {
    const before = handled.get(app) ?? 0;
    await call();
    return (handled.get(app) ?? 0) - before;
  }

  it.each([
    ['GET /things/plain/1', ''],
    ['HEAD /things/plain/1', ''],
    ['GET /things/large/1', ''],
    ['GET /things/marked/1', ''],
    ['GET /things/plain/1', 'if-none-match: *\r\n'],
    ['HEAD /things/plain/1', 'if-none-match: *\r\n'],
    ['HEAD /things/large/1', 'if-none-match: *\r\naccept-encoding: gzip\r\n'],
    ['GET /things/plain/1', 'if-none-match: "other"\r\n'],
    ['GET /things/plain/1?query=is-not-in-the-key', ''],
    ['GET /things/plain/1', 'origin: https://elsewhere.example\r\n'],
    ['GET /things/large/1', 'accept-encoding: gzip\r\n'],
    ['HEAD /things/large/1', 'accept-encoding: gzip\r\n'],
    ['GET /things/large/1', 'accept-encoding: br, *;q=0.1\r\n'],
    ['GET /things/large/1', 'accept-encoding: gzip;q=0\r\n'],
    ['GET /things/large/1', 'if-none-match: *\r\naccept-encoding: gzip\r\n'],
    ['GET /things/long-text/1', ''],
    ['GET /things/long-text/1', 'accept-encoding: gzip\r\n'],
    ['GET /things/odd-fields/1', ''],
    ['GET /things/several/1', ''],
    ['GET /things/plain/1', 'cache-control: max-age=30\r\n'],
    ['GET /things/plain/1', 'cache-control: only-if-cached\r\n'],
    ['GET /things/plain/1', 'range: bytes=1-3\r\n'],
    ['GET /things/plain/1', 'range: bytes=900-\r\n'],
    ['GET /things/large/1', 'range: bytes=-3\r\n'],
    ['GET /things/large/1', 'range: bytes=0-9\r\naccept-encoding: gzip\r\n'],
    ['GET /things/plain/1', 'range: bytes=1-3\r\nif-range: "other"\r\n'],
    ['HEAD /things/plain/1', 'range: bytes=1-3\r\n'],
    ['GET /things/plain/1', 'if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT\r\n'],
    ['GET /things/dated/1', 'if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT\r\n'],
    ['GET /things/dated/1', 'if-modified-since: Wed, 31 Dec 2025 00:00:00 GMT\r\n'],
    ['GET /things/plain/1', 'cookie: a=b\r\n'],
    ['GET /things/by-language/1', 'accept-language: de\r\n'],
  ])('is the same to the byte on the fast path and on the slow path: %s %j', async (line, fields) => {
    const [fast, ordinary] = await Promise.all([
      thirdAnswer(withFastPath, line, fields),
      thirdAnswer(without, line, fields),
    ]);
    expect(fast).toContain('detail=HIT/l1');
    expect(fast).toBe(ordinary);
  });

  it('does not reach the router on the fast path', async () => {
    const ask = (app: NestFastifyApplication) => thirdAnswer(app, 'GET /things/plain/3', '');
    // the two that warm, and the one that ends the connection; on the slow path the hit as well
    expect(await handledDuring(withFastPath, () => ask(withFastPath))).toBe(3);
    expect(await handledDuring(without, () => ask(without))).toBe(4);
  });

  it('is served fast for each of several variants that are asked for in turn', async () => {
    const ask = (language: string) =>
      request(`http://127.0.0.1:${portOf(withFastPath)}/things/by-language/2`, {
        headers: { 'accept-language': language },
        agent: new Agent({ keepAlive: true }),
      });
    const languages = ['de', 'en', 'fr'];
    for (const language of [...languages, ...languages, ...languages]) await ask(language);
    const bodies: string[] = [];
    const handledMeanwhile = await handledDuring(withFastPath, async () => {
      for (const language of languages) bodies.push((await ask(language)).body.toString());
    });
    expect([bodies, handledMeanwhile]).toEqual([languages.map((language) => JSON.stringify({ language })), 0]);
  });

  it('is sent in part for a range, of a miss too', async () => {
    const ask = (range: string) =>
      request(`http://127.0.0.1:${portOf(withFastPath)}/things/plain/ranged`, { headers: { range } });
    for (let times = 0; times < 3; times++) {
      const part = await ask('bytes=2-5');
      expect([part.status, part.headers['content-range'], part.body.toString()]).toEqual([206, 'bytes 2-5/31', 'text']);
      const beyond = await ask('bytes=31-');
      expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */31']);
    }
  });

  it('has two forms, told apart by Vary and ETag', async () => {
    for (const app of [withFastPath, without]) {
      const ask = (headers: Record<string, string>) =>
        request(`http://127.0.0.1:${portOf(app)}/things/large/2`, { headers, agent: new Agent({ keepAlive: true }) });
      for (let times = 0; times < 3; times++) {
        const [plain, packed] = [await ask({}), await ask({ 'accept-encoding': 'gzip' })];
        expect(plain.headers['content-encoding']).toBeUndefined();
        expect(packed.headers['content-encoding']).toBe('gzip');
        expect(packed.body.length).toBeLessThan(2_000);
        expect(gunzipSync(packed.body).toString()).toBe(plain.body.toString());
        expect([plain.headers.vary, packed.headers.vary]).toEqual(['Accept-Encoding', 'Accept-Encoding']);
        expect(packed.headers.etag).toBe(plain.headers.etag?.replace(/"$/, '-gzip"'));
        const same = { 'accept-encoding': 'gzip', 'if-none-match': packed.headers.etag ?? '' };
        const other = { 'accept-encoding': 'gzip', 'if-none-match': plain.headers.etag ?? '' };
        expect([(await ask(same)).status, (await ask(other)).status]).toEqual([304, 200]);
      }
    }
  });

  it('is loaded again where the stored body cannot be unpacked', async () => {
    const store = withFastPath.get(CacheStore, { strict: false });
    const ask = () => request(`http://127.0.0.1:${portOf(withFastPath)}/things/large/3`);
    expect((await ask()).status).toBe(200);
    const found = store.peek('things:large:3');
    expect(found?.entry.coding).toBe('gzip');
    const broken = Buffer.from(found!.entry.body);
    broken.fill(0xff, 10, broken.length - 8);
    await store.put('things:large:3', { ...found!.entry, body: broken });
    const answer = await ask();
    expect([answer.status, answer.headers['x-cache'], answer.body.length]).toEqual([200, 'MISS', 100_011]);
  });

  it.each([
    ['guard', '/things/guarded/1'],
    ['interceptor', '/watched/1'],
  ] as const)('passes by no %s', async (what, path) => {
    const before = seen[what];
    for (let times = 0; times < 5; times++)
      expect((await request(`http://127.0.0.1:${portOf(withFastPath)}${path}`)).status).toBe(200);
    expect(seen[what]).toBe(before + 5);
  });

  it('is told apart by whatever its key is made of', async () => {
    const ask = (tenant: string) =>
      request(`http://127.0.0.1:${portOf(withFastPath)}/things/tenant`, { headers: { 'x-tenant': tenant } });
    for (let times = 0; times < 3; times++) await ask('a');
    expect((await ask('a')).headers['x-cache']).toBe('HIT');
    expect((await ask('b')).headers['x-cache']).toBe('MISS');
  });
});
