import type { FastifyRequest } from 'fastify';
import type { FastPathGatePort } from './fast-path/fast-path-gate.port';
import type { FreshnessPolicy } from './law/cache-rule';
import type { MemoryLimits } from './store/memory/memory-tier';

export const RESPONSE_CACHE_OPTIONS = Symbol('larder.response-cache.options');

/** Durations in milliseconds, sizes in bytes. */
export interface ResponseCacheModuleOptions {
  /** The defaults of rules. */
  readonly policy: FreshnessPolicy;
  /** Reduced to the memory of the process. */
  readonly l1: MemoryLimits;
  /** How many processes of the service share the machine's or the container's memory; absent for one. */
  readonly processes?: number;
  /** How long one replica may load for all before another may; at least one and a half times `redis.commandTimeoutMs`. */
  readonly leaseMs: number;
  /** How long a request waits for its load, which goes on and is stored. */
  readonly deadlineMs: number;
  /** After this time of waiting, a stale response that may stand in is sent. */
  readonly staleAfterMs: number;
  /** Whether a stale response stands in for a failed load also where the request asks for a validated one. By default it does not. */
  readonly servesStaleDespiteDirectives?: boolean;
  /** How long a load may take. */
  readonly loadTimeoutMs: number;
  /** Larger bodies are not stored. */
  readonly maxEntryBytes: number;
  /** How long after an invalidation responses with its tags are stored for at most one second, in milliseconds; 0, the default, disables it. */
  readonly settleMs?: number | undefined;
  /** Whether fresh hits in memory are answered in front of Nest's router. */
  readonly fastPathEnabled: boolean;
  /** Fields that the edge adds to every response after the cache's; the fast path, which bypasses the edge, adds them itself. */
  readonly edgeFields?: Readonly<Record<string, string>>;
  /** The gate of an HTTP adapter; absent, or undefined for an adapter without one: all hits take the slow path. */
  readonly fastPathGate?: (adapter: object) => FastPathGatePort | undefined;
  /** The id of a request that the HTTP framework has not seen. */
  readonly requestId?: (request: FastifyRequest['raw']) => string;
}
