import 'reflect-metadata';
import { Controller, Get, Module, Param, UseInterceptors } from '@nestjs/common';
import { AppModule } from '../../src/app.module';
import { boot } from '../../src/bootstrap/boot';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { heldBytes } from './heap';
import { payloadOf, type Payload } from './payload';
import { fetchUser } from './upstream';

/*
 * Larder as it is, started as in src/main.ts, with two routes more: a body of a given size, and GitHub's user as GitHub
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

/** A middleware that concerns other paths than the benchmark's. */
const middlewarePath = process.env['BENCH_MIDDLEWARE'];

void boot(() => Promise.resolve(PeerModule), {
  beforeListen: (app) => {
    if (middlewarePath !== undefined)
      app.use(middlewarePath, (_request: unknown, _response: unknown, next: () => void) => next());
  },
});
