/** The entry point of the upstreams: the kit for definitions, and the parts that the service's own definitions and operations need. */
export * from './kit';
export type { Expected } from './upstream-definition';
export { QueryCredentials } from './gateway/credentials';
export { mayMutate, mutationWords } from './gateway/graphql-operation';
export { Partitions } from './gateway/partition';
export { Upstreams } from './upstreams';
export type { Upstream } from './upstream';
export { isOwnPath, mountedDefinitions, settingName, settingNamesOf, upstreamSettings } from './upstream-settings';
export { probeUpstream, type ProbeResult } from './upstream-probe';
export { BUDGET_DIMENSIONS } from './budget/budget-users';
export { RateBudget } from './budget/rate-budget';
export type { BudgetView } from './budget/shared-budgets';
