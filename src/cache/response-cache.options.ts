import type { AppError } from '../kernel/app-error';
import type { FreshnessPolicy } from './core/cache-rule';
import type { MemoryLimits } from './core/memory-tier';

export const RESPONSE_CACHE_OPTIONS = Symbol('larder.response-cache.options');

/** An error that is itself an answer worth keeping, such as "not found", as it is answered but for its `instance`. */
export interface KeptProblem {
  readonly status: number;
  readonly body: Buffer;
}

/** Durations in milliseconds, sizes in bytes. */
export interface ResponseCacheModuleOptions {
  /** What rules leave out. */
  readonly policy: FreshnessPolicy;
  readonly l1: MemoryLimits;
  readonly leaseMs: number;
  readonly deadlineMs: number;
  readonly staleAfterMs: number;
  readonly loadTimeoutMs: number;
  readonly maxEntryBytes: number;
  /** Whether fresh hits in memory are answered in front of Nest's router. */
  readonly laneEnabled: boolean;
  /** Fields that the edge adds to every answer after the cache's; the lane, which the edge does not see, adds them itself. */
  readonly edgeFields?: Readonly<Record<string, string>>;
  /** Undefined for the errors that are not worth keeping. */
  readonly problemOf: (error: AppError) => KeptProblem | undefined;
}
