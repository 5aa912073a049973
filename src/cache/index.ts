/** The public door of the response cache. */
export { ResponseCacheModule, type ResponseCacheRegistration } from './response-cache.module';
export { ResponseCacheInterceptor } from './response-cache.interceptor';
export {
  CacheRule,
  IsBackground,
  IsFirst,
  StoredValidators,
  type HandlerLoad,
  type RouteRule,
} from './cache-rule.decorator';
export { NotModified, Sourced } from './handler-answer';
export { CacheEvents, type CacheEvent } from './cache-events';
export type { RefreshReport } from './core/refresh-report';
export { StoredResources } from './stored-resources';
export { StoreHealth, type StoreState } from './store-health';
export { StoreWrites } from './store-writes';
export { ReplicaMessages } from '../redis/replica-messages';
export { KeyvStore } from './keyv-store';
export { hostStore } from './store.factory';
export { processMemory, unfitAdvice, type ProcessMemory } from './memory-shares';
export type { StoreHost } from './ipc/store-host';
export { isStoreMessage, type StoreMessage, type StorePort } from './ipc/store-messages';
export type { KeptProblem } from './response-cache.options';
export { Deliveries } from './deliveries';
export { UnreadableEntryError } from './unreadable-entry.error';
export type { FlatFields } from './head-text';
export { PreparedAnswer, type HeadContext } from './prepared-answer';
export { mayWriteBody, mayWriteHead, writeReady } from './ready-writer';
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
export { ResponseCache, type Invalidation, type InvalidationSource } from './core/response-cache';
export { CacheStore, StoreUnavailableError } from './core/cache-store';
export { looksLikeIndex } from './core/resource-index';
export { Loader } from './core/loader';
export { SettlingTags } from './core/settling-tags';
export { tagOfAccount, toCacheKey } from './core/cache-key';
export { ageMs, freshForMs, isFresh } from './core/freshness';
export { CACHE_OUTCOMES, isFromStore, type CacheOutcome, type CacheTier } from './core/cache-outcome';
export type { CacheEntry, EntryMetadata, HeaderList, Validators } from './core/cache-entry';
export type { EntryCount, Found, InvalidationMode, InvalidationTarget, KeyPage, ListedEntry } from './core/cache-store';
export { withLastMember } from './core/representation';
export { inOnePiece, textBytes } from './core/resident-entry';
export { cacheStatusOf, cacheStatusOfError } from './cache-headers';
export { identityBody, identityLength } from './core/content-coding';
export { HttpCache, type HttpCacheOptions } from './core/http/http-cache';
export { KnownWays } from './core/http/known-ways';
export type { OperatorPolicy } from './core/http/operator-policy';
export type { HttpAnswer, HttpCacheRequest, Origin, OriginResponse, Way } from './core/http/exchange';
export { isNotModified, rangeMayApply } from './core/http/conditions';
export { splitList } from './core/http/directives';
export { rangeOf } from './core/http/range';
export { EVERY_FIELD } from './core/http/selection';
export { SURROGATE } from './core/http/response-policy';
export { isUnsafe } from './core/http/update';
export { parseHttpDate } from './core/http/http-date';
export { endToEnd, toHeaderList, valueOf, valuesOf } from './core/http/fields';
