import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { loadSwagger } from './server/api-decorators';
import { EXAMPLE_UPSTREAM } from './server/api-docs';
import { serviceVersion } from './kernel/project-root';
import type { Upstream } from './upstream';

/*
 * The OpenAPI document: Nest's routes, the routes of the gateways beside its router, and what every operation must have for
 * generators and linters: an id, and a word on security. All of it is loaded and made at the first request for it.
 */

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const PATHS = ['/docs', '/docs/*', '/docs-json', '/docs-yaml'];
/** They belong to the connection between the two servers, not to the client's. */
const HOP_FIELDS = ['connection', 'keep-alive', 'transfer-encoding', 'date'];

/** Serves Swagger UI at `/docs`, and the document at `/docs-json` and `/docs-yaml`. */
export function documentApi(
  app: NestFastifyApplication,
  upstreams: readonly Upstream[],
  publicUrl: string | undefined,
): void {
  let loading: Promise<FastifyInstance> | undefined;
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  for (const path of PATHS)
    fastify.get(path, async (request, reply) => {
      loading ??= documentServer(app, upstreams, publicUrl);
      const { 'if-none-match': tag, 'if-modified-since': since } = request.headers;
      const conditions = { ...(tag && { 'if-none-match': tag }), ...(since && { 'if-modified-since': since }) };
      const server = await loading;
      const answer = await server.inject({ method: 'GET', url: request.url, headers: conditions });
      if (answer.statusCode === 404) {
        reply.callNotFound();
        return reply;
      }
      const fields = Object.entries(answer.headers).filter(([name]) => !HOP_FIELDS.includes(name));
      return reply.code(answer.statusCode).headers(Object.fromEntries(fields)).send(answer.rawPayload);
    });
}

/** A server without a port: a server that listens takes no more routes, and Swagger UI's are known only now. */
async function documentServer(
  app: NestFastifyApplication,
  upstreams: readonly Upstream[],
  publicUrl: string | undefined,
): Promise<FastifyInstance> {
  const { DocumentBuilder, SwaggerModule } = await loadSwagger();
  const adapter = new FastifyAdapter();
  const config = new DocumentBuilder()
    .setTitle('Larder')
    .setDescription(
      'A read-through response cache in front of third-party REST APIs. Every error is `application/problem+json` (RFC 9457).',
    )
    .setVersion(serviceVersion())
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer(publicUrl ?? '/')
    .addSecurity('admin', { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' })
    .build();
  const names = upstreams.map(({ definition }) => definition.name);
  const document = (): OpenAPIObject => {
    const ofNest = withBudgets(withoutWildcards(SwaggerModule.createDocument(app, config)), names);
    const paths = Object.assign({}, ...upstreams.map((one) => one.paths)) as OpenAPIObject['paths'];
    return withExamples(withDefaults({ ...ofNest, paths: { ...ofNest.paths, ...paths } }), names[0]);
  };
  const served = Object.create(app, { getHttpAdapter: { value: () => adapter } }) as NestFastifyApplication;
  SwaggerModule.setup('docs', served, document, { jsonDocumentUrl: 'docs-json', yamlDocumentUrl: 'docs-yaml' });
  return adapter.getInstance();
}

/** An operation without an id is named after its method and path; one without a word on security needs no credential. */
function withDefaults(document: OpenAPIObject): OpenAPIObject {
  const paths = Object.entries(document.paths).map(([path, methods]) => {
    const operations = Object.entries(methods as Readonly<Record<string, Operation>>).map(([method, operation]) => {
      const operationId = [method, ...(path.match(/\w+/g) ?? [])].join('_');
      return [method, { operationId, security: [], ...operation }] as const;
    });
    return [path, Object.fromEntries(operations)] as const;
  });
  return { ...document, paths: Object.fromEntries(paths) };
}

/** The examples with the name of an upstream that exists. */
function withExamples(document: OpenAPIObject, upstream = EXAMPLE_UPSTREAM): OpenAPIObject {
  return JSON.parse(JSON.stringify(document).replaceAll(EXAMPLE_UPSTREAM, upstream)) as OpenAPIObject;
}

/** A budget has one route for all upstreams; it is shown as the routes that exist. */
function withBudgets(document: OpenAPIObject, upstreams: readonly string[]): OpenAPIObject {
  const { '/{upstream}-budget': budget, ...paths } = document.paths;
  if (!budget?.get) return document;
  const { parameters: _upstream, ...get } = budget.get;
  const shown = upstreams.map((upstream) => [
    `/${upstream}-budget`,
    { get: { ...get, operationId: `${upstream}Budget` } },
  ]);
  return { ...document, paths: { ...paths, ...(Object.fromEntries(shown) as OpenAPIObject['paths']) } };
}

/** A wildcard of a route is listed twice: as Nest knows it, `*`, and under the name that OpenAPI knows it by. */
function withoutWildcards(document: OpenAPIObject): OpenAPIObject {
  for (const { get, post, delete: remove } of Object.values(document.paths)) {
    for (const operation of [get, post, remove]) {
      if (operation?.parameters)
        operation.parameters = operation.parameters.filter((one) => !('name' in one && one.name === '*'));
    }
  }
  return document;
}
