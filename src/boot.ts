import { Logger, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createAdapter, setUp, settingsOf } from './app.setup';
import { processMemory } from './cache';
import { EnvironmentError, misspelledSettings } from './config/env.schema';
import { cacheConfig, redisConfig, serviceConfig, upstreamConfig } from './config/slices';
import { openFilesLimit } from './http/connection-limit';
import { reloadTls } from './http/tls';
import { BootLogger, PinoLogger } from './http/pino.logger';
import { listenFailure } from './listen-failure';
import { startAdvice } from './start-advice';
import { mountedDefinitions, upstreamSettings } from './upstream';
import { acceptInTurn } from './workers/accept-in-turn';
import { processesOf } from './workers/primary';
import { startsWorkers } from './workers/start-workers';
import { isWorker } from './workers/worker-channel';

/** What the one who starts the service adds to it. */
export interface BootHooks {
  /** The application is made and not initialised yet: routes of one's own go here. */
  readonly beforeListen?: (app: NestFastifyApplication) => void;
  readonly onListening?: (url: string) => void;
}

/**
 * Starts the service: in this process, or in workers of it (`WORKERS`). What is wrong with the settings ends the process with
 * a line that says so.
 *
 * @param load imports the root module; what it throws is told as what is wrong with a setting is
 */
export async function boot(load: () => Promise<Type>, hooks: BootHooks = {}): Promise<void> {
  try {
    await start(await load(), hooks);
  } catch (error) {
    const isSetting = error instanceof EnvironmentError;
    process.stderr.write(
      `${isSetting ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  }
}

async function start(module: Type, { beforeListen, onListening }: BootHooks): Promise<void> {
  if (startsWorkers((level) => new PinoLogger(level), advise)) return;
  const { tls } = serviceConfig();
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter(tls), {
    logger: new BootLogger(),
    abortOnError: false,
  });
  const { port, host, logLevel } = settingsOf(app);
  const logger = new PinoLogger(logLevel);
  app.useLogger(logger);
  if (isWorker()) acceptInTurn(app.getHttpServer());
  else advise(logger);
  beforeListen?.(app);
  if (tls) reloadTls(app.getHttpServer(), tls, logger);
  await setUp(app)
    .listen(port, host)
    .catch((error: unknown) => {
      const failure = listenFailure(error, host, port);
      throw failure === undefined ? error : new EnvironmentError(failure);
    });
  const url = await app.getUrl();
  if (!isWorker()) new Logger('Larder').log(`Listening on ${url}; try /repos/redis, /docs and the page at /`);
  onListening?.(url);
}

/** Once for the service, before it listens. */
function advise(logger: LoggerService): void {
  const { l1 } = cacheConfig();
  const { workers, maxConnections } = serviceConfig();
  const memory = processMemory(processesOf(workers));
  const { store, warnings } = startAdvice(
    redisConfig(),
    { credentialSecret: upstreamConfig().credentialSecret, strict: strictUpstreams() },
    { maxBytes: l1.maxBytes, memory },
    { maxConnections, openFiles: openFilesLimit() },
  );
  logger.log(store, 'Store');
  for (const warning of [...misspelledSettings(), ...warnings]) logger.warn(warning, 'Settings');
}

function strictUpstreams(): readonly string[] {
  return mountedDefinitions()
    .filter((definition) => upstreamSettings(definition).isStrict)
    .map(({ name, title = name }) => title);
}
