import {
  ConflictException,
  Controller,
  Get,
  Header,
  NotFoundException,
  Req,
  Res,
  UnauthorizedException,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CacheableResult, CacheRule, NotModified, ResponseCacheInterceptor } from '../../src/cache';
import { openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { waitUntil } from '../support/wait-until';

let calls = 0;
/** What the handler does, given the request and its reply. */
let handle: (request: FastifyRequest, reply: FastifyReply) => unknown;
const asked = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
  calls += 1;
  const result = handle(request, reply);
  await new Promise((resolve) => setTimeout(resolve, 30)); // so that all requests of a crowd wait for it
  return result;
};
const userOf = ({ headers }: FastifyRequest): string => String(headers['x-user']);
const languageOf = ({ headers }: FastifyRequest): string => String(headers['accept-language']);
const rule = { upstream: 'sharing', key: ({ url }: FastifyRequest) => url, ttlMs: 60_000 };

@Controller('sharing')
@UseInterceptors(ResponseCacheInterceptor)
class SharingController {
  @Get('plain')
  @CacheRule(rule)
  plain(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return asked(request, reply);
  }

  @Get('negative')
  @CacheRule({ ...rule, negativeTtlMs: 60_000 })
  negative(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return asked(request, reply);
  }

  @Get('by-origin')
  @Header('Vary', 'Origin')
  @CacheRule(rule)
  byOrigin(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return asked(request, reply);
  }

  @Get('tagged')
  @CacheRule({ ...rule, tags: ({ headers }) => (headers['x-tags'] === undefined ? [] : [String(headers['x-tags'])]) })
  tagged(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return asked(request, reply);
  }
}

