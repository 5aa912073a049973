import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance } from 'fastify';
import { rawRequest } from './raw-http';

export type ServiceInProcess = Awaited<ReturnType<typeof openInProcess>>;

/**
 * The whole service in this process, to see which requests reach Fastify. One for each spec file: the settings are read
 * when the modules are loaded.
 */
export async function openInProcess(env: Readonly<Record<string, string>>) {
  Object.assign(process.env, { SWAGGER_ENABLED: 'false', CREDENTIAL_SECRET: 'of-the-tests', ...env });
  const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
  const { CacheInvalidator } = await import('../../src/cache/index.js');
  const adapter = createAdapter();
  const fastify = adapter.getInstance<FastifyInstance>();
  const routes: (readonly [method: string, url: string])[] = [];
  fastify.addHook(
    'onRoute',
    ({ method, url }) => void routes.push(...[method].flat().map((one) => [one, url] as const)),
  );
  fastify.head('/github/own-head', (_request, reply) => reply.code(204).send());
  const seen = { count: 0 };
  const { AppModule } = await import('../../src/app.module.js');
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = setUp(module.createNestApplication<NestFastifyApplication>(adapter));
  await app.listen(0, '127.0.0.1');
  // Asked last, for requests that nothing else has served.
  adapter.gate.serveWith(() => {
    seen.count += 1;
    return false;
  });
  const { port } = app.getHttpServer().address() as { port: number };
  /** How many of the requests are looked at by Fastify. */
  const seenDuring = async (call: () => Promise<unknown>): Promise<number> => {
    const before = seen.count;
    await call();
    return seen.count - before;
  };
  /** The answer to one request, byte for byte but for what is another each time. Fastify sees one request more, which ends the connection. */
  const answerTo = async (asked: string): Promise<string> => {
    const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    const answers = (await rawRequest(port, asked + last)).toString('latin1');
    return answers
      .slice(0, answers.lastIndexOf('HTTP/1.1 404'))
      .replace(/(x-request-id|x-response-time): .*/gi, '$1: …')
      .replace(/ttl=\d+/, 'ttl=…')
      .replace(/age: \d+\r/, 'age: …\r');
  };
  return { app, gate: adapter.gate, routes, seenDuring, answerTo, cache: app.get(CacheInvalidator), port };
}
