import { CacheKey, CacheTTL } from '@nestjs/cache-manager';
import {
  Body,
  Controller,
  Get,
  Headers,
  Injectable,
  NotFoundException,
  Query,
  QueryMethod,
  UseGuards,
  UseInterceptors,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { firstValueFrom, of } from 'rxjs';
import { CacheInvalidator, CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { openRoutes, type RouteApp } from '../support/route-app';

/* Options of a route's rule, and of the interceptor. */

let calls: number;
let gate: Promise<void>;
const requestOf = (context: ExecutionContext): FastifyRequest => context.switchToHttp().getRequest<FastifyRequest>();

class Everyone implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class ByTenant extends ResponseCacheInterceptor {
  protected override async trackBy(context: ExecutionContext): Promise<string | undefined> {
    const { headers } = requestOf(context);
    if (headers['x-tenant'] === 'none') return undefined;
    return `${await super.trackBy(context)}|${String(headers['x-tenant'])}`;
  }
}

/** As written for stock Nest's interceptor, whose key is a text at once. */
@Injectable()
class ByTenantAtOnce extends ResponseCacheInterceptor {
  protected override trackBy(context: ExecutionContext): string {
    return `${super.trackBy(context) as string}|${String(requestOf(context).headers['x-tenant'])}`;
  }
}

@Controller('at-once')
@UseInterceptors(ByTenantAtOnce)
class TrackedAtOnceController {
  @Get('one')
  @CacheKey('one')
  @CacheTTL(60_000)
  one() {
    return { name: 'one', call: ++calls };
  }

  @Get('two')
  @CacheKey('two')
  two() {
    return { name: 'two', call: ++calls };
  }

  @Get('asked')
  @CacheKey(() => Promise.resolve('asked'))
  asked() {
    return { name: 'asked', call: ++calls };
  }
}

@Controller('rules')
@UseInterceptors(ResponseCacheInterceptor)
class RulesController {
  @Get('plainly')
  @CacheRule({ key: 'plainly', tags: ['plain-things'] })
  plainly() {
    return { call: ++calls };
  }

  @Get('typed/:id')
  @CacheRule({ keyBy: (request) => request.headers['x-tenant'], tags: (request) => [`typed:${request.params['id']}`] })
  typed(@Headers('x-tenant') tenant: string) {
    return { tenant, call: ++calls };
  }

  @Get('filtered')
  @CacheRule({ key: (request: { query: { filter?: unknown } }) => `filtered:${request.query.filter as string}` })
  filtered(@Query('filter') filter: string) {
    return { filter, call: ++calls };
  }

  @Get('language')
  @CacheRule({ upstream: 'shop', vary: ['Accept-Language', 'x-tenant'] })
  language(@Headers('accept-language') language = '', @Headers('X-Tenant') tenant = '') {
    return { language, tenant, call: ++calls };
  }

  @Get('missing')
  @CacheRule({ upstream: 'shop', vary: ['accept-language'], negativeTtlMs: 60_000 })
  missing(@Headers('accept-language') language = '') {
    calls += 1;
    throw new NotFoundException(language);
  }

  @Get('unnamed')
  @CacheRule({ upstream: 'shop', vary: ['accept-language'] })
  unnamed(@Headers('x-other') other = '') {
    return { other, call: ++calls };
  }

  @Get('slow')
  @CacheRule({ upstream: 'shop', deadlineMs: 20 })
  async slow() {
    calls += 1;
    await gate;
    return { call: calls };
  }

  @QueryMethod('search')
  @CacheRule({ upstream: 'shop', hashBody: true })
  search(@Body() body: unknown) {
    return { body, call: ++calls };
  }

  @QueryMethod('named')
  @CacheRule({ upstream: 'shop', key: () => 'named', hashBody: true })
  named(@Body() body: unknown) {
    return { body, call: ++calls };
  }

  @QueryMethod('plain')
  @CacheRule({ upstream: 'shop', key: () => 'plain' })
  plain(@Body() body: unknown) {
    return { body, call: ++calls };
  }
}

@Controller('tracked')
@UseInterceptors(ByTenant)
@UseGuards(Everyone)
class TrackedController {
  @Get('ruled')
  @CacheRule({ upstream: 'shop' })
  ruled(@Headers('x-tenant') tenant: string) {
    return { tenant, call: ++calls };
  }

  @Get('named')
  @CacheKey('named')
  @CacheTTL(60_000)
  named(@Headers('x-tenant') tenant: string) {
    return { tenant, call: ++calls };
  }

  @Get('none')
  none() {
    return { call: ++calls };
  }
}

describe('the rule of a route', () => {
  let app: RouteApp;
  let log: string[];

  beforeEach(async () => {
    calls = 0;
    gate = Promise.resolve();
    log = [];
    app = await openRoutes([RulesController, TrackedController, TrackedAtOnceController], { log });
  });
  afterEach(() => app.close());

  const read = async (path: string, headers: Record<string, string> = {}) => {
    const { text, headers: fields, status } = await app.get(path, headers);
    return {
      json: JSON.parse(text) as Record<string, unknown>,
      cache: fields['x-cache'],
      vary: fields['vary'],
      status,
    };
  };
  const query = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await app.send(path, {
      method: 'QUERY',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { json: JSON.parse(answer.body.toString()) as Record<string, unknown>, status: answer.status };
  };

  it('selects by the request fields that it names, and says so in Vary', async () => {
    for (let at = 0; at < 2; at++)
      for (const [language, tenant] of [
        ['de', 'a'],
        ['de', 'b'],
        ['fr', 'a'],
      ] as const) {
        const { json, vary } = await read('/rules/language', { 'accept-language': language, 'x-tenant': tenant });
        expect([json['language'], json['tenant'], vary]).toEqual([language, tenant, 'accept-language, x-tenant']);
      }
    expect(calls).toBe(3);
  });

  it('selects kept errors by the fields, too', async () => {
    for (const language of ['de', 'fr', 'de', 'fr'])
      expect((await read('/rules/missing', { 'accept-language': language })).json['message']).toBe(language);
    expect(calls).toBe(2);
  });

  it('leaves a route out whose handler reads a field that it does not name', async () => {
    await read('/rules/unnamed');
    await read('/rules/unnamed');
    expect(calls).toBe(2);
    expect(log.filter((line) => line.includes('RulesController.unnamed is not cached'))).toHaveLength(1);
  });

  it('ends a wait at its own deadline; the load goes on and is stored', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const late = await app.get('/rules/slow');
    expect([late.status, String(late.headers['cache-status'])]).toEqual([
      504,
      expect.stringContaining('deadline-exceeded'),
    ]);
    open();
    let last = await read('/rules/slow');
    for (let at = 0; at < 100 && last.cache !== 'HIT'; at++) last = await read('/rules/slow');
    expect([last.cache, calls]).toEqual(['HIT', 1]);
  });

  it.each(['search', 'named'])('caches QUERY by a digest of its body: %s', async (path) => {
    for (const body of [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 2 }, [1], { a: 2 }])
      expect((await query(`/rules/${path}`, body)).json['body']).toEqual(body);
    expect(calls).toBe(3);
  });

  it('tells QUERY bodies of one text apart by their type', async () => {
    await query('/rules/search', { a: 1 });
    await query('/rules/search', { a: 1 }, { 'content-type': 'application/json; charset=utf-8' });
    expect(calls).toBe(2);
  });

  it('does not cache QUERY without hashBody, whatever its key', async () => {
    await query('/rules/plain', { a: 1 });
    expect((await query('/rules/plain', { a: 2 })).json['body']).toEqual({ a: 2 });
    expect(calls).toBe(2);
  });

  it('is read by an interceptor that makes a key of its own (trackBy), with a guard', async () => {
    for (const path of ['ruled', 'named'])
      for (const tenant of ['a', 'b', 'a', 'b'])
        expect((await read(`/tracked/${path}`, { 'x-tenant': tenant })).json['tenant']).toBe(tenant);
    expect(calls).toBe(4);
    await read('/tracked/ruled', { 'x-tenant': 'none' });
    await read('/tracked/ruled', { 'x-tenant': 'none' });
    expect(calls).toBe(6);
    await read('/tracked/none', { 'x-tenant': 'a' });
    await read('/tracked/none', { 'x-tenant': 'a' });
    expect(calls).toBe(8);
    expect(log.filter((line) => line.includes('TrackedController.none is not cached, nor is any'))).toHaveLength(1);
  });

  it('is read by an interceptor whose key is a text at once, as for stock', async () => {
    for (const name of ['one', 'two', 'one', 'two'])
      expect((await read(`/at-once/${name}`, { 'x-tenant': 'a' })).json['name']).toBe(name);
    expect(calls).toBe(2);
  });

  it('whose key has the text of a promise or an object in it is not cached, with a warning', async () => {
    expect((await read('/at-once/asked')).cache).toBeUndefined();
    expect((await read('/rules/filtered?filter=%5Bobject%20Object%5D')).cache).toBeUndefined();
    expect((await read('/rules/filtered?filter=red')).cache).toBe('MISS');
    expect(log.join('\n')).toMatch(/TrackedAtOnceController\.asked was not cached: its trackBy has \[object Promise\]/);
  });

  it('has plain values, no upstream, and a request of its own type', async () => {
    await read('/rules/plainly');
    expect((await read('/rules/plainly')).cache).toBe('HIT');
    await app.app.get(CacheInvalidator, { strict: false }).invalidate({ tags: ['plain-things'] });
    expect((await read('/rules/plainly')).cache).toBe('MISS');
    await read('/rules/typed/7', { 'x-tenant': 'a' });
    expect((await read('/rules/typed/7', { 'x-tenant': 'b' })).json['tenant']).toBe('b');
    await app.app.get(CacheInvalidator, { strict: false }).invalidate({ tags: ['typed:7'] });
    expect((await read('/rules/typed/7', { 'x-tenant': 'a' })).cache).toBe('MISS');
  });

  it.each(['rpc', 'ws', 'graphql'])('is not applied to a %s context', async (kind) => {
    const interceptor = app.app.get(ResponseCacheInterceptor, { strict: false });
    const context = {
      getType: () => kind,
      getHandler: () => () => undefined,
      getClass: () => RulesController,
    };
    const answer = await interceptor.intercept(context as unknown as ExecutionContext, { handle: () => of('value') });
    expect(await firstValueFrom(answer)).toBe('value');
  });
});
