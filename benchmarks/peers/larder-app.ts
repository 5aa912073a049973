import 'reflect-metadata';
import { Controller, Get, Module, Param, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from '../../src/app.module';
import { createAdapter, setUp, settingsOf } from '../../src/app.setup';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { BootLogger, PinoLogger } from '../../src/http/pino.logger';
import { heldBytes } from './heap';
import { payloadOf, type Payload } from './payload';
import { fetchUser } from './upstream';

/*
 * Larder as it is, set up as in src/main.ts, with two routes more: a body of a given size, and GitHub's user as GitHub
 * gives it.
 */

@Controller()
export class PeerController {
  @Get('payload/:bytes')
  @UseInterceptors(ResponseCacheInterceptor)
  @CacheRule({
    upstream: 'bench',
    key: (request) => `payload:${(request.params as { bytes: string }).bytes}`,
    byUrl: true,
  })
  payload(@Param('bytes') bytes: string): Payload {
    return payloadOf(Number(bytes));
  }

  @Get('users/:account')
  @UseInterceptors(ResponseCacheInterceptor)
  @CacheRule({ upstream: 'bench', key: (request) => `users:${(request.params as { account: string }).account}` })
  user(@Param('account') account: string): Promise<Record<string, unknown>> {
    return fetchUser(account);
  }

  @Get('heap')
  heap(): { bytes: number } {
    return { bytes: heldBytes() };
  }
}

@Module({ imports: [AppModule], controllers: [PeerController] })
export class PeerModule {}

async function boot(): Promise<void> {
  const app = await NestFactory.create<NestFastifyApplication>(PeerModule, createAdapter(), {
    logger: new BootLogger(),
    abortOnError: false,
  });
  const { port, host, logLevel } = settingsOf(app);
  app.useLogger(new PinoLogger(logLevel));
  await setUp(app).listen(port, host);
}

boot().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
