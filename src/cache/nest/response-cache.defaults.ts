import { keptProblem } from '../../kernel/problem-table';
import type { RedisSettings } from '../../redis/redis-client-options';
import { parseRedisEndpoint } from '../../redis/redis-endpoint';
import type { FreshnessPolicy } from '../law/cache-rule';
import type { MemoryLimits } from '../store/memory/memory-tier';
import type { StorePort } from '../store/ipc/store-messages';
import type { ResponseCacheModuleOptions } from './response-cache.options';
import type { StoreChoice } from '../store/store.factory';

/** Options of the module with every default in place. */
export interface ResponseCacheRegistration extends ResponseCacheModuleOptions {
  /** Absent: everything stays in this process. */
  readonly redis?: RedisSettings | undefined;
  /** Which store is the second tier. Absent: Redis where there are settings for it. */
  readonly store?: StoreChoice | undefined;
  /** The connection to another process that keeps the entries of several, without Redis. */
  readonly port?: StorePort | undefined;
}

/** Redis by its URI, `redis://:password@localhost:6379`, or in detail. */
type RedisOption = string | (Partial<RedisSettings> & { readonly url: string });

/** Options of `ResponseCacheModule.forRoot()`; every one has a default. */
export interface ResponseCacheOptions extends Partial<Omit<ResponseCacheRegistration, 'policy' | 'l1' | 'redis'>> {
  /** Lifetimes that rules leave out: fresh for an hour, stale for a day if the origin fails. */
  readonly policy?: Partial<FreshnessPolicy>;
  /** Memory of this process: 64 MiB and 100,000 entries, a quarter for one caller. */
  readonly l1?: Partial<MemoryLimits>;
  /** A URL such as `redis://:password@localhost:6379`, or `{ url, … }` with the options below. Absent: everything stays in this process. */
  readonly redis?: RedisOption | RedisSettings | undefined;
}

const LOAD_MS = 30_000;

/** The defaults are those of the service's settings (`.env.sample`). */
export function withDefaults({ policy, l1, redis, ...given }: ResponseCacheOptions): ResponseCacheRegistration {
  return {
    leaseMs: 1_000,
    deadlineMs: LOAD_MS,
    staleAfterMs: 1_000,
    loadTimeoutMs: LOAD_MS,
    maxEntryBytes: 5_242_880,
    fastPathEnabled: true,
    problemOf: keptProblem,
    ...given,
    policy: {
      ttlMs: 3_600_000,
      negativeTtlMs: 60_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 86_400_000,
      jitter: 0,
      earlyRefreshBeta: 0,
      ...policy,
    },
    l1: { maxBytes: 67_108_864, maxEntries: 100_000, maxCallerShare: 0.25, ...l1 },
    redis: redis === undefined ? undefined : redisSettings(redis),
  };
}

function redisSettings(redis: RedisOption | RedisSettings): RedisSettings {
  const { url, ...settings } = typeof redis === 'string' ? { url: redis } : { url: undefined, ...redis };
  const defaults = { keyPrefix: 'larder', commandTimeoutMs: 100, tls: {} };
  return url === undefined
    ? (settings as RedisSettings)
    : { ...defaults, ...settings, endpoint: parseRedisEndpoint(url) };
}
