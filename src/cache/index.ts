/** The public door of the response cache. */
export { ResponseCacheModule } from './nest/response-cache.module';
export type { ResponseCacheOptions, ResponseCacheRegistration } from './nest/response-cache.defaults';
export { ResponseCacheInterceptor } from './nest/response-cache.interceptor';
export { CacheRule, CurrentLoad, type HandlerLoad, type RouteRule } from './nest/cache-rule.decorator';
export { NotModified, CacheableResult } from './nest/handler-answer';
export { CacheEvents, type CacheEvent, type MethodCallEvent } from './engine/cache-events';
export type { RefreshReport } from './engine/load-failure';
export { StoreHealth, type StoreState } from './nest/store-health';
export { ReplicaMessages } from '../redis/replica-messages';
export { hostStore, openLink, type StoreChoice } from './store/store.factory';
export { keyHash } from './store/traced-store';
export type { ForeignStore } from './store/key-value/key-value-backend';
export { RedisKeys } from './store/redis/redis-keys';
export {
  CacheEvict,
  CachePut,
  Cacheable,
  type CacheEvictRule,
  type CachePutRule,
  type CacheableRule,
} from './values/method-cache.decorators';
export type { TaggingCache, ValueOptions, WrapOptions } from './values/cache-manager';
export { processMemory, unfitAdvice, type ProcessMemory } from './store/memory/memory-shares';
export type { StoreHost } from './store/ipc/store-host';
export { isStoreMessage, type StorePort } from './store/ipc/store-messages';
export { orUnreadable, removeUnreadable } from './engine/unreadable-entry.error';
export { InvalidationChannel } from './nest/invalidation-channel';
export { entryKey, invalidationMessage, targetsOf, type InvalidationMessage } from './nest/invalidation-message';
export { CacheInvalidator, type Invalidation, type InvalidationNames } from './engine/cache-invalidator';
export { StoredEntries } from './engine/stored-entries';
export { CacheStore, StoreUnavailableError } from './store/cache-store';
export { looksLikeIndex } from './model/resource-index';
export { Loader } from './engine/loader';
export { SettlingTags } from './engine/settling-tags';
export { CALLER_ID_LENGTH, SHARED_PARTITION, tagOfAccount, tagOfUpstream, toCacheKey } from './model/cache-key';
export { isFromStore, type CacheOutcome, type CacheTier } from './model/cache-outcome';
export type { CacheEntry, EntryMetadata, HeaderList, Validators } from './model/cache-entry';
export type { EntryCount, Found, InvalidationMode, InvalidationTarget, ListedEntry } from './store/cache-store';
export { cacheStatusOf, cacheStatusOfError } from './law/cache-status';
export { HttpCache } from './engine/http-cache';
export type { BodySource } from './engine/shared-body';
export type {
  HitPointer,
  HttpAnswer,
  HttpCacheRequest,
  Origin,
  OriginResponse,
  StoredAnswer,
  StreamedAnswer,
  StreamingOrigin,
  StreamingResponse,
} from './model/exchange';
