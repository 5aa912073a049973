import { ShutdownSignal, StandardSchemaValidationPipe, type INestApplicationContext } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ConfigType } from '@nestjs/config';
import { documentApi } from '../api-document';
import { serviceConfig } from '../config/slices';
import { trustOf } from '../server/client-origin';
import { answerClientError } from '../server/client-errors';
import { drainOnClose } from '../server/drain';
import { limitConnections } from '../server/connection-limit';
import { addEdgeHooks, requestId } from '../server/edge-hooks';
import { continueInTurn } from '../server/expectations';
import { FastPathGate } from '../server/fast-path-gate';
import { HttpListeners } from '../server/http-server';
import { LarderAdapter } from '../server/larder-adapter';
import { separateOperatorRoutes } from '../server/operator-port';
import { ProblemFilter } from '../server/problem.filter';
import { RouteMethods } from '../server/route-methods';
import { schemaCompilers } from '../server/schema-compilers';
import { addSecurityHeaders } from '../server/security-headers';
import { tlsOptions, type TlsFiles } from '../server/tls';
import { closeStalledClients } from '../server/stalled-clients';
import { Upstreams } from '../upstream';

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
  const { operators, publicUrl } = serviceConfig();
  const routes = new RouteMethods();
  const gate = new FastPathGate();
  const listeners = new HttpListeners(gate, {
    tls: tls && tlsOptions(tls),
    operators: operators && { tls: operators.tls && tlsOptions(operators.tls) },
  });
  const problems = new ProblemFilter(routes, operators ? listeners.isOnOperatorPort : () => true);
  const options = {
    serverFactory: listeners.create,
    logger: false,
    genReqId: requestId,
    bodyLimit: MAX_BODY_BYTES,
    schemaController: { compilersFactory: schemaCompilers },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      problems.send(error, request, reply),
    clientErrorHandler: answerClientError,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // connected clients still get a response, with `Connection: close`
    requestTimeout: UPLOAD_TIMEOUT_MS,
    trustProxy: trustedProxies(),
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
  } as const;
  const adapter = new LarderAdapter(options, gate, listeners);
  const fastify: FastifyInstance = adapter.getInstance();
  for (const server of listeners.all) {
    server.headersTimeout = HEAD_TIMEOUT_MS;
    Object.assign(server, { connectionsCheckingInterval: CHECK_INTERVAL_MS }); // an option of node's server
    server.maxHeadersCount = 0; // their size is bounded; of more than 2,000 node would drop the rest unsaid
    continueInTurn(server);
  }
  listeners.operators?.on('clientError', answerClientError); // Fastify adds it to the public server
  if (operators) separateOperatorRoutes(fastify, listeners.isOnOperatorPort);
  addSecurityHeaders(fastify, publicUrl);
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
  const {
    swaggerEnabled,
    shutdownTimeoutMs,
    maxConnections,
    maxConnectionsPerAddress,
    clientTimeoutMs,
    tls,
    publicUrl,
    trustProxy,
  } = settingsOf(app);
  // With TLS, SIGHUP reads the certificate again.
  const signals = Object.values(ShutdownSignal).filter((signal) => !tls || signal !== ShutdownSignal.SIGHUP);
  app.enableShutdownHooks(signals, { useProcessExit: true });
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  drainOnClose(fastify, listenersOf(app), shutdownTimeoutMs);
  for (const sessions of http2SessionsOf(app))
    sessions.setUp(fastify, { stallMs: clientTimeoutMs, timeoutMs: shutdownTimeoutMs });
  // A trusted proxy is one address for all of its clients. Where every client counts as one (`true`, hops), the limit holds for all.
  const isProxy = typeof trustProxy === 'object' ? trustOf(trustProxy) : () => false;
  for (const server of listenersOf(app)) {
    limitConnections(server, { total: maxConnections, perAddress: maxConnectionsPerAddress, isProxy });
    closeStalledClients(fastify, server, { stallMs: clientTimeoutMs });
  }
  if (swaggerEnabled) documentApi(app, app.get(Upstreams).all(), publicUrl);
  return app;
}

/** The application's HTTP servers, the public one first. */
export function listenersOf(app: NestFastifyApplication): HttpListeners['all'] {
  const adapter: unknown = app.getHttpAdapter();
  return adapter instanceof LarderAdapter ? adapter.listeners.all : [app.getHttpServer()];
}

function http2SessionsOf(app: NestFastifyApplication): HttpListeners['http2Sessions'] {
  const adapter: unknown = app.getHttpAdapter();
  return adapter instanceof LarderAdapter ? adapter.listeners.http2Sessions : [];
}

export function settingsOf(app: INestApplicationContext): ConfigType<typeof serviceConfig> {
  return app.get<ConfigType<typeof serviceConfig>>(serviceConfig.KEY);
}
