/** The public door of the response cache. */
export { ResponseCacheModule, type ResponseCacheRegistration } from './response-cache.module';
export { ResponseCacheInterceptor } from './response-cache.interceptor';
export { CacheRule, StoredValidators, type RouteRule } from './cache-rule.decorator';
export { NotModified, Sourced } from './handler-answer';
export { CacheEvents, type CacheEvent } from './cache-events';
export { StoreHealth, type StoreState } from './store-health';
export { KeyvStore } from './keyv-store';
export { hostStore } from './store.factory';
export type { StoreHost } from './ipc/store-host';
export { isStoreMessage, type StoreMessage, type StorePort } from './ipc/store-messages';
export type { KeptProblem } from './response-cache.options';
export { ResponseCache } from './core/response-cache';
export { toCacheKey } from './core/cache-key';
export { ageMs, freshForMs, isFresh } from './core/freshness';
export { CACHE_OUTCOMES, isFromStore, type CacheOutcome, type CacheTier } from './core/cache-outcome';
export type { CacheEntry, EntryMetadata, HeaderList, Validators } from './core/cache-entry';
export type { InvalidationMode, InvalidationTarget, KeyPage, ListedEntry } from './core/cache-store';
export { withLastMember } from './core/representation';
