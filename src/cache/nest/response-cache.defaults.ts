import type { RedisSettings } from '../../redis/redis-client-options';
import { parseRedisEndpoint } from '../../redis/redis-endpoint';
import type { FreshnessPolicy } from '../law/cache-rule';
import type { MemoryLimits } from '../store/memory/memory-tier';
import type { StorePort } from '../store/ipc/store-messages';
import type { ResponseCacheModuleOptions } from '../response-cache.options';
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
const POLICY: FreshnessPolicy = {
  ...{ ttlMs: 3_600_000, negativeTtlMs: 60_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 86_400_000 },
  ...{ jitter: 0, earlyRefreshBeta: 0 },
};
/** A lease is renewed after a third of its life, and the renewal may take as long as any command. */
const LEASE_PER_COMMAND = 1.5;
const L1: MemoryLimits = { maxBytes: 67_108_864, maxEntries: 100_000, maxCallerShare: 0.25 };

/** Every option, for what JavaScript and spread objects bring. */
const OPTIONS = Object.keys({
  ...{ policy: 1, l1: 1, redis: 1, store: 1, port: 1, processes: 1, leaseMs: 1, deadlineMs: 1, staleAfterMs: 1 },
  ...{ servesStaleDespiteDirectives: 1, loadTimeoutMs: 1, maxEntryBytes: 1, settleMs: 1, fastPathEnabled: 1 },
  ...{ edgeFields: 1, fastPathGate: 1, requestId: 1 },
} satisfies Record<keyof ResponseCacheOptions, 1>);

/**
 * The defaults are those of the service's settings (`.env.sample`). An undefined option has its default, as a setting that a `ConfigService`
 * does not find.
 *
 * @throws Error that names the option: an unknown one, or a text from the environment where a number is needed
 */
export function withDefaults(options: ResponseCacheOptions): ResponseCacheRegistration {
  const { policy, l1, redis, ...given } = options;
  requireKnown(OPTIONS, options, '');
  requireKnown(Object.keys(POLICY), policy ?? {}, 'policy.');
  requireKnown(Object.keys(L1), l1 ?? {}, 'l1.');
  const complete = {
    leaseMs: 1_000,
    deadlineMs: LOAD_MS,
    staleAfterMs: 1_000,
    loadTimeoutMs: LOAD_MS,
    maxEntryBytes: 5_242_880,
    fastPathEnabled: true,
    ...defined(given),
    policy: { ...POLICY, ...defined(policy ?? {}) },
    l1: { ...L1, ...defined(l1 ?? {}) },
    redis: redis === undefined ? undefined : redisSettings(redis),
  };
  requireNumbers(complete.policy, 'policy.');
  requireNumbers(complete.l1, 'l1.');
  const { leaseMs, deadlineMs, staleAfterMs, loadTimeoutMs, maxEntryBytes, settleMs = 0, processes = 1 } = complete;
  const minLeaseMs = Math.ceil(LEASE_PER_COMMAND * (complete.redis?.commandTimeoutMs ?? 0));
  requireNumbers({ leaseMs, deadlineMs, staleAfterMs, loadTimeoutMs, maxEntryBytes, settleMs, processes }, '');
  return { ...complete, leaseMs: Math.max(leaseMs, minLeaseMs) };
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

function requireKnown(known: readonly string[], given: object, group: string): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new Error(`ResponseCacheModule has no option ${group}${unknown}. There are: ${known.join(', ')}`);
}

function requireNumbers(given: Readonly<Record<string, unknown>>, group: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'number' && !Number.isNaN(value)) continue;
    const what = typeof value === 'number' ? 'NaN' : `a ${typeof value}`;
    throw new Error(
      `The option ${group}${name} of ResponseCacheModule must be a number, and is ${what}. Example: ${name}: 60_000`,
    );
  }
}

function redisSettings(redis: RedisOption | RedisSettings): RedisSettings {
  const { url, ...settings } = typeof redis === 'string' ? { url: redis } : { url: undefined, ...redis };
  const defaults = { keyPrefix: 'larder', commandTimeoutMs: 100, tls: {} };
  if (url === undefined) return settings as RedisSettings;
  try {
    return { ...defaults, ...defined(settings), endpoint: parseRedisEndpoint(url) };
  } catch (error) {
    throw new Error(
      `The option redis of ResponseCacheModule ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
