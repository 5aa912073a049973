import { readFileSync } from 'node:fs';
import type { RedisClientOptions } from 'redis';
import type { NodeAddress, RedisEndpoint } from './redis-endpoint';

/** The `redis` slice of the configuration. */
export interface RedisSettings {
  /** What `url` is parsed to: `redis://`, `rediss://`, with Sentinels or the nodes of a Cluster. */
  readonly endpoint: RedisEndpoint;
  /** The user, over the URL's. */
  readonly username?: string;
  /** The password, over the URL's. */
  readonly password?: string;
  /** The user of the Sentinels. */
  readonly sentinelUsername?: string;
  /** The password of the Sentinels. */
  readonly sentinelPassword?: string;
  /** The first word of every key: one for each application on the same Redis. */
  readonly keyPrefix: string;
  /** A short word for what decides the answers that are stored; empty or absent in the default configuration. */
  readonly source?: string;
  /** How long a command may take before Redis counts as down. */
  readonly commandTimeoutMs: number;
  /** PEM files for `rediss://`. */
  readonly tls: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
}

/** Bulk strings come as bytes. 36 is `$`, by which RESP marks them: `RESP_TYPES.BLOB_STRING` of the client. */
export const BINARY_REPLIES = { typeMapping: { 36: Buffer } } as const;

const CONNECT_TIMEOUT_MS = 1_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/** Grows from 50 ms to 1 s, with up to a fifth of jitter; never gives up. */
export function retryDelayMs(attempt: number): number {
  const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 10));
  return Math.round(delay * (0.8 + 0.2 * Math.random()));
}

/** The options of a client to one node: RESP3, no offline queue, its errors are ours to handle. */
export function nodeClientOptions(settings: RedisSettings, node: NodeAddress): RedisClientOptions {
  const username = settings.username ?? settings.endpoint.username;
  const password = settings.password ?? settings.endpoint.password;
  return {
    RESP: 3,
    disableOfflineQueue: true,
    // Each command has a deadline of ours, its answer included (`deadline.ts`); node-redis' own is an AbortSignal for each.
    commandOptions: { timeout: 0 },
    clientInfoTag: 'larder',
    // On Redis Enterprise's notice of a move node-redis changes the socket without an event. Here a new socket is a gap: its server may
    // have older data, and does not track our keys yet.
    maintNotifications: 'disabled',
    database: settings.endpoint.database,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    socket: {
      host: node.host,
      port: node.port,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // A client that lost its socket is replaced by the one who watches it (`watched-client.ts`).
      reconnectStrategy: false,
      ...tlsOptions(settings),
    },
  };
}

/** The options of a client to a sentinel, which has credentials of its own. */
export function sentinelClientOptions(settings: RedisSettings, node: NodeAddress): RedisClientOptions {
  const { username, password, ...options } = nodeClientOptions(settings, node);
  return {
    ...options,
    database: 0,
    ...(settings.sentinelUsername === undefined ? {} : { username: settings.sentinelUsername }),
    ...(settings.sentinelPassword === undefined ? {} : { password: settings.sentinelPassword }),
  };
}

function tlsOptions(settings: RedisSettings): object {
  if (!settings.endpoint.isTls) return {};
  const { caFile, certFile, keyFile } = settings.tls;
  return {
    tls: true,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
  };
}
