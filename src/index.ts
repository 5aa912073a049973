/**
 * The package's entry for a Nest application: cached routes and methods, `CACHE_MANAGER`, invalidation, stores. Importing it reads no
 * setting, opens nothing and changes nothing. `larder/upstream` is the kit, `larder/testing` is for tests. docs/guides/install-in-nest.md
 */
export {
  // The module, and what goes on routes.
  ResponseCacheModule,
  ResponseCacheInterceptor,
  CacheRule,
  CacheableResult,
  NotModified,
  CurrentLoad,
  type ResponseCacheOptions,
  type RouteRule,
  type HandlerLoad,
  type Validators, // On methods, and in code.
  Cacheable,
  CachePut,
  CacheEvict,
  type CacheableRule,
  type CachePutRule,
  type CacheEvictRule,
  type TaggingCache,
  type ValueOptions,
  type WrapOptions,
  CacheInvalidator,
  type Invalidation,
  type InvalidationMode,
  type InvalidationNames,
  type InvalidationTarget, // What happens, and how it is.
  CacheEvents,
  type CacheEvent,
  type MethodCallEvent,
  type CacheOutcome,
  type CacheTier,
  StoreHealth,
  type StoreState, // A store of one's own.
  CacheStore,
  StoreUnavailableError,
  type StoreChoice,
  type ForeignStore,
  type CacheEntry,
  type EntryMetadata,
} from './cache';
export { AppError, type AppErrorOptions, type ErrorCode } from './kernel/app-error';
export { Clock } from './kernel/clock';
