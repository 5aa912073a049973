import type { FastifyServerFactory } from 'fastify';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { FastPathGate } from './fast-path-gate';
import { limitPipelines } from './pipelines';

/**
 * Creates the HTTP server as Fastify does (`getServerInstance` in its lib/server.js), with the limit of pipelines and the fast path in
 * front of Fastify's handler.
 */
export function serverFactory(gate: FastPathGate): FastifyServerFactory {
  return (handler, options) => {
    const { http, https, keepAliveTimeout, requestTimeout, connectionTimeout, maxRequestsPerSocket } =
      options as unknown as ServerOptions;
    const listener = limitPipelines(gate.inFrontOf(handler));
    const server = https ? createTlsServer(https, listener) : createServer(http ?? {}, listener);
    server.keepAliveTimeout = keepAliveTimeout;
    server.requestTimeout = requestTimeout;
    server.setTimeout(connectionTimeout);
    if (maxRequestsPerSocket > 0) server.maxRequestsPerSocket = maxRequestsPerSocket; // 0 is node's default
    return server;
  };
}

/** With Fastify's defaults. */
interface ServerOptions {
  readonly http?: Parameters<typeof createServer>[0];
  readonly https?: Parameters<typeof createTlsServer>[0];
  readonly keepAliveTimeout: number;
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly maxRequestsPerSocket: number;
}
