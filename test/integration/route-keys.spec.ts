import { CacheKey, CacheTTL } from '@nestjs/cache-manager';
import {
  All,
  Controller,
  Get,
  HostParam,
  Req,
  UseInterceptors,
  VersioningType,
  type Type,
  type VersioningOptions,
} from '@nestjs/common';
import { RouteConstraints, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { itOnFastify, onAdapter, openRoutes, type RouteApp, type RouteAppOptions } from '../support/route-app';
import { four, inTurn } from './in-turn';

let calls: number;

@Controller({ path: 'items', version: '1' })
@UseInterceptors(ResponseCacheInterceptor)
class FirstItems {
  @Get()
  @CacheTTL(60_000)
  get() {
    return { version: 1 };
  }
}

@Controller({ path: 'items', version: '2' })
@UseInterceptors(ResponseCacheInterceptor)
class SecondItems {
  @Get()
  @CacheTTL(60_000)
  get() {
    return { version: 2 };
  }
}

@Controller({ path: 'h', host: ':account.example' })
@UseInterceptors(ResponseCacheInterceptor)
class Hosts {
  @Get()
  @CacheTTL(60_000)
  get(@HostParam('account') account: string) {
    calls += 1;
    return { account };
  }
}

@Controller('own-host')
@UseInterceptors(ResponseCacheInterceptor)
class OwnHost {
  @Get()
  @CacheTTL(60_000)
  get() {
    return { calls: ++calls };
  }
}

@Controller('for-both')
@UseInterceptors(ResponseCacheInterceptor)
class ForBoth {
  @Get('get')
  @CacheRule({ upstream: 'both', key: () => 'get' })
  get(@Req() { method }: FastifyRequest) {
    calls += 1;
    return method === 'HEAD' ? undefined : { method };
  }

  @All('all')
  @CacheRule({ upstream: 'both', key: () => 'all' })
  all(@Req() { method }: FastifyRequest) {
    calls += 1;
    return method === 'HEAD' ? undefined : { method };
  }

  @All('of-all')
  @CacheRule({ upstream: 'both' })
  ofAll() {
    return { calls: ++calls };
  }

  @Get('named')
  @CacheKey('both-named')
  named(@Req() { method }: FastifyRequest) {
    calls += 1;
    return method === 'HEAD' ? undefined : { method };
  }
}

@Controller('tier')
@UseInterceptors(ResponseCacheInterceptor)
class Tiers {
  @Get()
  @RouteConstraints({ tier: 'gold' })
  @CacheTTL(60_000)
  gold() {
    return { tier: 'gold' };
  }

  @Get()
  @CacheTTL(60_000)
  free() {
    return { tier: 'free' };
  }

  @Get('by-url')
  @RouteConstraints({ tier: 'gold' })
  @CacheRule({ upstream: 'tier', key: () => 'gold', byUrl: true })
  goldByUrl() {
    return { tier: 'gold' };
  }

  @Get('by-url')
  @CacheRule({ upstream: 'tier', key: () => 'free', byUrl: true })
  freeByUrl() {
    return { tier: 'free' };
  }
}

let app: RouteApp;
const open = async (controllers: Type[], options: RouteAppOptions = {}): Promise<RouteApp> =>
  (app = await openRoutes(controllers, options));

beforeEach(() => (calls = 0));
afterEach(() => app.close());

describe('versions of a route', () => {
  const ways: [string, VersioningOptions, (version: string) => Record<string, string>][] = [
    ['a header', { type: VersioningType.HEADER, header: 'X-Version' }, (version) => ({ 'x-version': version })],
    [
      'the media type',
      { type: VersioningType.MEDIA_TYPE, key: 'v=' },
      (version) => ({ accept: `application/json;v=${version}` }),
    ],
    [
      'something of its own',
      {
        type: VersioningType.CUSTOM,
        extractor: (request: unknown) => String((request as IncomingMessage).headers['x-own'] ?? ''),
      },
      (version) => ({ 'x-own': version }),
    ],
  ];

  it.each(ways)('by %s are entries of their own', async (_way, versioning, headersOf) => {
    await open([FirstItems, SecondItems], { versioning });
    const answers = await inTurn(app, '/items', [headersOf('1'), headersOf('2')]);
    expect(answers).toEqual(four([{ version: 1 }, { version: 2 }]));
  });
});

@Controller({ path: 'items', version: '1' })
@UseInterceptors(ResponseCacheInterceptor)
class Same {
  @Get()
  @CacheTTL(60_000)
  get() {
    return { version: 1 };
  }
}
const SameAgain = (() => {
  @Controller({ path: 'items', version: '2' })
  @UseInterceptors(ResponseCacheInterceptor)
  class Same {
    @Get()
    @CacheTTL(60_000)
    get() {
      return { version: 2 };
    }
  }
  return Same;
})();

describe('handlers of one URL', () => {
  it('by a media type that names two versions are entries of their own, whatever their names', async () => {
    await open([Same, SameAgain], { versioning: { type: VersioningType.MEDIA_TYPE, key: 'v=' } });
    const asked = ['a/b;v=1', 'a/b;v=2', 'a/b;v=1;v=2', 'a/b;q="x;v=1;";v=2'].map((accept) => ({ accept }));
    const right = [1, 2, 1, 2].map((version) => ({ version }));
    expect(await inTurn(app, '/items', asked)).toEqual(four(right));
    expect(await inTurn(app, '/items', asked.reverse())).toEqual(four(right.reverse()));
  });

  itOnFastify().each(['/tier', '/tier/by-url'])(
    "by Fastify's constraints are entries of their own: %s",
    async (path) => {
      await open([Tiers], { prepare: addTiers });
      const answers = await inTurn(app, path, [{ 'x-tier': 'gold' }, {}]);
      expect(answers).toEqual(four([{ tier: 'gold' }, { tier: 'free' }]));
    },
  );
});

function addTiers(_app: NestFastifyApplication, fastify: FastifyInstance): void {
  fastify.addConstraintStrategy({
    name: 'tier',
    storage: () => {
      const handlers = new Map<unknown, unknown>();
      return {
        get: (tier: unknown) => (handlers.get(tier) ?? null) as never,
        set: (tier: unknown, handler: unknown) => void handlers.set(tier, handler),
      };
    },
    deriveConstraint: ({ headers }) => headers['x-tier'],
    mustMatchWhenDerived: false,
  });
}

describe('a HEAD', () => {
  it.each(['get', 'all', 'named'])('that comes first stores what a GET gets: %s', async (path) => {
    await open([ForBoth]);
    for (let times = 0; times < 3; times++) {
      const head = await app.get(`/for-both/${path}`, {}, 'HEAD');
      expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '16']);
      expect((await app.get(`/for-both/${path}`)).text).toBe('{"method":"GET"}');
    }
    expect(calls).toBe(1);
  });

  it('of a route of its own tells the length and the tag of a GET', async () => {
    await open([ForBoth]);
    const { headers } = await app.get('/for-both/of-all', {}, 'HEAD');
    calls = 0;
    const { 'content-length': length, etag } = (await app.get('/for-both/of-all')).headers;
    expect([headers['content-length'], headers.etag]).toEqual([length, etag]);
  });
});

