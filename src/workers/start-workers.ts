import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import { AdminTokens } from '../admin/admin-tokens';
import { hostStore } from '../cache';
import { adminConfig, cacheConfig, redisConfig, serviceConfig, upstreamConfig } from '../config/slices';
import { numberOfWorkers, Primary } from './primary';

/**
 * Starts the workers, if more than one is configured.
 *
 * @param advise logs advice about the settings, for all workers
 * @returns whether this process is the primary of several, and serves nothing itself
 */
export function startsWorkers(
  loggerOf: (level: string) => LoggerService,
  advise: (logger: LoggerService) => void,
): boolean {
  const { workers: setting, shutdownTimeoutMs, logLevel, tls } = serviceConfig();
  const workers = numberOfWorkers(setting);
  if (cluster.isWorker || workers < 2) return false;
  const logger = loggerOf(logLevel);
  advise(logger);
  const { tokens, isProduction } = adminConfig();
  const { made } = AdminTokens.of(tokens, isProduction);
  if (made !== undefined) logger.warn(`ADMIN_TOKEN is not set; for this run it is ${made}`, 'Admin');
  const primary = new Primary({
    workers,
    shutdownTimeoutMs,
    store: redisConfig().endpoint === undefined ? hostStore(cacheConfig().l1, workers + 1) : undefined,
    // one token and one secret for all
    env: {
      ...(made === undefined ? {} : { ADMIN_TOKEN: made }),
      ...(upstreamConfig().credentialSecret === undefined
        ? { CREDENTIAL_SECRET: randomBytes(32).toString('hex') }
        : {}),
    },
    logger,
    isHttps: tls !== undefined,
  });
  primary.start();
  return true;
}
