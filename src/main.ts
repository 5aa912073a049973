import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createAdapter, setUp, settingsOf } from './app.setup';
import { EnvironmentError } from './config/env.schema';
import { BootLogger, PinoLogger } from './http/pino.logger';
import { startsWorkers } from './workers/start-workers';
import { isWorker } from './workers/worker-channel';

async function boot(): Promise<void> {
  // Loaded here, so that a wrong setting, which it finds, is told in a line and not as a stack.
  const { AppModule } = await import('./app.module.js');
  if (startsWorkers((level) => new PinoLogger(level))) return;
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, createAdapter(), {
    logger: new BootLogger(),
    abortOnError: false,
  });
  const { port, host, logLevel } = settingsOf(app);
  app.useLogger(new PinoLogger(logLevel));
  await setUp(app).listen(port, host);
  if (!isWorker())
    new Logger('Larder').log(`Listening on ${await app.getUrl()}; try /repos/redis, /docs and the page at /`);
}

boot().catch((error: unknown) => {
  const isSetting = error instanceof EnvironmentError;
  process.stderr.write(
    `${isSetting ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(1);
});
