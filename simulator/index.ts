/** GitHub's REST API on a real socket, for tests, the demo and benchmarks; GitLab's for tests. */
export { GithubSimulator, type Latency, type SimulatorOptions } from './github-simulator';
export { GitlabSimulator } from './gitlab-simulator';
export { FaultPlan, type Fault } from './faults';
export { RequestLog, type LoggedRequest } from './request-log';
export type { Account } from './catalogue';
