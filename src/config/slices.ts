import { createHash } from 'node:crypto';
import { registerAs } from '@nestjs/config';
import type { NamedSecret } from '../kernel/named-secrets';
import { parseRedisEndpoint, type RedisEndpoint } from '../redis/redis-endpoint';
import { readEnvironment, type Environment } from './env.schema';
import { declaredFeatures } from './feature-settings';

/*
 * The typed slices of the configuration: each module injects its own by `slice.KEY` and sees nothing of the others.
 */

const SOURCE_LENGTH = 6;

const slice = <T extends object>(name: string, pick: (env: Environment) => T) =>
  registerAs(name, () => pick(readEnvironment()));

function tlsOf(env: Environment) {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CLIENT_CA_FILE: clientCaFile, TLS_HTTP2: http2 } = env;
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile, clientCaFile, http2 };
}

/** Whether OpenTelemetry is on, and has an endpoint: of this signal's own, or of all. */
function adminTokensOf({ ADMIN_TOKEN, ADMIN_TOKENS = [] }: Environment): readonly NamedSecret[] {
  return [...(ADMIN_TOKEN === undefined ? [] : [{ name: 'admin', token: ADMIN_TOKEN }]), ...ADMIN_TOKENS];
}

function exportsTo(env: Environment, endpoint: string | undefined): boolean {
  return env.OTEL_SDK_DISABLED === 'false' && (endpoint ?? env.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined;
}

export const serviceConfig = slice('service', (env) => ({
  isProduction: env.NODE_ENV === 'production',
  host: env.HOST,
  port: env.PORT,
  logLevel: env.LOG_LEVEL,
  logFormat: env.LOG_FORMAT,
  workers: env.WORKERS,
  trustProxy: env.TRUST_PROXY,
  maxConnections: env.MAX_CONNECTIONS,
  maxConnectionsPerAddress: env.MAX_CONNECTIONS_PER_ADDRESS,
  clientTimeoutMs: env.CLIENT_TIMEOUT_MS,
  shutdownTimeoutMs: env.SHUTDOWN_TIMEOUT_MS,
  publicUrl: env.PUBLIC_URL,
  /** The service's own TLS; undefined for plain HTTP. */
  tls: tlsOf(env),
  /** The port of plain HTTP that leads to https; undefined for none. */
  redirectPort: env.HTTP_REDIRECT_PORT,
  /** The operators' own port; undefined where they share the public one. */
  operators:
    env.ADMIN_PORT === undefined
      ? undefined
      : {
          port: env.ADMIN_PORT,
          host: env.ADMIN_HOST ?? env.HOST,
          tls: env.ADMIN_TLS === false ? undefined : tlsOf(env),
        },
  swaggerEnabled: env.SWAGGER_ENABLED,
  /** Undefined where no traces are exported. */
  traces:
    env.OTEL_TRACES_EXPORTER === 'otlp' && exportsTo(env, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
      ? { toldUpstreams: env.TRACE_CONTEXT_UPSTREAM ?? [] }
      : undefined,
  /** Undefined where metrics are read at `/metrics` alone. */
  metricExport:
    env.OTEL_METRICS_EXPORTER === 'otlp' && exportsTo(env, env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)
      ? { intervalMs: env.OTEL_METRIC_EXPORT_INTERVAL, timeoutMs: env.OTEL_METRIC_EXPORT_TIMEOUT }
      : undefined,
}));

export const adminConfig = slice('admin', (env) => ({
  isProduction: env.NODE_ENV === 'production',
  tokens: adminTokensOf(env),
}));

export const upstreamConfig = slice('upstream', (env) => ({
  limits: {
    connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
    timeoutMs: env.UPSTREAM_TIMEOUT_MS,
    maxResponseBytes: env.UPSTREAM_MAX_RESPONSE_BYTES,
    breakerFailures: env.UPSTREAM_BREAKER_FAILURES,
    breakerPauseMs: env.UPSTREAM_BREAKER_PAUSE_MS,
  },
  credentialSecret: env.CREDENTIAL_SECRET,
  /** They are for the admin API alone: no request with one of them as its credential is sent to an API. */
  adminTokens: adminTokensOf(env),
}));

export const cacheConfig = slice('cache', (env) => ({
  ttlMs: env.CACHE_TTL_SECONDS * 1_000,
  negativeTtlMs: env.CACHE_NEGATIVE_TTL_SECONDS * 1_000,
  staleWhileRevalidateMs: env.CACHE_STALE_WHILE_REVALIDATE_SECONDS * 1_000,
  staleIfErrorMs: env.CACHE_STALE_IF_ERROR_SECONDS * 1_000,
  servesStaleDespiteDirectives: env.CACHE_STALE_DESPITE_DIRECTIVES,
  staleAfterMs: env.CACHE_STALE_AFTER_MS,
  settleMs: Math.max(0, ...declaredFeatures().map(({ settleMsOf }) => settleMsOf?.(env) ?? 0)),
  jitter: env.CACHE_TTL_JITTER,
  earlyRefreshBeta: env.CACHE_EARLY_REFRESH_BETA,
  leaseMs: env.CACHE_LEASE_MS,
  deadlineMs: env.REQUEST_DEADLINE_MS ?? env.UPSTREAM_TIMEOUT_MS + env.UPSTREAM_CONNECT_TIMEOUT_MS,
  loadTimeoutMs: env.UPSTREAM_TIMEOUT_MS + env.UPSTREAM_CONNECT_TIMEOUT_MS,
  fastPathEnabled: env.CACHE_FAST_PATH,
  maxEntryBytes: env.CACHE_MAX_ENTRY_BYTES,
  l1: {
    maxBytes: env.L1_MAX_BYTES,
    maxEntries: env.L1_MAX_ENTRIES,
    maxCallerShare: env.L1_MAX_CALLER_SHARE,
  },
}));

export const redisConfig = slice('redis', (env) => ({
  endpoint: env.CACHE_STORE === 'memory' ? undefined : endpointOf(env),
  store: env.CACHE_STORE,
  ...(env.REDIS_USERNAME === undefined ? {} : { username: env.REDIS_USERNAME }),
  ...(env.REDIS_PASSWORD === undefined ? {} : { password: env.REDIS_PASSWORD }),
  ...(env.REDIS_SENTINEL_USERNAME === undefined ? {} : { sentinelUsername: env.REDIS_SENTINEL_USERNAME }),
  ...(env.REDIS_SENTINEL_PASSWORD === undefined ? {} : { sentinelPassword: env.REDIS_SENTINEL_PASSWORD }),
  keyPrefix: env.REDIS_KEY_PREFIX,
  source: sourceOf(env),
  commandTimeoutMs: env.REDIS_COMMAND_TIMEOUT_MS,
  tls: {
    ...(env.REDIS_TLS_CA_FILE === undefined ? {} : { caFile: env.REDIS_TLS_CA_FILE }),
    ...(env.REDIS_TLS_CERT_FILE === undefined ? {} : { certFile: env.REDIS_TLS_CERT_FILE }),
    ...(env.REDIS_TLS_KEY_FILE === undefined ? {} : { keyFile: env.REDIS_TLS_KEY_FILE }),
  },
}));

/**
 * The settings that decide the responses: the addresses of APIs and their profiles. Empty for the default, else a short fingerprint.
 * Entries stored in Redis under another fingerprint are not used. One for all upstreams together: a handler may combine the responses of
 * several, and its entry names one of them, or none.
 */
function sourceOf(env: Environment): string {
  const sources = declaredFeatures().flatMap(({ sourceOf: of }) => of?.(env) ?? []);
  if (sources.length === 0) return '';
  return createHash('sha256').update(sources.sort().join('\n')).digest('base64url').slice(0, SOURCE_LENGTH);
}

function endpointOf(env: Environment): RedisEndpoint | undefined {
  return env.REDIS_ENDPOINT_URI === undefined ? undefined : parseRedisEndpoint(env.REDIS_ENDPOINT_URI);
}

export const slices = [serviceConfig, adminConfig, upstreamConfig, cacheConfig, redisConfig];
