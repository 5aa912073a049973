import { Controller, Get, Injectable, Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { defineUpstream, InjectUpstream, UpstreamClient, UpstreamModule, Upstreams } from '../../src/upstream';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';

/** Needs an address and a setting of its own, and is off unless its switch says otherwise. */
const needy = defineUpstream({
  name: 'needy',
  title: 'the needy API',
  isEnabled: false,
  baseUrl: undefined,
  settings: { TENANT: z.string() },
});

@Injectable()
class Needs {
  constructor(@InjectUpstream(needy) readonly client: UpstreamClient) {}
}

@Controller('needs')
class NeedsController {
  @Get(':name')
  get(): object {
    return {};
  }
}

@Module({ imports: [UpstreamModule.register(needy, { controllers: [NeedsController] })], providers: [Needs] })
class NeedyModule {}

describe('an upstream that is switched off', () => {
  let origin: ScriptedOrigin;
  let app: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    origin = await ScriptedOrigin.start((response) => response.end('{}'));
    Object.assign(process.env, {
      ...{ GITHUB_ENABLED: 'false', GITHUB_WEBHOOK_SECRET: 'short', GITHUB_MAX_CONCURRENCY: 'many' },
      ...{
        SWAGGER_ENABLED: 'false',
        STACKEXCHANGE_API_URL: origin.url,
        ADMIN_TOKEN: 'test-admin-token',
        CREDENTIAL_SECRET: 'of-the-tests',
      },
    });
    const { createAdapter, setUp } = await import('../../src/bootstrap/app.setup.js');
    const { AppModule } = await import('../../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule, NeedyModule] }).compile();
    app = setUp(module.createNestApplication<NestFastifyApplication>(createAdapter()));
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(async () => {
    await app.close();
    await origin.stop();
  });

  const ADMIN = { authorization: 'Bearer test-admin-token' };
  const ask = async (path: string, method = 'GET', credential: Record<string, string> = ADMIN) => {
    const headers = { ...credential, 'content-type': 'text/plain' };
    const { status, body } = await request(`${url}${path}`, {
      method,
      headers,
      ...(method === 'POST' && { body: 'x' }),
    });
    return { status, text: body.toString() };
  };

  it.each([
    ['GITHUB_ENABLED', '/github/users/redis'],
    ['GITHUB_ENABLED', '/github'],
    ['GITHUB_ENABLED', '/repos/redis'],
    ['GITHUB_ENABLED', '/github/users/redis', 'POST'],
    ['GITHUB_ENABLED', '/webhooks/github', 'POST'],
    ['NEEDY_ENABLED', '/needy/x', 'DELETE'],
    ['NEEDY_ENABLED', '/needs/x'],
  ])('has no routes: a 404 names %s at %s', async (variable, path, method = 'GET') => {
    const { status, text } = await ask(path, method);
    expect([status, text]).toEqual([404, expect.stringContaining(`Set ${variable}=true`)]);
    expect(JSON.parse(text)).toMatchObject({ code: 'route-not-found' });
  });

  it('has no budget, and is in no health, metric, document or list', async () => {
    expect(await ask('/github-budget')).toEqual({
      status: 404,
      text: expect.stringContaining('There is /stackexchange-budget.') as string,
    });
    expect(await ask('/health')).toMatchObject({ text: expect.stringContaining('stackexchange') as string });
    for (const path of ['/health', '/metrics', '/page.json'])
      expect([path, (await ask(path)).text.match(/github-budget|\/repos|"\/?(?:github|needy|needs)\b/)]).toEqual([
        path,
        null,
      ]);
    const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(Object.keys(paths).filter((path) => /repos|needs/.test(path))).toEqual([]);
    expect(Object.keys(paths)).toContain('/tags/{tag}');
    expect(
      app
        .get(Upstreams)
        .all()
        .map(({ definition }) => definition.name),
    ).toEqual(['stackexchange']);
    const { mountedDefinitions } = await import('../../src/upstream/index.js');
    expect(mountedDefinitions().map(({ name }) => name)).toEqual(['stackexchange']);
  });

  it('refuses providers that ask it, with the same words', async () => {
    const { client } = app.get(Needs);
    await expect(client.get('/x')).rejects.toThrow('the needy API is switched off. Set NEEDY_ENABLED=true');
  });

  it('leaves the others as they are', async () => {
    expect(await ask('/stackexchange/sites', 'GET', {})).toMatchObject({ status: 200 });
    expect(origin.hits).toHaveLength(1);
  });

  it('needs its settings as soon as it is on', async () => {
    const { readEnvironment } = await import('../../src/config/env.schema.js');
    expect(() => readEnvironment({ GITHUB_ENABLED: 'no' })).toThrow(/GITHUB_ENABLED must be true or false/);
    expect(() => readEnvironment({ NEEDY_ENABLED: 'true' })).toThrow(/NEEDY_API_URL is missing[^]*NEEDY_TENANT/);
    expect(() => readEnvironment({ NEEDY_SHARE_TOKEN: 'true' })).not.toThrow();
  });
});