describe('who gets the response of a route', () => {
  let app: RouteApp;
  const open = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
    calls = 0;
    app = await openRoutes([SharingController], options);
    return app;
  };
  afterEach(() => app.close());

  it.each([
    ['private', { 'cache-control': 'private' }],
    ['no-store', { 'cache-control': 'no-store' }],
    ['no-cache', { 'cache-control': 'no-cache' }],
    ['a cookie', { 'set-cookie': 'session=1' }],
    ['an origin', { 'access-control-allow-origin': 'https://a.example' }],
  ])('each client gets its own where the handler says %s, whatever the status', async (_what, fields) => {
    const { get } = await open();
    for (const status of [200, 404, 409, 422]) {
      handle = (request, reply) => {
        reply.code(status).headers(fields);
        return { of: userOf(request) };
      };
      const users = ['ann', 'bob', 'cat'];
      const answers = await Promise.all(users.map((user) => get('/sharing/plain', { 'x-user': user })));
      expect(answers.map(({ text }) => (JSON.parse(text) as { of: string }).of)).toEqual(users);
    }
  });

  it('a thrown answer is shared only by requests that select it', async () => {
    const { get } = await open();
    handle = (request, reply) => {
      reply.header('vary', 'X-User');
      throw new ConflictException(`of ${userOf(request)}`);
    };
    const users = ['ann', 'bob'];
    const answers = await Promise.all(users.map((user) => get('/sharing/plain', { 'x-user': user })));
    expect(answers.map(({ text }) => (JSON.parse(text) as { message: string }).message)).toEqual(['of ann', 'of bob']);
  });

  it('a "not found" that varies hides no other variant', async () => {
    const { get } = await open();
    handle = (request, reply) => {
      reply.header('vary', 'Accept-Language');
      if (languageOf(request) === 'xx') throw new NotFoundException();
      return { language: languageOf(request) };
    };
    const statuses: number[] = [];
    for (const language of ['xx', 'en', 'xx', 'en'])
      statuses.push((await get('/sharing/negative', { 'accept-language': language })).status);
    expect([statuses, calls]).toEqual([[404, 200, 404, 200], 2]);
  });

  it("the route's own Vary: Origin selects", async () => {
    const { get } = await open();
    handle = ({ headers }) => ({ origin: headers.origin });
    for (const origin of ['https://a.example', 'https://b.example', 'https://a.example'])
      expect((await get('/sharing/by-origin', { origin })).text).toBe(JSON.stringify({ origin }));
    expect(calls).toBe(2);
  });

  it('fields that a hook has set select as the handler reads them', async () => {
    const { get } = await open({
      prepare: (_app, fastify) =>
        void fastify.addHook('onRequest', (request, _reply, done) => {
          request.raw.headers['x-tenant'] = userOf(request);
          done();
        }),
    });
    handle = ({ headers }, reply) => {
      reply.header('vary', 'X-Tenant');
      return { tenant: headers['x-tenant'] };
    };
    for (const user of ['ann', 'bob', 'ann'])
      expect((await get('/sharing/plain', { 'x-user': user })).text).toBe(JSON.stringify({ tenant: user }));
  });

  it('languages in another order may be another preference', async () => {
    const { get } = await open();
    handle = (request, reply) => {
      reply.header('vary', 'Accept-Language');
      return { first: languageOf(request).split(',')[0] };
    };
    for (const languages of ['en, de', 'de, en'])
      expect((await get('/sharing/plain', { 'accept-language': languages })).text).toBe(
        JSON.stringify({ first: languages.slice(0, 2) }),
      );
  });

  it('a caller whose access is refused removes no variant of another', async () => {
    const { get } = await open();
    handle = (request, reply) => {
      reply.header('vary', 'X-User');
      if (userOf(request) === 'stranger') throw new UnauthorizedException();
      return { of: userOf(request) };
    };
    for (const user of ['ann', 'stranger', 'ann', 'stranger', 'ann']) await get('/sharing/plain', { 'x-user': user });
    expect(calls).toBe(3);
  });

  it('a purge by a tag that only the response has removes the variant, whenever it was loaded', async () => {
    const { get, cache } = await open();
    handle = (request, reply) => {
      reply.header('vary', 'Accept-Language');
      const language = languageOf(request);
      return new CacheableResult({ language, calls }, { tags: [`language:${language}`] });
    };
    const ask = async (language: string) => (await get('/sharing/plain', { 'accept-language': language })).text;
    await ask('en');
    const german = await ask('de');
    expect(await ask('de')).toBe(german);
    await cache?.invalidate({ kind: 'tag', tag: 'language:de' });
    expect(await ask('de')).not.toBe(german);
    const before = calls;
    const loading = ask('fr');
    await waitUntil(() => calls > before, { what: 'the load' });
    await cache?.invalidate({ kind: 'tag', tag: 'language:fr' });
    expect(await ask('fr')).not.toBe(await loading);
  });

  it('a validation counts with what the handler sets, and only where it was asked for one', async () => {
    const { get, cache } = await open();
    handle = () => new CacheableResult({ calls }, { validators: { etag: '"v"' } });
    await get('/sharing/plain');
    handle = (_request, reply) => {
      reply.header('cache-control', 'private');
      return new NotModified();
    };
    const outcomes: string[] = [];
    for (let times = 0; times < 2; times++)
      outcomes.push(String((await get('/sharing/plain', { 'cache-control': 'no-cache' })).headers['x-cache']));
    handle = () => ({ calls });
    expect(JSON.parse((await get('/sharing/plain')).text)).toEqual({ calls });
    await cache?.invalidate({ kind: 'key', key: 'sharing:/sharing/plain' }, 'stale');
    handle = () => new NotModified();
    expect((await get('/sharing/plain')).headers['cache-status']).not.toContain('REVALIDATED');
    expect(outcomes[0]).toBe('MISS');
  });

  it('a tag that the rule has now is on what is validated now', async () => {
    const { get, cache } = await open();
    handle = () => new CacheableResult({ calls }, { validators: { etag: '"v"' } });
    await get('/sharing/tagged', { 'x-tags': 'before' });
    handle = () => new NotModified();
    await get('/sharing/tagged', { 'x-tags': 'now', 'cache-control': 'no-cache' });
    expect(await cache?.invalidate({ kind: 'tag', tag: 'now' })).toBe(1);
  });
});
