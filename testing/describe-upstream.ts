/// <reference types="jest" />
import type { Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { UpstreamDefinition } from '../src/upstream';
import { ScriptedOrigin, type OriginScript } from './scripted-origin';

/** What the suite needs to know of an upstream. */
export interface UpstreamFacts {
  /** A path of the API whose responses may be cached, such as `/packages/left-pad`. */
  readonly path: string;
  /** How the API answers it: `application/json` and `{}`, fresh for five minutes, by default. */
  readonly answer?: OriginScript;
}

const SECRETS = ['first-secret-of-the-suite', 'second-secret-of-the-suite'] as const;
const HOSTILE_PATHS = ['/', '//', '/%', '/%2e%2e/x', '/%ff', '/a//b/', `/${'a/'.repeat(500)}`, '/a;b=c', '/ü'];

/**
 * What every upstream keeps to, tried on real sockets: the whole service with the definition's module in front of an API that the suite plays.
 * One for each spec file: the settings are read when the service is loaded. `NODE_ENV` has to be `test`, as Jest and Vitest set it.
 */
export function describeUpstream(definition: UpstreamDefinition, module: Type, facts: UpstreamFacts): void {
  const { name, title = name, credentials = {}, webhook } = definition;
  const setting = (word: string): string => `${name.toUpperCase().replaceAll('-', '_')}_${word}`;
  const {
    path,
    answer = (response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' }).end('{}'),
  } = facts;

  describe(`${title} behind the cache`, () => {
    let origin: ScriptedOrigin;
    let app: NestFastifyApplication;
    let url: string;
    let purge: (mode?: 'stale') => Promise<unknown>;
    const keys: string[] = [];

    beforeAll(async () => {
      origin = await ScriptedOrigin.start(answer);
      const settings = { API_URL: origin.url, ENABLED: 'true', SETTLE_SECONDS: '0', ROUTE_PREFIX: `/${name}` };
      for (const [word, value] of Object.entries(settings)) process.env[setting(word)] = value;
      if (webhook) process.env[setting('WEBHOOK_SECRET')] ??= `whsec_${Buffer.alloc(32).toString('base64')}`;
      process.env['SWAGGER_ENABLED'] = 'false';
      const opened = await openService(module, (key) => keys.push(key));
      app = opened.app;
      purge = (mode) => opened.invalidator.invalidate({ tags: [`upstream:${name}`] }, mode);
      url = await app.getUrl();
    });
    beforeEach(async () => {
      await purge();
      origin.answerBy(answer);
    });
    afterAll(async () => {
      await app.close();
      await origin.stop();
    });

    const ask = async (init: RequestInit = {}, query = '') => {
      const response = await fetch(`${url}/${name}${path}${query}`, init);
      const fields = [...response.headers].map(([field, value]) => `${field}: ${value}`).join('\n');
      return { status: response.status, body: await response.text(), fields };
    };

    it('asks the API once, and answers from the cache after that', async () => {
      const [first, second] = [await ask(), await ask()];
      expect(first).toMatchObject({
        status: 200,
        fields: expect.stringContaining('cache-status: larder; fwd=') as string,
      });
      expect(second).toMatchObject({
        status: 200,
        fields: expect.stringContaining('cache-status: larder; hit') as string,
      });
      expect(second.body).toBe(first.body);
      expect(origin.hits).toHaveLength(1);
    });

    it('loads once for requests at the same time', async () => {
      await Promise.all(Array.from({ length: 20 }, () => ask()));
      expect(origin.hits).toHaveLength(1);
    });

    it.each([
      ...['authorization', ...(credentials.headers ?? [])].map((field) => [`the field ${field}`, field, ''] as const),
      ...(credentials.query ?? []).map((parameter) => [`the parameter ${parameter}`, '', parameter] as const),
    ])('keeps callers apart by %s, and shows their secrets nowhere', async (_what, field, parameter) => {
      keys.length = 0;
      origin.answerBy((response, hit) => {
        const given = JSON.stringify(hit.rawHeaders) + hit.url;
        const caller = SECRETS.findIndex((secret) => given.includes(secret));
        response
          .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'private, max-age=300' })
          .end(`{"caller":${caller}}`);
      });
      const scheme = field === 'authorization' ? 'Bearer ' : '';
      for (const [caller, secret] of [...SECRETS, ...SECRETS].entries()) {
        const answered = await ask(
          field === '' ? {} : { headers: { [field]: scheme + secret } },
          parameter === '' ? '' : `${path.includes('?') ? '&' : '?'}${parameter}=${secret}`,
        );
        expect(answered).toMatchObject({ status: 200, body: `{"caller":${caller % SECRETS.length}}` });
        expect(answered.fields).not.toMatch(/secret-of-the-suite/);
      }
      expect(keys.length).toBeGreaterThan(0);
      expect(keys.join('\n')).not.toMatch(/secret-of-the-suite/);
    });

    it('asks again after a write to the same path', async () => {
      await ask();
      expect((await ask({ method: 'DELETE' })).status).toBe(200);
      await ask();
      expect(origin.hits.map(({ method }) => method)).toEqual(['GET', 'DELETE', 'GET']);
    });

    it('answers with what is stored while the API fails', async () => {
      const { body } = await ask();
      await purge('stale');
      origin.answerBy((response) => response.socket?.destroy());
      expect(await ask()).toMatchObject({ status: 200, body });
    });

    it('has tags for any path', () => {
      for (const any of [path, ...HOSTILE_PATHS]) {
        const given = definition.tags?.(any) ?? [];
        expect({ any, isTexts: given.every((tag) => typeof tag === 'string' && tag !== '') }).toEqual({
          any,
          isTexts: true,
        });
      }
    });

    const itWithWebhook = webhook ? it : it.skip;
    itWithWebhook('refuses a webhook that is not signed', async () => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/webhooks/${name}`, { method: 'POST', headers, body: '{}' });
      expect(response.status).toBe(401);
      await response.arrayBuffer();
    });
  });
}

/** The service with a module of another team's; loaded now, after the settings are there. */
async function openService(module: Type, onKey: (key: string) => void) {
  /* eslint-disable @typescript-eslint/no-require-imports -- a dynamic import needs a flag under Jest */
  const { NestFactory } = require('@nestjs/core') as typeof import('@nestjs/core');
  const { createAdapter, setUp } = require('../src/bootstrap/app.setup') as typeof import('../src/bootstrap/app.setup');
  const { serviceRoot } = require('../src/start-service') as typeof import('../src/start-service');
  const { AppModule } = require('../src/app.module') as typeof import('../src/app.module');
  const { CacheEvents, CacheInvalidator } = require('../src/cache') as typeof import('../src/cache');
  /* eslint-enable @typescript-eslint/no-require-imports */
  const root = serviceRoot(AppModule, module);
  const app = await NestFactory.create<NestFastifyApplication>(root, createAdapter(), {
    logger: false,
    abortOnError: false,
  });
  setUp(app);
  await app.listen(0, '127.0.0.1');
  app.get(CacheEvents, { strict: false }).subscribe(({ key }) => onKey(key));
  return { app, invalidator: app.get(CacheInvalidator, { strict: false }) };
}
