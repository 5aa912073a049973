import { Logger, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createAdapter, setUp, settingsOf } from './app.setup';
import { EnvironmentError } from '../config/env.schema';
import { shownSettings } from '../config/shown-settings';
import { serviceConfig } from '../config/slices';
import { currentAdvice } from '../current-advice';
import { reloadTls } from '../server/tls';
import { logFormatOf } from '../server/log-format';
import { BootLogger, PinoLogger } from '../logging/pino.logger';
import { listenFailure } from './listen-failure';
import { acceptInTurn } from '../workers/accept-in-turn';
import { startsWorkers } from '../workers/start-workers';
import { isWorker } from '../workers/worker-channel';

/** Additions of the program that starts the service. */
export interface BootHooks {
  /** The application is made and not initialised yet: routes of one's own go here. */
  readonly beforeListen?: (app: NestFastifyApplication) => void;
  readonly onListening?: (url: string) => void;
}

/**
 * Starts the service: in this process, or in workers of it (`WORKERS`). Invalid settings end the process with a line that names them.
 *
 * @param load imports the root module; an error of it is reported like an invalid setting
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
  const { tls, logFormat, isProduction } = serviceConfig();
  const format = logFormatOf(logFormat, isProduction);
  if (startsWorkers((level) => new PinoLogger(level, format), advise)) return;
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter(tls), {
    logger: new BootLogger(),
    abortOnError: false,
  });
  const { port, host, logLevel } = settingsOf(app);
  const logger = new PinoLogger(logLevel, format);
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
  if (!isWorker()) new Logger('Larder').log(`Listening on ${url}; the page is at /`);
  onListening?.(url);
}

/** Once for the service, before it listens. */
function advise(logger: LoggerService): void {
  const { store, warnings } = currentAdvice();
  logger.log({ msg: 'Settings other than the defaults', settings: shownSettings() }, 'Settings');
  logger.log(store, 'Store');
  for (const warning of warnings) logger.warn(warning, 'Settings');
}
