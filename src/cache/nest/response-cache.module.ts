import { CACHE_MANAGER, Cache } from '@nestjs/cache-manager';
import {
  ConfigurableModuleBuilder,
  Inject,
  Logger,
  Module,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  type InjectionToken,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Clock, SystemClock } from '../../kernel/clock';
import { ReplicaMessages } from '../../redis/replica-messages';
import { declaredRoutes } from '../../server/declared-routes';
import { AnswerSender } from './answer-sender';
import { ignoreSentResponses } from './sent-responses';
import { CacheEvents } from '../engine/cache-events';
import { cacheManagerOver } from '../values/cache-manager';
import { CacheStore } from '../store/cache-store';
import { Loader } from '../engine/loader';
import { SettlingTags } from '../engine/settling-tags';
import { CacheInvalidator } from '../engine/cache-invalidator';
import { HttpCache } from '../engine/http-cache';
import type { RefreshReport } from '../engine/load-failure';
import { StoredEntries } from '../engine/stored-entries';
import { FastPath } from '../fast-path/fast-path';
import { PreparedResponses } from '../fast-path/prepared-responses';
import { unwrapHandlersOf } from './handler-unwrapper';
import { InvalidationChannel } from './invalidation-channel';
import { KeyvStore } from '../values/keyv-store';
import { fitted, processMemory } from '../store/memory/memory-shares';
import { MethodCache } from '../values/method-cache';
import { ResponseCacheInterceptor } from './response-cache.interceptor';
import { withDefaults, type ResponseCacheOptions, type ResponseCacheRegistration } from './response-cache.defaults';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import { RouteExchanges } from './route-exchange';
import { RouteEntryPoint } from './route-entry-point';
import { RouteOrigins } from './route-origin';
import { RouteResponses } from './route-responses';
import { RouteRuleReader } from './route-rule.reader';
import { currentTracer } from '../../kernel/tracer';
import { loadRedis } from '../../redis/redis-package';
import { addSpans } from '../store/traced-store';
import { OPENED_STORE, openStore, type OpenedStore } from '../store/store.factory';
import { StoreHealth } from './store-health';
import { ValueCache } from '../values/value-cache';

/** For routes: only fields that a handler names in `Vary` select its responses, and it gets neither conditions nor ranges. */
const ROUTES = { selecting: [], retainForRevalidationMs: 0, isOriginNeutral: true } as const;

/** Waiters are notified of a change by push; they also check at this interval. */
const POLL_MS = 100;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<ResponseCacheOptions>({
  moduleName: 'ResponseCache',
})
  .setClassMethodName('forRoot')
  .build();

/** The tiers, opened once for the interceptor, for `CACHE_MANAGER` and for upstreams. */
const TIERS: Provider[] = [
  CacheEvents,
  { provide: Clock, useClass: SystemClock },
  {
    provide: RESPONSE_CACHE_OPTIONS,
    inject: [MODULE_OPTIONS_TOKEN],
    useFactory: (given: ResponseCacheOptions): ResponseCacheRegistration => {
      const options = withDefaults(given);
      return { ...options, l1: fitted(options.l1, processMemory(options.processes)) };
    },
  },
  {
    provide: OPENED_STORE,
    inject: [RESPONSE_CACHE_OPTIONS, Clock, CacheEvents],
    useFactory: (options: ResponseCacheRegistration, clock: Clock, events: CacheEvents): OpenedStore => {
      const opened = openStore(options, options.l1, clock, events);
      const tracer = currentTracer();
      if (tracer) addSpans(opened.store, tracer);
      return opened;
    },
  },
  { provide: CacheStore, inject: [OPENED_STORE], useFactory: ({ store }: OpenedStore) => store },
  {
    provide: StoreHealth,
    inject: [OPENED_STORE, Clock],
    useFactory: ({ store, link }: OpenedStore, clock: Clock) => new StoreHealth(store, link, clock),
  },
  { provide: ReplicaMessages, inject: [OPENED_STORE], useFactory: ({ messages }: OpenedStore) => messages },
];

