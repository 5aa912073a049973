import {
  Catch,
  Controller,
  ForbiddenException,
  Get,
  HttpException,
  NotFoundException,
  Param,
  ParseIntPipe,
  Req,
  Res,
  ServiceUnavailableException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { Gate } from './barrier';
import { openRoutes, type RouteApp, type RouteAppOptions } from './route-app';

/** What the handlers below do, and how often they were called. */
export const handler = {
  calls: 0,
  gate: new Gate(),
  /** What handlers throw; undefined: they answer. */
  thrown: undefined as (() => unknown) | undefined,
  /** The status that a handler sets on its reply, other than for an admin. */
  status: 200,
};

@Catch(HttpException)
class TeapotFilter implements ExceptionFilter {
  catch(error: HttpException, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(error.getStatus()).send({ brewed: error.message });
  }
}

export class OutOfStock extends NotFoundException {
  readonly since = 'Monday';
}

@Catch(NotFoundException)
class MissingFilter implements ExceptionFilter {
  catch(error: NotFoundException, host: ArgumentsHost): void {
    const since = error instanceof OutOfStock ? error.since : undefined;
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(404).send({ shop: 'missing', since, said: error.getResponse() });
  }
}

@Catch(ServiceUnavailableException)
class ClosedFilter implements ExceptionFilter {
  catch(error: ServiceUnavailableException, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(503).send({ shop: 'closed', said: error.getResponse() });
  }
}

class Nobody implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('errors')
@UseInterceptors(ResponseCacheInterceptor)
export class ErrorsController {
  @Get('price')
  @CacheRule({ upstream: 'things' })
  async price() {
    handler.calls += 1;
    await handler.gate.wait();
    if (handler.thrown) throw handler.thrown();
    return { price: 1 };
  }

  @Get('filtered')
  @UseFilters(TeapotFilter)
  @CacheRule({ upstream: 'things' })
  async filtered() {
    handler.calls += 1;
    await handler.gate.wait();
    throw handler.thrown?.();
  }

  @Get('report')
  @CacheRule({ upstream: 'things', key: () => 'report' })
  async report(@Req() request: FastifyRequest) {
    handler.calls += 1;
    await handler.gate.wait();
    if (request.headers['x-role'] !== 'admin') throw new ForbiddenException('not for you');
    return { report: 1 };
  }

  @Get('by-status')
  @CacheRule({ upstream: 'things', key: () => 'by-status' })
  async byStatus(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    handler.calls += 1;
    await handler.gate.wait();
    if (handler.thrown) throw handler.thrown();
    const user = String(request.headers['x-user']);
    if (handler.status !== 200 && request.headers['x-role'] !== 'admin') void reply.status(handler.status);
    return { user };
  }

  @Get('kept')
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  kept() {
    handler.calls += 1;
    if (handler.thrown) throw handler.thrown();
    return { kept: 1 };
  }

  @Get('own-filters')
  @UseFilters(MissingFilter, ClosedFilter)
  @CacheRule({ upstream: 'things', negativeTtlMs: 60_000 })
  async ownFilters() {
    handler.calls += 1;
    await handler.gate.wait();
    throw handler.thrown?.();
  }

  @Get('numbers/:id')
  @CacheRule({ upstream: 'things' })
  number(@Param('id', ParseIntPipe) id: number) {
    return { id };
  }
}

@Controller('guarded')
@UseGuards(Nobody)
class GuardedController {
  @Get()
  get() {
    return {};
  }
}

export const opened: RouteApp[] = [];
export const openErrors = async (options: RouteAppOptions = {}): Promise<RouteApp> => {
  const app = await openRoutes([ErrorsController, GuardedController], options);
  opened.push(app);
  return app;
};

/** Sets the handlers back before each test, and closes the applications after it. */
export function useErrorRoutes(): void {
  beforeEach(() => {
    const gate = new Gate();
    gate.open();
    Object.assign(handler, { calls: 0, gate, thrown: undefined, status: 200 });
  });
  afterEach(async () => {
    handler.gate.open();
    for (const app of opened.splice(0)) await app.close();
  });
}
