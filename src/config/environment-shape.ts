import { z } from 'zod';
import { parseRedisEndpoint } from '../redis/redis-endpoint';
import { parseTrustedProxies } from '../server/trusted-proxies';
import type { FeatureSettings } from './feature-settings';
import { certificate, flag, httpUrl, number, oneOf, pairs, privateKey, secret, text, whole } from './setting-kinds';

/** The service's own settings; `env.schema.ts` reads them. */

const redisUri = text.superRefine((value, context) => {
  try {
    parseRedisEndpoint(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
});

const trustedProxies = text.default('false').transform((value, context) => {
  try {
    return parseTrustedProxies(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

/** `name:token`, several with commas between them; the message never repeats one. */
const adminTokens = text.transform((value, context) => {
  const tokens = value.split(',').map((one) => {
    const [, name = '', token = ''] = /^\s*([\w.-]{1,40}):(\S+)\s*$/.exec(one) ?? [];
    return { name, token };
  });
  const names = new Set(tokens.map(({ name }) => name));
  const problem = tokens.some(({ name }) => name === '')
    ? 'must be name:token, with commas between several'
    : tokens.some(({ token }) => token.length < 8)
      ? 'must have tokens of at least 8 characters'
      : names.size < tokens.length
        ? 'must have a different name for each token'
        : undefined;
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  return tokens;
});

/** The samplers of OpenTelemetry's SDK (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). */
const SAMPLERS = [
  ...(['always_on', 'always_off', 'traceidratio'] as const),
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
] as const;

const YEAR_SECONDS = 31_536_000;
const MAX_LOAD_MS = 300_000;

/** Every variable: how it is read, and its default. */
export const environmentShape = {
  NODE_ENV: oneOf('development', 'production', 'test').default('development'),
  HOST: text.default('0.0.0.0'),
  PORT: whole(0, 65535).default(8081),
  LOG_LEVEL: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent').default('info'),
  LOG_FORMAT: oneOf('auto', 'json', 'pretty').default('auto'),
  WORKERS: z
    .union([z.literal('auto'), whole(1, 256)], { error: 'must be auto or a whole number from 1 to 256' })
    .default(1),
  ADMIN_PORT: whole(0, 65535).optional(),
  ADMIN_HOST: text.optional(),
  ADMIN_TLS: flag.optional(),
  PUBLIC_URL: httpUrl.optional(),
  TLS_CERT_FILE: certificate.optional(),
  TLS_KEY_FILE: privateKey.optional(),
  TLS_CLIENT_CA_FILE: certificate.optional(),
  HTTP_REDIRECT_PORT: whole(0, 65535).optional(),
  TLS_HTTP2: flag.default(false),
  TRUST_PROXY: trustedProxies,
  MAX_CONNECTIONS: whole(1, 1_000_000).optional(),
  MAX_CONNECTIONS_PER_ADDRESS: whole(1, 1_000_000).optional(),
  CLIENT_TIMEOUT_MS: whole(100, 3_600_000).default(60_000),
  SHUTDOWN_TIMEOUT_MS: whole(100, 300_000).default(10_000),
  ADMIN_TOKEN: secret.optional(),
  ADMIN_TOKENS: adminTokens.optional(),
  GATEWAY_PROFILE: oneOf('default', 'rfc').default('default'),
  CORS_ALLOWED_ORIGINS: text
    .transform((value): '*' | string[] => {
      if (value === '*') return value;
      return value.toLowerCase() === 'none' ? [] : value.split(',').map((origin) => origin.trim());
    })
    .superRefine((origins, context) => {
      const wrong = origins === '*' ? [] : origins.filter((origin) => !isOrigin(origin));
      const message = `must be *, none, or origins such as https://app.example with commas between them: not ${wrong.join(', ')}`;
      if (wrong.length > 0) context.addIssue({ code: 'custom', message });
    })
    .optional(),
  CREDENTIAL_SECRET: secret.optional(),
  UPSTREAM_CONNECT_TIMEOUT_MS: whole(10, MAX_LOAD_MS).default(2_000),
  UPSTREAM_TIMEOUT_MS: whole(10, MAX_LOAD_MS).default(10_000),
  UPSTREAM_MAX_RESPONSE_BYTES: whole(1_024, 1_073_741_824).default(10_485_760),
  UPSTREAM_BREAKER_FAILURES: whole(1, 1_000).default(5),
  UPSTREAM_BREAKER_PAUSE_MS: whole(100, MAX_LOAD_MS).default(5_000),
  REQUEST_DEADLINE_MS: whole(50, MAX_LOAD_MS).optional(),
  CACHE_TTL_SECONDS: whole(1, YEAR_SECONDS).default(3_600),
  CACHE_NEGATIVE_TTL_SECONDS: whole(1, YEAR_SECONDS).default(60),
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: whole(0, YEAR_SECONDS).default(0),
  CACHE_STALE_IF_ERROR_SECONDS: whole(0, YEAR_SECONDS).default(86_400),
  CACHE_STALE_DESPITE_DIRECTIVES: flag.default(false),
  CACHE_STALE_AFTER_MS: whole(10, MAX_LOAD_MS).default(1_000),
  CACHE_TTL_JITTER: number(0, 0.9).default(0),
  CACHE_EARLY_REFRESH_BETA: number(0, 10).default(0),
  CACHE_STORE: oneOf('redis', 'memory', 'cache-manager-redis-yet').optional(),
  CACHE_LEASE_MS: whole(100, 60_000).default(1_000),
  CACHE_FAST_PATH: flag.default(true),
  CACHE_MAX_ENTRY_BYTES: whole(1_024, 536_870_912).default(5_242_880),
  L1_MAX_BYTES: whole(0, 68_719_476_736).default(67_108_864),
  L1_MAX_ENTRIES: whole(1, 100_000_000).default(100_000),
  L1_MAX_CALLER_SHARE: number(0.01, 1).default(0.25),
  REDIS_ENDPOINT_URI: redisUri.optional(),
  REDIS_USERNAME: text.optional(),
  REDIS_PASSWORD: text.optional(),
  REDIS_SENTINEL_USERNAME: text.optional(),
  REDIS_SENTINEL_PASSWORD: text.optional(),
  REDIS_KEY_PREFIX: text
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, hyphens or underscores')
    .default('larder'),
  REDIS_COMMAND_TIMEOUT_MS: whole(5, 60_000).default(100),
  REDIS_TLS_CA_FILE: certificate.optional(),
  REDIS_TLS_CERT_FILE: certificate.optional(),
  REDIS_TLS_KEY_FILE: privateKey.optional(),
  SWAGGER_ENABLED: flag.default(true),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_HEADERS: pairs.optional(),
  OTEL_EXPORTER_OTLP_TIMEOUT: whole(1, 300_000).default(10_000),
  OTEL_SERVICE_NAME: text.default('larder'),
  OTEL_RESOURCE_ATTRIBUTES: pairs.optional(),
  OTEL_TRACES_EXPORTER: oneOf('otlp', 'none').default('otlp'),
  OTEL_METRICS_EXPORTER: oneOf('otlp', 'none').default('none'),
  OTEL_METRIC_EXPORT_INTERVAL: whole(100, 3_600_000).default(60_000),
  OTEL_METRIC_EXPORT_TIMEOUT: whole(100, 300_000).default(30_000),
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: z
    .enum(['cumulative'], { error: 'must be cumulative: the metrics count from the start of the process' })
    .default('cumulative'),
  OTEL_TRACES_SAMPLER: oneOf(...SAMPLERS).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: number(0, 1).default(1),
  OTEL_SDK_DISABLED: oneOf('true', 'false').default('false'),
  TRACE_CONTEXT_UPSTREAM: text.transform((value) => value.split(',').map((name) => name.trim())).optional(),
} as const;

/** For the message of a failed start, where the default is no example. */
export const environmentExamples: Readonly<Partial<Record<keyof typeof environmentShape, string>>> = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
  WORKERS: 'auto',
  ADMIN_PORT: '8082',
  ADMIN_HOST: '127.0.0.1',
  ADMIN_TLS: 'false',
  TLS_HTTP2: 'true',
  PUBLIC_URL: 'https://larder.example',
  TLS_CERT_FILE: '/etc/larder/tls.crt',
  TLS_KEY_FILE: '/etc/larder/tls.key',
  HTTP_REDIRECT_PORT: '8080',
  TLS_CLIENT_CA_FILE: '/etc/larder/clients-ca.pem',
  REQUEST_DEADLINE_MS: '2000',
  TRUST_PROXY: '10.0.0.0/8',
  MAX_CONNECTIONS: '5000',
  MAX_CONNECTIONS_PER_ADDRESS: '200',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318',
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://localhost:4318/v1/traces',
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://localhost:4318/v1/metrics',
  OTEL_METRICS_EXPORTER: 'otlp',
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.01',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20TOKEN',
  OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=production',
  ADMIN_TOKEN: 'the output of: openssl rand -hex 24',
  ADMIN_TOKENS: 'deploy:TOKEN,alice:TOKEN',
  REDIS_ENDPOINT_URI: 'redis://localhost:6379',
  REDIS_KEY_PREFIX: 'larder',
  REDIS_TLS_CA_FILE: '/etc/ssl/redis-ca.pem',
  REDIS_TLS_CERT_FILE: '/etc/ssl/redis-client.pem',
  REDIS_TLS_KEY_FILE: '/etc/ssl/redis-client.key',
  SWAGGER_ENABLED: 'false',
  GATEWAY_PROFILE: 'rfc',
  CORS_ALLOWED_ORIGINS: 'https://app.example,https://admin.example',
  CREDENTIAL_SECRET: 'the output of: openssl rand -hex 24',
  CACHE_FAST_PATH: 'false',
  CACHE_STORE: 'memory',
};

/** Variables that require another one. */
export const environmentNeeds: FeatureSettings['needs'] & object = [
  ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
  ['TLS_KEY_FILE', 'TLS_CERT_FILE'],
  ['HTTP_REDIRECT_PORT', 'TLS_CERT_FILE'],
  ['TLS_CLIENT_CA_FILE', 'TLS_CERT_FILE'],
  ['ADMIN_HOST', 'ADMIN_PORT'],
  ['ADMIN_TLS', 'TLS_CERT_FILE'],
  ['TLS_HTTP2', 'TLS_CERT_FILE'],
  ['REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'],
  ['REDIS_TLS_KEY_FILE', 'REDIS_TLS_CERT_FILE'],
];

/** As browsers write it into `Origin`: scheme, host and port, in lower case, without the default port. */
function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value && /^https?:/.test(value);
}
