/**
 * `larder/testing`: the suites that stores and upstreams of another team run against themselves, and what they need for it. To be imported
 * by specs of Jest or Vitest, with `describe`, `it` and `expect` as globals.
 */
export { describeStore, anEntry, asking, fillUnder, leaseOf } from './store-contract';
export type { StoreAbilities, StoreUnderTest } from './store-contract';
export { describeUpstream, type UpstreamFacts } from './describe-upstream';
export { ScriptedOrigin, type OriginHit, type OriginScript } from './scripted-origin';
export { Clock, ManualClock } from '../src/kernel/clock';
export { FaultPlan, GithubSimulator, GitlabSimulator, RequestLog } from '../simulator';
export type { Fault, Latency, LoggedRequest, SimulatorOptions } from '../simulator';
