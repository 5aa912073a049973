import type { INestApplication, LoggerService, Provider, Type, VersioningOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheInvalidator, HttpCache, StoredEntries, type ResponseCacheRegistration } from '../../src/cache';
import { ProblemFilter } from '../../src/server/problem.filter';
import { parseRedisEndpoint } from '../../src/redis/redis-endpoint';
import { waitUntil } from './wait-until';
import { request, type HttpRequestOptions } from './raw-http';
import type { RedisProcess } from './redis-process';
import { plainSettings, responseCache } from './response-cache';

let adapter: 'fastify' | 'express' = 'fastify';

/** Which HTTP adapter the applications of this spec file have. */
export function onAdapter(): typeof adapter {
  return adapter;
}

/** To be called before a spec file is loaded. */
export function useExpress(): void {
  adapter = 'express';
}

/** A fact about Fastify, its hooks or our adapter of it. */
export const itOnFastify = (): jest.It => (adapter === 'fastify' ? it : it.skip);
export const describeOnFastify = (): jest.Describe => (adapter === 'fastify' ? describe : describe.skip);

/** The media type of the cache's own errors: of the service's filter, and of Nest's own on Express. */
export const errorType = (): string =>
  adapter === 'fastify' ? 'application/problem+json; charset=utf-8' : 'application/json; charset=utf-8';

type SetField = (name: string, value: string) => void;
type Request = { readonly headers: Readonly<Record<string, unknown>> };

/** A hook of Fastify's, or a middleware of Express's, that runs for each request. */
export function onRequest(
  hook: (request: Request, set: SetField, setRaw: SetField) => unknown,
): NonNullable<RouteAppOptions['prepare']> {
  return (app, fastify) => {
    if (adapter === 'express') {
      app.use((request: Request, response: ServerResponse, next: () => void) => {
        const set: SetField = (name, value) => void response.setHeader(name, value);
        hook(request, set, set);
        next();
      });
      return;
    }
    fastify.addHook('onRequest', (request, reply, done) => {
      hook(
        request,
        (name, value) => void reply.header(name, value),
        (name, value) => void reply.raw.setHeader(name, value),
      );
      done();
    });
  };
}

export interface RouteAppOptions {
  readonly policy?: Partial<ResponseCacheRegistration['policy']>;
  readonly settings?: Partial<ResponseCacheRegistration>;
  readonly providers?: Provider[];
  readonly versioning?: VersioningOptions;
  /** The service's own filter; without it errors are answered as Nest does. */
  readonly answersProblems?: boolean;
  readonly redis?: RedisProcess;
  /** What the application says in its log: `warn` and above, and the cache at `log`. */
  readonly log?: string[];
  readonly prepare?: (app: NestFastifyApplication, fastify: FastifyInstance) => void;
}

export type RouteApp = Awaited<ReturnType<typeof openRoutes>>;

/** An application of a team's own: its controllers, and Larder's response cache. */
export async function openRoutes(controllers: Type[], options: RouteAppOptions = {}) {
  const { policy, settings, providers = [], redis } = options;
  const module = await Test.createTestingModule({
    imports: [
      responseCache({
        policy: { ...plainSettings.policy, ...policy },
        ...{ deadlineMs: 10_000, loadTimeoutMs: 10_000 },
        ...(adapter === 'express' && { fastPathGate: undefined }),
        redis: redis && {
          endpoint: parseRedisEndpoint(redis.uri),
          keyPrefix: 'shop',
          commandTimeoutMs: 10_000,
          tls: {},
        },
        ...settings,
      }),
    ],
    controllers,
    providers,
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    adapter === 'express' ? (new ExpressAdapter() as never) : createAdapter(),
    logInto(options.log),
  );
  if (options.answersProblems && adapter === 'fastify') app.useGlobalFilters(ProblemFilter.of(app.getHttpAdapter()));
  return listen(app, options);
}

/** The same controllers on Nest and Fastify alone, to see what stock Nest answers. */
export async function openStock(controllers: Type[], options: RouteAppOptions & { imports?: Type[] } = {}) {
  const { providers = [], imports = [] } = options;
  const module = await Test.createTestingModule({ imports, controllers, providers }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    adapter === 'express' ? (new ExpressAdapter() as never) : new FastifyAdapter(),
    { logger: false },
  );
  return listen(app, options);
}

async function listen(app: NestFastifyApplication, { versioning, prepare, policy }: RouteAppOptions) {
  if (versioning) app.enableVersioning(versioning);
  prepare?.(app, app.getHttpAdapter().getInstance());
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const send = (path: string, options: HttpRequestOptions = {}) => request(`${url}${path}`, options);
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const answer = await send(path, { headers, method });
    // What has just been stored for a millisecond is stale for the next request.
    const storedBy = Date.now();
    if (policy?.ttlMs === 1)
      await waitUntil(() => Date.now() > storedBy + 1, { what: 'the next millisecond', pollMs: 1 });
    return { ...answer, text: answer.body.toString() };
  };
  /** Absent in stock Nest. */
  const cache = cacheOf(app);
  return { app: app as INestApplication, url, send, get, cache, close: () => app.close() };
}

function cacheOf(app: INestApplication) {
  try {
    const invalidator = app.get(CacheInvalidator, { strict: false });
    const entries = app.get(StoredEntries, { strict: false });
    const engine = app.get(HttpCache, { strict: false });
    return {
      invalidate: (...asked: Parameters<CacheInvalidator['invalidate']>) => invalidator.invalidate(...asked),
      list: (...asked: Parameters<StoredEntries['list']>) => entries.list(...asked),
      find: (key: string) => entries.find(key),
      get loadsUnderWay(): number {
        return engine.loadsUnderWay;
      },
    };
  } catch {
    return undefined;
  }
}

function logInto(lines: string[] | undefined): { logger: LoggerService | false } {
  if (!lines) return { logger: false };
  const write = (...message: unknown[]): void => void lines.push(message.map(String).join(' '));
  return {
    logger: {
      log: (message, context) => (context === 'Cache' ? write(message) : undefined),
      warn: write,
      error: write,
      fatal: write,
    },
  };
}
