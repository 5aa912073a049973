import type { ConfigType } from '@nestjs/config';
import { unfitAdvice, type ProcessMemory } from '../cache';
import type { redisConfig, serviceConfig } from '../config/slices';
import type { RedisEndpoint } from '../redis/redis-endpoint';

/** The files of a process besides the connections of clients: its own, to Redis and to the API; about this many. */
const OTHER_FILES = 100;

/** The bytes of a body that have time to reach Redis, or to come from it, in a millisecond: 5 MiB in 100 ms. */
const BYTES_PER_MS = 52_429;

/** Advice about the settings at a start. */
export interface StartAdvice {
  /** Where entries are kept. */
  readonly store: string;
  readonly warnings: readonly string[];
}

/** `MAX_CONNECTIONS`, if set, how many files each process may open, as far as the system says, and `TRUST_PROXY`. */
interface ConnectionLimits {
  readonly trustProxy?: ConfigType<typeof serviceConfig>['trustProxy'];
  readonly maxConnections?: number | undefined;
  readonly openFiles?: number | undefined;
}

/** The facts about the upstreams. */
interface UpstreamFacts {
  readonly credentialSecret: string | undefined;
  /** The titles of the upstreams in the strict profile. */
  readonly strict: readonly string[];
}

/**
 * @param redis the slices of the configuration; no credential is repeated
 * @param l1 how large the in-memory cache and a stored body shall be, and what each process may use
 */
export function startAdvice(
  redis: Pick<ConfigType<typeof redisConfig>, 'endpoint' | 'username' | 'password'> &
    Partial<Pick<ConfigType<typeof redisConfig>, 'store' | 'commandTimeoutMs'>>,
  { credentialSecret, strict }: UpstreamFacts,
  l1: { readonly maxBytes: number; readonly memory: ProcessMemory; readonly maxEntryBytes?: number },
  connections: ConnectionLimits = {},
): StartAdvice {
  const { endpoint } = redis;
  const warnings: string[] = [];
  if (
    endpoint === undefined &&
    redis.store !== 'memory' &&
    (redis.username !== undefined || redis.password !== undefined)
  )
    warnings.push(
      'REDIS_USERNAME or REDIS_PASSWORD is set, but no Redis: set REDIS_ENDPOINT_URI, such as redis://localhost:6379.',
    );
  if (endpoint !== undefined && credentialSecret === undefined && strict.length === 0)
    warnings.push(
      'CREDENTIAL_SECRET is not set: responses stored for callers with a token are not shared with other replicas, nor found after a restart. Set the same for all, such as the output of: openssl rand -hex 24',
    );
  if (strict.length > 0) {
    const titles = strict.join(', ');
    warnings.push(
      `The profile (GATEWAY_PROFILE) is rfc, which is for measuring: all callers share one cache, and nothing of ${titles} is known. Unset it in front of ${titles}.`,
    );
  }
  const unfit = unfitAdvice(l1.maxBytes, l1.memory);
  if (unfit !== undefined) warnings.push(unfit);
  const { maxEntryBytes = 0 } = l1;
  const { commandTimeoutMs = Infinity } = redis;
  const entryMs = Math.ceil(maxEntryBytes / BYTES_PER_MS);
  if (endpoint !== undefined && entryMs > commandTimeoutMs)
    warnings.push(
      `CACHE_MAX_ENTRY_BYTES is ${maxEntryBytes}, but REDIS_COMMAND_TIMEOUT_MS is ${commandTimeoutMs}: while such a body is stored or read, Redis may seem not to answer, and is bypassed. Set REDIS_COMMAND_TIMEOUT_MS=${entryMs}, or CACHE_MAX_ENTRY_BYTES=${commandTimeoutMs * BYTES_PER_MS}.`,
    );
  const tooMany = connectionsAdvice(connections);
  if (tooMany !== undefined) warnings.push(tooMany);
  if (connections.trustProxy === true)
    warnings.push(
      'TRUST_PROXY is true: every client may say which address it has and which host links name, so that limits by address hold nobody up. Name the proxies, such as TRUST_PROXY=loopback or 10.0.0.0/8.',
    );
  const store =
    endpoint === undefined
      ? `Entries are kept in memory only, for ${redis.store === 'memory' ? 'CACHE_STORE is memory' : 'REDIS_ENDPOINT_URI is not set'}.`
      : `Entries are kept in ${nameOf(endpoint)}${redis.store === 'cache-manager-redis-yet' ? `, through ${redis.store}` : ''}, and in memory in front of it.`;
  return { store, warnings };
}

function connectionsAdvice({ maxConnections, openFiles = Infinity }: ConnectionLimits): string | undefined {
  if (maxConnections === undefined || maxConnections + OTHER_FILES <= openFiles) return undefined;
  const fitting = Math.max(1, openFiles - OTHER_FILES);
  return `MAX_CONNECTIONS is ${maxConnections}, but a process may open ${openFiles} files (ulimit -n), and needs about ${OTHER_FILES} for other things: raise that limit to ${maxConnections + OTHER_FILES}, or set MAX_CONNECTIONS=${fitting}.`;
}

function nameOf({ mode, nodes, sentinelName }: RedisEndpoint): string {
  const addresses = nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
  if (mode === 'single') return `Redis at ${addresses}`;
  return mode === 'cluster'
    ? `the Redis Cluster of ${addresses}`
    : `the Redis that the sentinels at ${addresses} call ${sentinelName ?? ''}`;
}