const ENGINE: Provider[] = [
  {
    provide: SettlingTags,
    inject: [CacheStore, Clock, RESPONSE_CACHE_OPTIONS],
    useFactory: (store: CacheStore, clock: Clock, { settleMs = 0 }: ResponseCacheModuleOptions) =>
      new SettlingTags(store, clock, settleMs),
  },
  {
    provide: Loader,
    inject: [CacheStore, Clock, RESPONSE_CACHE_OPTIONS],
    useFactory: (store: CacheStore, clock: Clock, settings: ResponseCacheModuleOptions) =>
      new Loader(store, clock, { ...settings, pollMs: POLL_MS }),
  },
  {
    provide: HttpCache,
    inject: [CacheStore, Loader, Clock, SettlingTags, RESPONSE_CACHE_OPTIONS, CacheEvents],
    useFactory: (...[store, loader, clock, settling, settings, events]: RouteCacheParts) => {
      const onRefreshed = (report: RefreshReport): void => events.refreshed(report);
      return new HttpCache(store, loader, clock, { ...settings, ...ROUTES, settling, onRefreshed });
    },
  },
  made(CacheInvalidator, CacheStore),
  made(StoredEntries, CacheStore, Clock),
];

/** A class that knows no Nest, by the providers that its constructor takes. */
function made<Args extends unknown[]>(type: new (...args: Args) => object, ...inject: InjectionToken[]): Provider {
  return { provide: type, inject, useFactory: (...args: Args) => new type(...args) };
}

type RouteCacheParts = [CacheStore, Loader, Clock, SettlingTags, ResponseCacheModuleOptions, CacheEvents];

const PROVIDERS: Provider[] = [
  ...[...TIERS, ...ENGINE, PreparedResponses, FastPath],
  ...[RouteRuleReader, RouteResponses, RouteEntryPoint, AnswerSender, RouteOrigins, RouteExchanges],
  ...[ResponseCacheInterceptor, ValueCache, MethodCache, InvalidationChannel],
  {
    provide: CACHE_MANAGER,
    inject: [CacheStore, Clock, ValueCache],
    useFactory: (store: CacheStore, clock: Clock, values: ValueCache) =>
      cacheManagerOver(new KeyvStore(store, clock, values), values),
  },
  { provide: Cache, useExisting: CACHE_MANAGER },
];

/** The read-through response cache for Nest: import it once, put `@CacheRule` on routes. */
@Module({})
export class ResponseCacheModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, OnApplicationShutdown
{
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly modules: ModulesContainer,
    @Inject(OPENED_STORE) private readonly opened: OpenedStore,
  ) {
    super();
    const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
    for (const { metatype } of controllers) if (typeof metatype === 'function') unwrapHandlersOf(metatype as Type);
  }

  /** `imports: [ResponseCacheModule.forRoot({ redis: 'redis://localhost:6379' })]`, once, in the root module. */
  static override forRoot(options: ResponseCacheOptions = {}): DynamicModule {
    return ResponseCacheModule.forRootAsync({ useFactory: () => options });
  }

  static override forRootAsync(options: ConfigurableModuleAsyncOptions<ResponseCacheOptions>): DynamicModule {
    const { providers = [], ...module } = super.forRootAsync(options);
    return { ...module, global: true, providers: [...providers, ...PROVIDERS], exports: PROVIDERS };
  }

  /** Nest calls it before it declares the routes. */
  configure(): void {
    const { httpAdapter } = this.adapterHost;
    if (httpAdapter.getType() === 'fastify') declaredRoutes(httpAdapter.getInstance<FastifyInstance>());
  }

  async onModuleInit(): Promise<void> {
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    if (httpAdapter) ignoreSentResponses(httpAdapter); // a process without HTTP has none
    this.warnOfOtherCaches();
    if (this.opened.advice !== undefined) new Logger('Store').warn(this.opened.advice);
    // Without the client no connection is opened, and the first requests would find Redis unavailable.
    if (this.opened.link) await loadRedis();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.opened.store.close();
  }

  /** Nest does not say which of two providers of `CACHE_MANAGER` is injected. */
  private warnOfOtherCaches(): void {
    for (const { metatype, providers } of this.modules.values()) {
      if (metatype === ResponseCacheModule || !providers.has(CACHE_MANAGER)) continue;
      new Logger('Cache').warn(
        `${metatype.name} provides CACHE_MANAGER too: where it is imported, or global, CACHE_MANAGER is its cache, and not Larder's. ` +
          'Remove CacheModule.register() from your imports: ResponseCacheModule provides CACHE_MANAGER everywhere.',
      );
    }
  }
}
