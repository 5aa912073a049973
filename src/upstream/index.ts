/** The kit: what another team imports to put its own upstream behind the cache. */
export { UpstreamClient, type UpstreamRequest, type UpstreamResponse } from './upstream-client';
export type { UpstreamDefinition, UpstreamLimits } from './upstream-definition';
export { UpstreamRelay } from './upstream-relay';
export { Gateway, type GatewayOptions } from './gateway/gateway';
export { ALL_FIELDS, headerRules } from './gateway/header-rules';
export { Partitions } from './gateway/partition';
export { isSignedBy } from './webhook-signature';
export { retryAfterMs } from './retry-after';
