/** The public door of the response cache. */
export { ResponseCacheModule } from './response-cache.module';
export type { ResponseCacheOptions, ResponseCacheRegistration } from './response-cache.defaults';
export { ResponseCacheInterceptor } from './response-cache.interceptor';
export {
  CacheRule,
  IsBackground,
  NothingStored,
  CurrentLoad,
  StoredValidators,
  type HandlerLoad,
  type RouteRule,
} from './cache-rule.decorator';
export { NotModified, CacheableResult } from './handler-answer';
export { CacheEvents, type CacheEvent } from './cache-events';
export type { RefreshReport } from './core/refresh-report';
export { StoredResources } from './stored-resources';
export { StoreHealth, type StoreState } from './store-health';
export { StoreWrites } from './store-writes';
export { ReplicaMessages } from '../redis/replica-messages';
export { KeyvStore } from './keyv-store';
export { hostStore, openLink, type StoreChoice } from './store.factory';
export type { ForeignStore } from './key-value/key-value-backend';
export { RedisKeys } from './redis/redis-keys';
export {
  CacheEvict,
  CachePut,
  Cacheable,
  type CacheEvictRule,
  type CachePutRule,
  type CacheableRule,
} from './methods/method-cache.decorators';
export type { TaggingCache, ValueOptions, WrapOptions } from './cache-manager';
export { processMemory, unfitAdvice, type ProcessMemory } from './memory-shares';
export type { StoreHost } from './ipc/store-host';
export { isStoreMessage, type StoreMessage, type StorePort } from './ipc/store-messages';
export type { KeptProblem } from './response-cache.options';
export { UnreadableEntryError } from './unreadable-entry.error';
export { FastPath, type FastWay } from './fast-path/fast-path';
export { Fingerprints, type FieldKind, type RequestFingerprint } from './fast-path/request-fingerprint';
export { PreparedResponse, type HeadContext, type Presentation } from './fast-path/prepared-response';
export { PreparedResponses } from './fast-path/prepared-responses';
export { requireRoomFor, writeStored } from './fast-path/response-writer';
export type { FlatFields } from './fast-path/serialized-head';
export { InvalidationChannel } from './invalidation-channel';
export {
  entryKey,
  invalidationMessage,
  keysMeant,
  prefixesMeant,
  tagsMeant,
  targetsOf,
  type InvalidationMessage,
} from './invalidation-message';
export {
  CacheInvalidator,
  type Invalidation,
  type InvalidationSource,
  type InvalidationNames,
} from './core/cache-invalidator';
export { StoredEntries } from './core/stored-entries';
export { CacheStore, StoreUnavailableError } from './core/cache-store';
export { looksLikeIndex } from './core/resource-index';
export { Loader } from './core/loader';
export { SettlingTags } from './core/settling-tags';
export { tagOfAccount, tagOfUpstream, toCacheKey } from './core/cache-key';
export { ageMs, freshForMs, isFresh } from './core/freshness';
export { CACHE_OUTCOMES, isFromStore, type CacheOutcome, type CacheTier } from './core/cache-outcome';
export type { CacheEntry, EntryMetadata, HeaderList, Validators } from './core/cache-entry';
export type { EntryCount, Found, InvalidationMode, InvalidationTarget, KeyPage, ListedEntry } from './core/cache-store';
export { withLastMember } from './core/representation';
export { cacheStatusOf, cacheStatusOfError } from './cache-headers';
export { identityBody } from './core/content-coding';
export { HttpCache, type HttpCacheOptions } from './core/http/http-cache';
export type { CachePolicy } from './core/http/cache-policy';
export type { BodySource } from './core/http/shared-body';
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
} from './core/http/exchange';
export { isNotModified } from './core/http/conditions';
export { responseForm } from './core/http/response-form';
export { splitList } from './core/http/directives';
export { EVERY_FIELD } from './core/http/selection';
export { SURROGATE } from './core/http/response-policy';
export { isUnsafe } from './core/http/update';
export { parseHttpDate } from './core/http/http-date';
export { endToEnd, toHeaderList, valueOf, valuesOf } from './core/http/fields';
export { asReachable } from './core/reachable-entries';
