import { CACHE_MANAGER, Cache } from '@nestjs/cache-manager';
import {
  ConfigurableModuleBuilder,
  Inject,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { Clock, SystemClock } from '../kernel/clock';
import type { RedisSettings } from '../redis/redis-client-options';
import { ReplicaMessages } from '../redis/replica-messages';
import { AnswerSender } from './answer-sender';
import { ignoreSentResponses } from './sent-responses';
import { CacheEvents } from './cache-events';
import { cacheManagerOver } from './cache-manager';
import { CacheStore } from './core/cache-store';
import { Loader } from './core/loader';
import { SettlingTags } from './core/settling-tags';
import { CacheInvalidator } from './core/cache-invalidator';
import { HttpCache } from './core/http/http-cache';
import { StoredEntries } from './core/stored-entries';
import { FastPath } from './fast-path/fast-path';
import { PreparedResponses } from './fast-path/prepared-responses';
import { HandlerResponse } from './handler-response';
import { unwrapHandlersOf } from './handler-unwrapper';
import type { StorePort } from './ipc/store-messages';
import { InvalidationChannel } from './invalidation-channel';
import { KeyvStore } from './keyv-store';
import { fitted, processMemory } from './memory-shares';
import { MethodCache } from './methods/method-cache';
import { ResponseCacheInterceptor } from './response-cache.interceptor';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { RouteAnswers } from './route-answers';
import { RouteFastWay } from './route-fast-way';
import { RouteResponses } from './route-responses';
import { RouteRuleReader } from './route-rule.reader';
import { OPENED_STORE, openStore, type OpenedStore, type StoreChoice } from './store.factory';
import { StoreHealth } from './store-health';
import { StoreWrites } from './store-writes';
import { StoredResources } from './stored-resources';
import { ValueCache } from './value-cache';

export interface ResponseCacheRegistration extends ResponseCacheModuleOptions {
  /** Absent: everything stays in this process. */
  readonly redis?: RedisSettings | undefined;
  /** Which store is the second tier. Absent: Redis where there are settings for it. */
  readonly store?: StoreChoice | undefined;
  /** The connection to another process that keeps the entries of several, without Redis. */
  readonly port?: StorePort | undefined;
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<ResponseCacheRegistration>({
  moduleName: 'ResponseCache',
}).build();

/** The tiers, opened once for the interceptor and for `CACHE_MANAGER`. */
@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    {
      provide: RESPONSE_CACHE_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (given: ResponseCacheRegistration): ResponseCacheRegistration => ({
        ...given,
        l1: fitted(given.l1, processMemory(given.processes)),
      }),
    },
    {
      provide: OPENED_STORE,
      inject: [RESPONSE_CACHE_OPTIONS, Clock],
      useFactory: (options: ResponseCacheRegistration, clock: Clock): OpenedStore =>
        openStore(options, options.l1, clock),
    },
    { provide: CacheStore, inject: [OPENED_STORE], useFactory: ({ store }: OpenedStore) => store },
    {
      provide: StoreHealth,
      inject: [OPENED_STORE],
      useFactory: ({ store, link, lost }: OpenedStore) => new StoreHealth(store, link, lost),
    },
    { provide: StoreWrites, inject: [OPENED_STORE], useFactory: ({ writes }: OpenedStore) => writes },
    { provide: ReplicaMessages, inject: [OPENED_STORE], useFactory: ({ messages }: OpenedStore) => messages },
  ],
  exports: [Clock, RESPONSE_CACHE_OPTIONS, OPENED_STORE, CacheStore, StoreHealth, StoreWrites, ReplicaMessages],
})
class TiersModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly store: CacheStore,
    @Inject(OPENED_STORE) private readonly opened: OpenedStore,
  ) {
    super();
  }

  onModuleInit(): void {
    if (this.opened.advice !== undefined) new Logger('Store').warn(this.opened.advice);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}

/** The read-through response cache for Nest: import it once, put `@CacheRule` on routes. */
@Module({})
export class ResponseCacheModule implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    modules: ModulesContainer,
  ) {
    const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
    for (const { metatype } of controllers) if (typeof metatype === 'function') unwrapHandlersOf(metatype as Type);
  }

  static registerAsync(options: Parameters<typeof TiersModule.registerAsync>[0]) {
    const tiers = TiersModule.registerAsync(options);
    return {
      module: ResponseCacheModule,
      global: true,
      imports: [tiers],
      providers: [
        CacheEvents,
        RouteRuleReader,
        HandlerResponse,
        PreparedResponses,
        RouteResponses,
        FastPath,
        AnswerSender,
        {
          provide: SettlingTags,
          inject: [CacheStore, Clock, RESPONSE_CACHE_OPTIONS],
          useFactory: (store: CacheStore, clock: Clock, { settleMs = 0 }: ResponseCacheModuleOptions) =>
            new SettlingTags(store, clock, settleMs),
        },
        {
          provide: Loader,
          inject: [CacheStore, Clock, SettlingTags, RESPONSE_CACHE_OPTIONS],
          useFactory: (store: CacheStore, clock: Clock, settling: SettlingTags, settings: ResponseCacheModuleOptions) =>
            new Loader(store, clock, { ...settings, pollMs: POLL_MS, settling }),
        },
        {
          provide: HttpCache,
          inject: [CacheStore, Loader, Clock, RESPONSE_CACHE_OPTIONS, CacheEvents],
          useFactory: (...[store, loader, clock, settings, events]: RouteCacheParts) =>
            new HttpCache(store, loader, clock, {
              ...settings,
              ...ROUTES,
              onRefreshed: (report) => events.refreshed(report),
            }),
        },
        {
          provide: CacheInvalidator,
          inject: [CacheStore],
          useFactory: (store: CacheStore) => new CacheInvalidator(store),
        },
        ValueCache,
        MethodCache,
        {
          provide: CACHE_MANAGER,
          inject: [CacheStore, Clock, ValueCache],
          useFactory: (store: CacheStore, clock: Clock, values: ValueCache) =>
            cacheManagerOver(new KeyvStore(store, clock, values), values),
        },
        { provide: Cache, useExisting: CACHE_MANAGER },
        { provide: StoredEntries, inject: [CacheStore], useFactory: (store: CacheStore) => new StoredEntries(store) },
        RouteFastWay,
        RouteAnswers,
        InvalidationChannel,
        StoredResources,
        ResponseCacheInterceptor,
      ],
      exports: [
        tiers,
        CacheEvents,
        RouteRuleReader,
        HandlerResponse,
        PreparedResponses,
        RouteResponses,
        FastPath,
        AnswerSender,
        SettlingTags,
        Loader,
        HttpCache,
        CacheInvalidator,
        ValueCache,
        MethodCache,
        CACHE_MANAGER,
        Cache,
        StoredEntries,
        RouteFastWay,
        RouteAnswers,
        InvalidationChannel,
        StoredResources,
        ResponseCacheInterceptor,
      ],
    };
  }

  onModuleInit(): void {
    ignoreSentResponses(this.adapterHost.httpAdapter);
  }
}

/** For routes: only fields that a handler names in `Vary` select its responses, and it gets neither conditions nor ranges. */
const ROUTES = { selecting: [], retainForRevalidationMs: 0, isOriginNeutral: true } as const;

type RouteCacheParts = [CacheStore, Loader, Clock, ResponseCacheModuleOptions, CacheEvents];

/** Waiters are notified of a change by push; they also check at this interval. */
const POLL_MS = 100;
