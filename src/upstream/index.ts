/** The kit: what another team imports to put its own upstream behind the cache. */
export { UpstreamClient, type UpstreamRequest, type UpstreamResponse } from './upstream-client';
export type { UpstreamDefinition, UpstreamLimits } from './upstream-definition';
export { retryAfterMs } from './retry-after';
