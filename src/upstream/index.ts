/** The kit: what another team imports to put its own upstream behind the cache. */
export { UpstreamClient, type UpstreamRequest, type UpstreamResponse } from './upstream-client';
export type { UpstreamDefinition, UpstreamLimits } from './upstream-definition';
export { UpstreamRelay } from './upstream-relay';
export { Gateway, type GatewayOptions } from './gateway/gateway';
export { GatewayLane } from './gateway/gateway-lane';
export { ALL_FIELDS, headerRules } from './gateway/header-rules';
export { ANONYMOUS, Partitions } from './gateway/partition';
export { GatewayRules, parseGatewayRules, type GatewayRule } from './gateway/gateway-rules';
export { Budgets, type Savings } from './budget/budgets';
export { FairQueue } from './budget/fair-queue';
export type { LimitDialect, LimitedAnswer } from './budget/limit-dialect';
export { RateBudget } from './budget/rate-budget';
export type { BudgetView } from './budget/shared-budgets';
export type { LimitReading, ResourceLimit } from './budget/credential-budget';
export { UpstreamModule } from './upstream.module';
export { WebhookCounts, type DeliveryResult } from './webhook-counts';
export { SignedBodies } from './signed-bodies';
export { retryAfterMs } from './retry-after';
