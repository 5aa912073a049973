import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { ProjectionOf, UpstreamClient } from '../../src/upstream';
import { request } from './raw-http';
import { ScriptedOrigin, type OriginHit } from './scripted-origin';

import { Controller, Get, Headers, Injectable, Module, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { CurrentLoad, type HandlerLoad } from '../../src/cache';
import { AppError } from '../../src/kernel/app-error';
import {
  defineUpstream,
  hmacSignature,
  ietfLimits,
  InjectUpstream,
  type ProjectionSource,
  UpstreamModule,
} from '../../src/upstream';

export const SECRET = 'a-webhook-secret-of-the-tests';
export const FRESH = { 'content-type': 'application/json', 'cache-control': 'public, max-age=600' };

/** A package registry: case counts, scopes have an `@`, one-time passwords and query tokens are credentials, limits are the IETF's. */
const packageOf = (path: string): string =>
  decodeURIComponent(
    path
      .split('/')
      .slice(1, path.startsWith('/@') ? 3 : 2)
      .join('/'),
  );
export const registry = defineUpstream({
  name: 'registry',
  title: 'the package registry',
  baseUrl: undefined,
  settings: { FLAVOUR: z.enum(['full', 'short']).default('full').meta({ example: 'short' }) },
  headers: ({ own }) => ({ Accept: 'application/json', 'User-Agent': `larder-${own.FLAVOUR}` }),
  forwards: ['Npm-Command'],
  credentials: { headers: ['npm-otp'], query: ['access_token'] },
  rateLimit: ietfLimits(),
  limits: { breakerFailures: 3, breakerPauseMs: 300_000 }, // of this API alone
  tags: (path) => [`package:${packageOf(path)}`],
  writes: { tags: (path) => [`package:${packageOf(path)}`] },
  rules: [
    { path: '/@scope/:name', tags: ['scoped:{name}'] },
    { path: '/JSONStream', ttl: 900 },
    { path: '/-/*', bypass: true },
  ],
  webhook: {
    verifier: hmacSignature({ header: 'X-Registry-Signature', prefix: 'sha256=' }),
    event: (payload) => (payload as { event?: string }).event,
    events: ['package:publish'],
    effect: (_event, payload) => ({ tags: [`package:${(payload as { name: string }).name}`] }),
  },
  problems: { 'package-not-found': { status: 404, title: 'Package not found', mayRetry: false, isAnswer: true } },
  openApi: {
    paths: [{ path: '/{package}', summary: 'A package', names: { package: 'left-pad' } }],
    anyPath: 'left-pad',
  },
});

@Injectable()
export class Downloads {
  constructor(@InjectUpstream('registry') readonly client: UpstreamClient) {}
}

@Controller('downloads')
class DownloadsController {
  constructor(private readonly downloads: Downloads) {}

  @Get(':name')
  @ProjectionOf(registry, '/:name', { hitFlagName: 'cached' })
  count(@Param('name') name: string, @CurrentLoad() load: HandlerLoad) {
    return this.downloads.client.project(load, (source) => {
      if (source.status === 404) throw new AppError('package-not-found', `There is no package ${name}.`);
      return source.json(z.object({ downloads: z.number() }));
    });
  }

  /** Another projection of the same resource, by what the query says. */
  @Get(':name/times')
  @ProjectionOf(registry, '/:name')
  times(@Query('factor') factor: string | undefined, @CurrentLoad() load: HandlerLoad) {
    return this.downloads.client.project(load, (source) => ({ times: downloadsIn(source) * Number(factor ?? 1) }));
  }

  @Get(':name/version')
  @ProjectionOf(registry, '/:name?version=:version', { ttlMs: 120_000 })
  version(@CurrentLoad() load: HandlerLoad) {
    return this.downloads.client.project(load, (source) => source.json(z.object({ path: z.string() })));
  }

  /** What it takes is not in the name of its projection. */
  @Get(':name/asked')
  @ProjectionOf(registry, '/:name', { hitFlagName: 'cached' })
  asked(@Headers('x-asked') asked: string | undefined, @CurrentLoad() load: HandlerLoad) {
    return this.downloads.client.project(load, (source) => ({ asked, times: downloadsIn(source) }));
  }
}

const downloadsIn = (source: ProjectionSource): number => source.json(z.object({ downloads: z.number() })).downloads;

@Module({
  imports: [UpstreamModule.register(registry, { controllers: [DownloadsController], providers: [Downloads] })],
})
export class RegistryModule {}

/** The service with this upstream, for the tests of a block, over an API of the test's own. */
export function useRegistry() {
  const under = {} as { origin: ScriptedOrigin; app: NestFastifyApplication; url: string; client: UpstreamClient };
  const answer = (
    of: (hit: OriginHit) => { status?: number; headers?: Record<string, string>; body?: object } = () => ({}),
  ) =>
    under.origin.answerBy((response, hit, count) => {
      const { status = 200, headers = {}, body = { path: hit.url, count, downloads: 7 } } = of(hit);
      response.writeHead(status, { ...FRESH, ...headers }).end(JSON.stringify(body));
    });
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const { status, headers: fields, body } = await request(`${under.url}${path}`, { headers, method });
    const text = body.toString();
    const key = /key="([^"]+)"/.exec(String(fields['cache-status']))?.[1];
    return { status, fields, text, cache: fields['x-cache'], key };
  };
  let sequence = 0;

  const open = async (): Promise<void> => {
    const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
    const { AppModule } = await import('../../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule, RegistryModule] }).compile();
    const app = setUp(module.createNestApplication<NestFastifyApplication>(createAdapter()));
    await app.listen(0, '127.0.0.1');
    Object.assign(under, { app, url: await app.getUrl(), client: app.get(Downloads).client });
  };

  beforeAll(async () => {
    const origin = await ScriptedOrigin.start();
    Object.assign(process.env, {
      ...{
        REGISTRY_API_URL: `${origin.url}/api`,
        REGISTRY_TOKEN: 'a-token-of-the-service',
        REGISTRY_WEBHOOK_SECRET: SECRET,
      },
      ...{
        REGISTRY_SETTLE_SECONDS: '0',
        REGISTRY_FORWARD_HEADERS: 'X-Api-Key',
        ADMIN_TOKEN: 'test-admin-token',
        CREDENTIAL_SECRET: 'of-the-tests',
        GITHUB_API_URL: origin.url,
      },
      SWAGGER_ENABLED: 'false',
    });
    under.origin = origin;
    await open();
  });
  beforeEach(() => answer());
  afterAll(async () => {
    await under.app.close();
    await under.origin.stop();
  });
  return {
    under,
    answer,
    get,
    /** Another process, as it were: nothing is stored, spent or paused. */
    reopen: async () => {
      await under.app.close();
      await open();
    },
    paths: () => under.origin.hits.map((hit) => hit.url),
    /** A name that no test has used. */
    fresh: (): string => `pad-${++sequence}`,
  };
}
