import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { EXAMPLE_UPSTREAM } from './server/api-docs';
import { serviceVersion } from './kernel/project-root';
import type { Upstream } from './upstream';

/*
 * The OpenAPI document: Nest's routes, the routes of the gateways beside its router, and what every operation must have for
 * generators and linters: an id, and a word on security.
 */

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** Serves Swagger UI at `/docs`, and the document at `/docs-json` and `/docs-yaml`. */
export function documentApi(
  app: NestFastifyApplication,
  upstreams: readonly Upstream[],
  publicUrl: string | undefined,
): void {
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
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
  });
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
