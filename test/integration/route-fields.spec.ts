import { Controller, Get, Header, Req, Res, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { gunzipSync } from 'node:zlib';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { itOnFastify, onRequest, openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';

let calls: number;
/** What the handler sets. */
let fields: Record<string, string>;
const LAST_MODIFIED = 'Tue, 24 Nov 2026 10:00:00 GMT';

@Controller('fields')
@UseInterceptors(ResponseCacheInterceptor)
class FieldsController {
  @Get('small')
  @CacheRule({ upstream: 'things' })
  small(@Res({ passthrough: true }) reply: FastifyReply) {
    for (const [name, value] of Object.entries(fields)) void reply.header(name, value);
    return { call: ++calls };
  }

  @Get('long')
  @CacheRule({ upstream: 'things' })
  long(@Res({ passthrough: true }) reply: FastifyReply) {
    for (const [name, value] of Object.entries(fields)) void reply.header(name, value);
    return { call: ++calls, text: 'long '.repeat(1_000) };
  }

  @Get('marked')
  @CacheRule({ upstream: 'things', hitFlagName: 'cached' })
  marked(@Res({ passthrough: true }) reply: FastifyReply) {
    return this.small(reply);
  }

  @Get('keyed')
  @CacheRule({ upstream: 'things', key: () => 'keyed' })
  keyed(@Req() { headers }: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('access-control-allow-origin', String(headers.origin)).header('vary', 'Origin');
    return { call: ++calls };
  }

  @Get('by-route')
  @CacheRule({ upstream: 'things' })
  @Header('ETag', '"of-route"')
  @Header('Content-Type', 'application/vnd.things+json')
  @Header('Access-Control-Allow-Origin', 'https://app.example')
  byRoute() {
    return { call: ++calls };
  }
}

let app: RouteApp;
const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  app = await openRoutes([FieldsController], options);
  return app;
};
/** A hook closes the fast path. */
const hooked: RouteAppOptions = {
  prepare: onRequest(() => undefined),
};

beforeEach(() => {
  calls = 0;
  fields = {};
});
afterEach(() => app.close());

/** The values of a field, one for each line of it. */
const linesOf = (rawHeaders: readonly string[], name: string): string[] =>
  rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);

