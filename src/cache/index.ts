/** The public door of the response cache. */
export { ResponseCacheModule } from './nest/response-cache.module';
export type { ResponseCacheOptions, ResponseCacheRegistration } from './nest/response-cache.defaults';
export { ResponseCacheInterceptor } from './nest/response-cache.interceptor';
export { CacheRule, CurrentLoad, type HandlerLoad, type RouteRule } from './nest/cache-rule.decorator';
export { NotModified, CacheableResult } from './nest/handler-answer';
export { CacheEvents, type CacheEvent, type MethodCallEvent } from './nest/cache-events';
export type { RefreshReport } from './engine/refresh-report';
export { StoredResources } from './nest/stored-resources';
export { StoreHealth, type StoreState } from './nest/store-health';
export { StoreWrites } from './nest/store-writes';
export { ReplicaMessages } from '../redis/replica-messages';
export { KeyvStore } from './nest/keyv-store';
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
} from './methods/method-cache.decorators';
export type { TaggingCache, ValueOptions, WrapOptions } from './nest/cache-manager';
export { processMemory, unfitAdvice, type ProcessMemory } from './nest/memory-shares';
export type { StoreHost } from './store/ipc/store-host';
export { isStoreMessage, type StoreMessage, type StorePort } from './store/ipc/store-messages';
export type { KeptProblem } from './nest/response-cache.options';
export { UnreadableEntryError } from './nest/unreadable-entry.error';
export { FastPath, type FastWay } from './fast-path/fast-path';
export { Fingerprints, type FieldKind, type RequestFingerprint } from './fast-path/request-fingerprint';
export { PreparedResponse, type HeadContext, type Presentation } from './fast-path/prepared-response';
export { PreparedResponses } from './fast-path/prepared-responses';
export { requireRoomFor, writeStored } from './fast-path/response-writer';
export type { FlatFields } from './fast-path/serialized-head';
export { InvalidationChannel } from './nest/invalidation-channel';
export {
  entryKey,
  invalidationMessage,
  keysMeant,
  prefixesMeant,
  tagsMeant,
  targetsOf,
  type InvalidationMessage,
} from './nest/invalidation-message';
export {
  CacheInvalidator,
  type Invalidation,
  type InvalidationSource,
  type InvalidationNames,
} from './engine/cache-invalidator';
export { StoredEntries } from './engine/stored-entries';
export { CacheStore, StoreUnavailableError } from './store/cache-store';
export { looksLikeIndex } from './model/resource-index';
export { Loader } from './engine/loader';
export { SettlingTags } from './engine/settling-tags';
export { CALLER_ID_LENGTH, SHARED_PARTITION, tagOfAccount, tagOfUpstream, toCacheKey } from './model/cache-key';
export { ageMs, freshForMs, isFresh } from './law/freshness';
export { CACHE_OUTCOMES, isFromStore, type CacheOutcome, type CacheTier } from './model/cache-outcome';
export type { CacheEntry, EntryMetadata, HeaderList, Validators } from './model/cache-entry';
export type {
  EntryCount,
  Found,
  InvalidationMode,
  InvalidationTarget,
  KeyPage,
  ListedEntry,
} from './store/cache-store';
export { withLastMember } from './law/representation';
export { cacheStatusOf, cacheStatusOfError } from './nest/cache-headers';
export { identityBody } from './law/content-coding';
export { HttpCache, type HttpCacheOptions } from './engine/http-cache';
export type { CachePolicy } from './law/cache-policy';
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
export { decodedBody, isKnownCoding } from './law/coded-body';
export { isNotModified } from './law/conditions';
export { responseForm } from './law/response-form';
export { splitList } from './law/directives';
export { EVERY_FIELD, selectionKey } from './law/selection';
export { requestPolicy } from './law/request-policy';
export { SURROGATE } from './law/response-policy';
export { isUnsafe } from './law/update';
export { parseHttpDate } from './law/http-date';
export { endToEnd, toHeaderList, valueOf, valuesOf } from './law/fields';
export { asReachable } from './engine/reachable-entries';
