import {
  Controller,
  Get,
  Head,
  Header,
  Injectable,
  Module,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { RouteSchema, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Agent } from 'node:http';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { request } from './raw-http';
import { responseCache } from './response-cache';

const urlOf = ({ url }: FastifyRequest): string => url;
const Cached = () => CacheRule({ upstream: 'things', key: urlOf, byUrl: true });

/** How often what must run has run. */
export const runs = { count: 0 };
export const next = (...args: unknown[]): void => {
  runs.count += 1;
  (args.at(-1) as () => void)();
};

@Injectable()
class Nobody implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class CountingSubclass extends ResponseCacheInterceptor {
  override intercept(context: ExecutionContext, handler: CallHandler) {
    runs.count += 1;
    return super.intercept(context, handler);
  }
}

@Injectable()
class CountingWrapper implements NestInterceptor {
  constructor(private readonly inner: ResponseCacheInterceptor) {}

  intercept(context: ExecutionContext, handler: CallHandler) {
    runs.count += 1;
    return this.inner.intercept(context, handler);
  }
}

@Controller('plain')
@UseInterceptors(ResponseCacheInterceptor)
export class PlainController {
  @Get(':id')
  @Cached()
  plain() {
    return { value: 1 };
  }
}

@Controller({ path: 'plain', version: '1' })
@UseInterceptors(ResponseCacheInterceptor)
export class FirstVersionController {
  @Get('versioned')
  @Cached()
  versioned() {
    return { version: 1 };
  }
}

@Controller({ path: 'plain', version: '2' })
@UseGuards(Nobody)
export class SecondVersionController {
  @Get(['versioned', 'special'])
  versioned() {
    return { version: 2 };
  }
}

@Controller({ path: 'hosted', host: 'a.example' })
@UseInterceptors(ResponseCacheInterceptor)
export class HostedController {
  @Get(':id')
  @Cached()
  hosted() {
    return { value: 1 };
  }
}

@Controller('head')
@UseInterceptors(ResponseCacheInterceptor)
export class HeadController {
  @Head(':id')
  @UseGuards(Nobody)
  head() {
    return undefined;
  }

  @Get(':id')
  @Cached()
  get() {
    return { value: 1 };
  }
}

class Inherited {
  @Get(':id')
  @Cached()
  get() {
    return { value: 1 };
  }
}

@Controller('open')
@UseInterceptors(ResponseCacheInterceptor)
export class OpenController extends Inherited {}

@Controller('closed')
@UseInterceptors(ResponseCacheInterceptor)
@UseGuards(Nobody)
export class ClosedController extends Inherited {}

@Controller('subclass')
@UseInterceptors(CountingSubclass)
export class SubclassController extends Inherited {}

@Controller('wrapper')
@UseInterceptors(CountingWrapper)
export class WrapperController extends Inherited {}

@Controller('ours')
export class OursController extends Inherited {}

@Controller('fields')
@UseInterceptors(ResponseCacheInterceptor)
export class FieldsController {
  @Get('cors')
  @Header('access-control-allow-credentials', 'true')
  @Cached()
  cors() {
    return { value: 1 };
  }

  @Get('vary')
  @Header('vary', 'Origin')
  @Cached()
  vary() {
    return { value: 1 };
  }

  @Get('checked')
  @RouteSchema({ headers: { type: 'object', required: ['x-token'] } })
  @Cached()
  checked() {
    return { value: 1 };
  }
}

type Prepare = (app: NestFastifyApplication) => void;

export const fastifyOf = (app: NestFastifyApplication): FastifyInstance => app.getHttpAdapter().getInstance();

/** Fastify's own, which its types do not know. */
export const useOf = (app: NestFastifyApplication) => {
  const fastify = fastifyOf(app) as unknown as { use: (run: unknown) => void };
  return (run: unknown): void => fastify.use(run);
};

export interface Setting {
  /** Adds a hook, so that hits take the slow path. */
  readonly isOrdinary?: boolean;
  readonly before?: Prepare;
  readonly afterInit?: Prepare;
  readonly providers?: { provide: string; useClass: Type }[];
}

export async function openSkippable(
  controllers: Type[],
  { isOrdinary, before, afterInit, providers = [] }: Setting = {},
) {
  @Module({
    imports: [responseCache()],
    controllers,
    providers,
  })
  class ThingsModule {}
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter(), { logger: false });
  if (isOrdinary) fastifyOf(app).addHook('onRequest', (_request, _reply, done) => done());
  before?.(app);
  await app.init();
  const adapter = app.getHttpAdapter();
  const handled = { count: 0 };
  const reply = adapter.reply.bind(adapter);
  adapter.reply = (...args: Parameters<typeof reply>): unknown => {
    handled.count += 1;
    return reply(...args) as unknown;
  };
  afterInit?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  const agent = new Agent({ keepAlive: true });
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    request(`http://127.0.0.1:${port}${path}`, { headers, agent, method });
  const warm = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    for (let times = 0; times < 4; times++) await ask(path, headers);
  };
  return { app, ask, warm, handled };
}