describe.each([
  ['by the fast path', {}],
  ['by the interceptor', hooked],
])('an answer %s', (_way, options) => {
  /** The first response, a hit, and one more, which the fast path may serve. */
  const thrice = async (path: string, headers: Record<string, string> = {}) => {
    const { get } = await open(options);
    return [await get(path, headers), await get(path, headers), await get(path, headers)] as const;
  };

  describe("with its handler's ETag", () => {
    it.each(['"v1"', 'W/"v1"', '"a,b"', '""'])('keeps it: %s', async (etag) => {
      fields = { etag };
      for (const { headers, rawHeaders } of await thrice('/fields/small')) {
        expect(headers.etag).toBe(etag);
        expect(linesOf(rawHeaders, 'etag')).toHaveLength(1);
      }
      expect(calls).toBe(1);
      for (const condition of [etag, `"x", ${etag}`, etag.replace(/^W\//, ''), `W/${etag.replace(/^W\//, '')}`, '*']) {
        const answer = await app.get('/fields/small', { 'if-none-match': condition });
        expect([condition, answer.status, answer.headers.etag, answer.text]).toEqual([condition, 304, etag, '']);
      }
      expect((await app.get('/fields/small', { 'if-none-match': '"v2", W/"x"' })).status).toBe(200);
    });

    it('answers 304 on the first request as well', async () => {
      fields = { etag: '"v1"' };
      const { get } = await open(options);
      expect((await get('/fields/small', { 'if-none-match': '"v1"' })).status).toBe(304);
      expect((await get('/fields/small')).text).toBe('{"call":1}');
    });

    it('has another strong tag where the body is gzip, and the same weak one', async () => {
      for (const [etag, packed] of [
        ['"v1"', '"v1-gzip"'],
        ['W/"v1"', 'W/"v1"'],
      ] as const) {
        fields = { etag };
        const { get } = await open(options);
        await get('/fields/long');
        const gzip = await get('/fields/long', { 'accept-encoding': 'gzip' });
        expect([gzip.headers['content-encoding'], gzip.headers.etag]).toEqual(['gzip', packed]);
        expect(gunzipSync(gzip.body).toString()).toContain('"call"');
        expect((await get('/fields/long')).headers.etag).toBe(etag);
        const held = await get('/fields/long', { 'accept-encoding': 'gzip', 'if-none-match': packed });
        expect([held.status, held.headers.etag]).toEqual([304, packed]);
        await app.close();
      }
      await open(options);
    });

    it('has a weak one where a marker is in the body', async () => {
      fields = { etag: '"v1"' };
      const [miss, hit] = await thrice('/fields/marked');
      expect([miss.text, hit.text]).toEqual(['{"call":1,"cached":false}', '{"call":1,"cached":true}']);
      expect([miss.headers.etag, hit.headers.etag]).toEqual(['W/"v1"', 'W/"v1"']);
    });

    it.each(['v1', '"v1', 'w/"v1"', '"a b"'])("has the cache's where it is none: %s", async (etag) => {
      fields = { etag };
      for (const { headers } of await thrice('/fields/small')) expect(headers.etag).toMatch(/^"[\w-]{27}"$/);
    });

    it('keeps that of @Header', async () => {
      for (const { headers } of await thrice('/fields/by-route')) expect(headers.etag).toBe('"of-route"');
      const held = await app.get('/fields/by-route', { 'if-none-match': '"of-route"' });
      expect([held.status, held.headers['content-type']]).toEqual([304, undefined]);
    });
  });

  describe("with its handler's Last-Modified", () => {
    it('answers 304 to If-Modified-Since from then on', async () => {
      fields = { 'last-modified': LAST_MODIFIED };
      await thrice('/fields/small');
      for (const [since, status] of [
        [LAST_MODIFIED, 304],
        ['Tuesday, 24-Nov-26 10:00:00 GMT', 304],
        ['Wed, 25 Nov 2026 00:00:00 GMT', 304],
        ['Tue, 24 Nov 2026 09:59:59 GMT', 200],
        ['yesterday', 200],
      ] as const) {
        const answer = await app.get('/fields/small', { 'if-modified-since': since });
        expect([since, answer.status, answer.headers['last-modified']]).toEqual([since, status, LAST_MODIFIED]);
      }
    });

    it('looks at If-None-Match alone where both are sent', async () => {
      fields = { 'last-modified': LAST_MODIFIED, etag: '"v1"' };
      await thrice('/fields/small');
      const both = (tag: string) =>
        app.get('/fields/small', { 'if-none-match': tag, 'if-modified-since': LAST_MODIFIED });
      expect([(await both('"v2"')).status, (await both('"v1"')).status]).toEqual([200, 304]);
    });

    it('answers 304 on the first request as well', async () => {
      fields = { 'last-modified': LAST_MODIFIED };
      const { get } = await open(options);
      expect((await get('/fields/small', { 'if-modified-since': LAST_MODIFIED })).status).toBe(304);
    });

    it('ignores If-Modified-Since where the handler gave none', async () => {
      for (const { status } of await thrice('/fields/small', { 'if-modified-since': LAST_MODIFIED }))
        expect(status).toBe(200);
    });
  });

  describe("with its handler's CORS fields", () => {
    it('has them on hits, once, and no others in their place', async () => {
      fields = {
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'X-Total',
        'x-content-type-options': 'nosniff',
      };
      const answers = await thrice('/fields/small', { origin: 'https://a.example' });
      for (const { rawHeaders } of answers) {
        expect(linesOf(rawHeaders, 'access-control-allow-origin')).toEqual(['*']);
        expect(linesOf(rawHeaders, 'access-control-expose-headers')).toEqual(['X-Total']);
        expect(linesOf(rawHeaders, 'x-content-type-options')).toEqual(['nosniff']);
      }
      expect(calls).toBe(1);
    });

    itOnFastify()('has those of the edge beside them where the handler set none', async () => {
      const [miss, ...hits] = await thrice('/fields/small', { origin: 'https://a.example' });
      for (const { rawHeaders } of hits) {
        for (const name of ['access-control-allow-origin', 'access-control-expose-headers']) {
          expect(linesOf(rawHeaders, name)).toEqual(linesOf(miss.rawHeaders, name));
          expect(linesOf(rawHeaders, name)).toHaveLength(1);
        }
      }
      for (const key of await keys()) {
        const found = await app.cache?.find(key);
        expect(found?.entry.headers.filter(([name]) => name.startsWith('access-control-'))).toEqual([]);
      }
    });

    it.each(['https://a.example', 'null'])('is not stored where they name one origin: %s', async (origin) => {
      fields = { 'access-control-allow-origin': origin };
      for (const { headers, rawHeaders } of await thrice('/fields/small')) {
        expect(linesOf(rawHeaders, 'access-control-allow-origin')).toEqual([origin]);
        expect(headers['x-cache']).toBe('MISS');
      }
      expect(calls).toBe(3);
    });

    it('gives each origin its own answer, also under a key that does not have it', async () => {
      const { get } = await open(options);
      for (const origin of ['https://a.example', 'https://b.example', 'https://a.example'])
        expect((await get('/fields/keyed', { origin })).headers['access-control-allow-origin']).toBe(origin);
    });

    it('is stored for each origin where it varies by Origin', async () => {
      fields = { vary: 'Origin', 'access-control-allow-origin': '*' };
      const { get } = await open(options);
      for (const origin of ['https://a.example', 'https://b.example', 'https://a.example', 'https://b.example'])
        await get('/fields/small', { origin });
      expect(calls).toBe(2);
    });

    it('is stored where the route sets an origin for each of its answers', async () => {
      for (const { rawHeaders } of await thrice('/fields/by-route'))
        expect(linesOf(rawHeaders, 'access-control-allow-origin')).toEqual(['https://app.example']);
      expect(calls).toBe(1);
    });
  });
});

it('does not count what a CORS hook varies by: it sets its fields on each answer', async () => {
  const { get } = await open({
    prepare: onRequest(({ headers }, set) => {
      set('access-control-allow-origin', String(headers['origin']));
      set('vary', 'Origin');
    }),
  });
  for (const origin of ['https://a.example', 'https://b.example']) {
    const { headers, text } = await get('/fields/small', { origin });
    expect([headers['access-control-allow-origin'], headers.vary, text]).toEqual([origin, 'Origin', '{"call":1}']);
  }
});

/** The keys of what is stored. */
async function keys(): Promise<readonly string[]> {
  const items = (await app.cache?.list('*', undefined, 10))?.items ?? [];
  expect(items).toHaveLength(1);
  return items.map(({ key }) => key);
}
