import {
  Controller,
  Delete,
  Get,
  Module,
  Options,
  Post,
  Put,
  UseInterceptors,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Agent } from 'node:http';
import { createAdapter } from '../../src/bootstrap/app.setup';
import { CacheRule, ResponseCacheInterceptor } from '../../src/cache';
import { rawRequest } from './raw-http';
import { responseCache } from './response-cache';

const idOf = (asked: FastifyRequest): string => (asked.params as { id: string }).id;

/** How often a key was asked for: never on the fast path. */
export const key = { asked: 0 };
const counting = <T>(value: T): T => {
  key.asked += 1;
  return value;
};

@Controller()
@UseInterceptors(ResponseCacheInterceptor)
class ThingsController {
  @Get('by-url/:id')
  @CacheRule({
    upstream: 'things',
    key: (asked) => counting(`by-url:${idOf(asked)}`),
    byUrl: true,
    hitFlagName: 'cached',
  })
  byUrl() {
    return { value: 1 };
  }

  @Post('by-url/:id')
  postUncached() {
    return 'handled POST';
  }

  @Put('by-url/:id')
  putUncached() {
    return 'handled PUT';
  }

  @Delete('by-url/:id')
  deleteUncached() {
    return 'handled DELETE';
  }

  @Options('by-url/:id')
  optionsUncached() {
    return 'handled OPTIONS';
  }

  @Get('large/:id')
  @CacheRule({ upstream: 'things', key: (asked) => counting(`large:${idOf(asked)}`), byUrl: true })
  large() {
    return { text: 'x'.repeat(100_000) };
  }

  @Get('by-tenant')
  @CacheRule({ upstream: 'things', key: ({ headers }) => counting(`tenant:${String(headers['x-tenant'])}`) })
  byTenant() {
    return { value: 1 };
  }

  @Get('plain')
  @CacheRule({ upstream: 'things' })
  plain() {
    return { value: Math.random() };
  }
}

export type Prepare = (app: NestFastifyApplication) => void;

/** An application with routes that are known by their URL. */
export async function openThings(
  prepare: Prepare = () => undefined,
  configure?: (consumer: MiddlewareConsumer) => void,
) {
  @Module({
    imports: [responseCache()],
    controllers: [ThingsController],
  })
  class ThingsModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      configure?.(consumer);
    }
  }
  const module = await Test.createTestingModule({ imports: [ThingsModule] }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(createAdapter());
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

export const fastifyOf = (app: NestFastifyApplication): FastifyInstance => app.getHttpAdapter().getInstance();
export const portOf = (app: NestFastifyApplication) => (app.getHttpServer().address() as { port: number }).port;
export const keepAlive = new Agent({ keepAlive: true });

/** On a connection that stays, with a last request after it that ends the connection; without what differs each time. */
export async function answerOf(
  app: NestFastifyApplication,
  method: string,
  path: string,
  fields: string,
): Promise<string> {
  const asked = `${method} ${path} HTTP/1.1\r\nhost: x\r\n${fields}\r\n`;
  const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  const answers = (await rawRequest(portOf(app), `${asked}${last}`)).toString('latin1');
  return answers
    .slice(0, answers.lastIndexOf('HTTP/1.1 404'))
    .replace(
      fields.includes('mine') ? /(x-response-time|Date): .*/g : /(x-request-id|x-response-time|Date): .*/g,
      '$1: …',
    )
    .replace(/ttl=\d+/, 'ttl=…')
    .replace(/age: \d+/, 'age: …');
}