// Fastify has chosen the route before.
(onAdapter() === 'express' ? it : it.skip)('what a middleware makes of one URL are entries of their own', async () => {
  await open([ForBoth, OwnHost], {
    prepare: (one) =>
      void one.use(
        (request: { url: string; headers: Record<string, string> }, _response: unknown, next: () => void) => {
          if (request.headers['x-to'] !== undefined) request.url = request.headers['x-to'];
          next();
        },
      ),
  });
  const answers = await inTurn(app, '/page', [{ 'x-to': '/own-host' }, { 'x-to': '/for-both/of-all' }]);
  expect(answers).toEqual(four([{ calls: 1 }, { calls: 2 }]));
});

describe('hosts', () => {
  it('that a route takes apart are entries of their own', async () => {
    await open([Hosts]);
    const answers = await inTurn(app, '/h', [{ host: 'a.example' }, { host: 'b.example' }, { host: 'A.example' }]);
    // In another case a tenant may not be found: that answer is not for the others.
    expect(answers).toEqual(four([{ account: 'a' }, { account: 'b' }, { account: 'A' }]));
    expect(calls).toBe(3);
  });

  it('are entries of their own on the fast path, too', async () => {
    await open([OwnHost]);
    const answers = await inTurn(app, '/own-host', [{ host: 'a.example' }, { host: 'b.example:8080' }]);
    expect(answers).toEqual(four([{ calls: 1 }, { calls: 2 }]));
  });

  it('in any number take no more memory than the limit', async () => {
    await open([OwnHost], { settings: { l1: { maxBytes: 200_000, maxEntries: 50 } } });
    for (let at = 0; at < 200; at++) await app.get('/own-host', { host: `h${at}.example` });
    expect((await app.cache?.list('*', undefined, 1_000))?.items).toHaveLength(50);
  });
});
