import { ShutdownSignal, StandardSchemaValidationPipe, type INestApplicationContext } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ConfigType } from '@nestjs/config';
import { serviceConfig } from './config/slices';
import { answerClientError } from './http/client-errors';
import { drainOnClose } from './http/drain';
import { limitConnections } from './http/connection-limit';
import { addEdgeHooks, requestId } from './http/edge-hooks';
import { continueInTurn } from './http/expectations';
import { FastPathGate } from './http/fast-path-gate';
import { serverFactory } from './http/http-server';
import { LarderAdapter } from './http/larder-adapter';
import { ProblemFilter } from './http/problem.filter';
import { RouteMethods } from './http/route-methods';
import { serviceVersion } from './kernel/project-root';
import { tlsOptions, type TlsFiles } from './http/tls';
import { closeStalledClients } from './http/stalled-clients';
import { Upstreams, type Upstream } from './upstream';
import { EXAMPLE_UPSTREAM } from './http/api-docs';
import { PageFacts, type SuggestedPath } from './web/page.facts';

/*
 * What main.ts boots and the tests boot: adapter, filter, hooks, documentation. Nothing else sets up an application.
 */

const MAX_BODY_BYTES = 1_048_576;
const MAX_PARAM_LENGTH = 2_048;
/** How long a request may take to arrive: its body, and its head. */
const UPLOAD_TIMEOUT_MS = 300_000;
const HEAD_TIMEOUT_MS = 30_000;
/** How often node looks for connections that take longer. */
const CHECK_INTERVAL_MS = 1_000;

/** @param tls the files of the service's own TLS; without them it speaks plain HTTP */
export function createAdapter(tls?: TlsFiles): LarderAdapter {
  const routes = new RouteMethods();
  const problems = new ProblemFilter(routes);
  const gate = new FastPathGate();
  const options = {
    ...(tls && { https: tlsOptions(tls) }),
    serverFactory: serverFactory(gate),
    logger: false,
    genReqId: requestId,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      problems.send(error, request, reply),
    clientErrorHandler: answerClientError,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // who is connected already is answered, and told to close
    requestTimeout: UPLOAD_TIMEOUT_MS,
    trustProxy: trustedProxies(),
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
  } as const;
  const adapter = new LarderAdapter(options, gate);
  const fastify: FastifyInstance = adapter.getInstance();
  fastify.server.headersTimeout = HEAD_TIMEOUT_MS;
  Object.assign(fastify.server, { connectionsCheckingInterval: CHECK_INTERVAL_MS }); // an option of node's server
  fastify.server.maxHeadersCount = 0; // their size is bounded; of more than 2,000 node would drop the rest unsaid
  continueInTurn(fastify.server);
  routes.collect(fastify);
  addEdgeHooks(fastify);
  gate.watch(fastify);
  problems.serve(adapter);
  return adapter;
}

/** In the form that Fastify takes: it knows hops as a function only. */
function trustedProxies(): boolean | string[] | ((address: string, hop: number) => boolean) {
  const { trustProxy } = serviceConfig();
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy;
  return typeof trustProxy === 'boolean' ? trustProxy : [...trustProxy];
}

/** Sets up an application made with `createAdapter()`. */
export function setUp(app: NestFastifyApplication): NestFastifyApplication {
  app.useGlobalPipes(new StandardSchemaValidationPipe());
  app.useGlobalFilters(ProblemFilter.of(app.getHttpAdapter()));
  const { swaggerEnabled, shutdownTimeoutMs, maxConnections, clientTimeoutMs, tls } = settingsOf(app);
  // With TLS, SIGHUP reads the certificate again.
  const signals = Object.values(ShutdownSignal).filter((signal) => !tls || signal !== ShutdownSignal.SIGHUP);
  app.enableShutdownHooks(signals, { useProcessExit: true });
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  drainOnClose(fastify, shutdownTimeoutMs);
  limitConnections(fastify, maxConnections);
  closeStalledClients(fastify, { stallMs: clientTimeoutMs });
  const upstreams = app.get(Upstreams).all();
  const [first] = upstreams;
  if (first) {
    const { routePrefix: gatewayPrefix } = first.settings;
    app.get(PageFacts).describeGateway({ gatewayPrefix, paths: suggestedPaths(gatewayPrefix, first.paths) });
  }
  if (swaggerEnabled) documentApi(app, upstreams);
  return app;
}

export function settingsOf(app: INestApplicationContext): ConfigType<typeof serviceConfig> {
  return app.get<ConfigType<typeof serviceConfig>>(serviceConfig.KEY);
}

/** The documented GETs of a gateway, but for the one that stands for all paths. */
function suggestedPaths(prefix: string, paths: OpenAPIObject['paths']): readonly SuggestedPath[] {
  return Object.entries(paths).flatMap(([path, { get }]) =>
    get && path.startsWith(`${prefix}/`) && path !== `${prefix}/{path}`
      ? [{ path: path.slice(prefix.length), summary: get.summary ?? '' }]
      : [],
  );
}

function documentApi(app: NestFastifyApplication, upstreams: readonly Upstream[]): void {
  const config = new DocumentBuilder()
    .setTitle('Larder')
    .setDescription(
      'A read-through response cache in front of third-party REST APIs. Every error is `application/problem+json` (RFC 9457).',
    )
    .setVersion(serviceVersion())
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addSecurity('admin', { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' })
    .build();
  const names = upstreams.map(({ definition }) => definition.name);
  const document = (): OpenAPIObject => {
    const ofNest = withBudgets(withoutWildcards(SwaggerModule.createDocument(app, config)), names);
    const paths = Object.assign({}, ...upstreams.map((one) => one.paths)) as OpenAPIObject['paths'];
    return withExamples(withPaths(ofNest, paths), names[0]);
  };
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
  });
}

/** The examples with the name of an upstream that there is. */
function withExamples(document: OpenAPIObject, upstream = EXAMPLE_UPSTREAM): OpenAPIObject {
  return JSON.parse(JSON.stringify(document).replaceAll(EXAMPLE_UPSTREAM, upstream)) as OpenAPIObject;
}

/** Adds the routes that Nest does not know, for they stand beside its router. */
function withPaths(document: OpenAPIObject, paths: OpenAPIObject['paths']): OpenAPIObject {
  return { ...document, paths: { ...document.paths, ...paths } };
}

/** A budget has one route for all upstreams; it is shown as the routes that there are. */
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
