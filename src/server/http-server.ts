import type { FastifyInstance, FastifyServerFactory, RawRequestDefaultExpression } from 'fastify';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { currentTracer } from '../kernel/tracer';
import type { FastPathGate } from './fast-path-gate';
import { Http2Sessions } from './http2-sessions';
import { isOriginForm, toOriginForm } from './origin-form';
import { limitPipelines } from './pipelines';

type Server = FastifyInstance['server'];
type Handler = Parameters<FastifyServerFactory>[0];

export interface ListenerOptions {
  /** TLS of the public port; undefined for plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** The operators' port (`ADMIN_PORT`), if there is one. */
  readonly operators?: { readonly tls: TlsOptions | undefined } | undefined;
}

/**
 * The HTTP servers of one application: the public one, and the operators' where they have a port of their own. Each is created as Fastify
 * does (`getServerInstance` in its lib/server.js), with the limit of pipelines.
 *
 * The fast path is in front of the public one only: on the operators' port a path may have another route.
 */
export class HttpListeners {
  private readonly created: Server[] = [];
  private readonly http2: Http2Sessions[] = [];
  private readonly operatorRequests = new WeakSet<object>();

  constructor(
    private readonly gate: FastPathGate,
    private readonly options: ListenerOptions,
  ) {}

  readonly create: FastifyServerFactory = (handler, options) => {
    const { tls, operators } = this.options;
    const server = open(traced(this.gate.inFrontOf(handler), handler), tls, options);
    this.created.push(server);
    if (operators) {
      const marked = this.marking(handler);
      this.created.push(open(traced(marked, marked), operators.tls, options));
    }
    const offers = [tls, operators?.tls].map((one) => one?.ALPNProtocols !== undefined);
    for (const [at, one] of this.created.entries()) if (offers[at]) this.http2.push(new Http2Sessions(one));
    return server;
  };

  /** The public server first. */
  get all(): readonly Server[] {
    return this.created;
  }

  get operators(): Server | undefined {
    return this.created[1];
  }

  /** HTTP/2, where a server offers it. */
  get http2Sessions(): readonly Http2Sessions[] {
    return this.http2;
  }

  /** Whether a request came by the operators' port. */
  readonly isOnOperatorPort = (request: RawRequestDefaultExpression): boolean => this.operatorRequests.has(request);

  private marking(handler: Handler): Handler {
    return (request, response) => {
      this.operatorRequests.add(request);
      handler(request, response);
    };
  }
}

/** With tracing on, a sampled request takes the slow path, where all of its steps are; others are served as without it. */
function traced(fast: Handler, ordinary: Handler): Handler {
  const tracer = currentTracer();
  if (!tracer) return fast;
  return (request, response) => {
    if (!tracer.handle(request, response, () => ordinary(request, response))) fast(request, response);
  };
}

function open(handler: Handler, tls: TlsOptions | undefined, options: object): Server {
  const { http, keepAliveTimeout, requestTimeout, connectionTimeout, maxRequestsPerSocket } = options as ServerOptions;
  const listener = limitPipelines((request, response) => {
    if (!isOriginForm(request.url ?? '')) toOriginForm(request);
    handler(request, response);
  });
  const server = tls ? createTlsServer(tls, listener) : createServer(http ?? {}, listener);
  server.keepAliveTimeout = keepAliveTimeout;
  server.requestTimeout = requestTimeout;
  server.setTimeout(connectionTimeout);
  if (maxRequestsPerSocket > 0) server.maxRequestsPerSocket = maxRequestsPerSocket; // 0 is node's default
  return server;
}

/** @returns the address, as a URL */
export async function listenOn(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host);
  await once(server, 'listening');
  const { address, port: chosen, family } = server.address() as AddressInfo;
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${chosen}`;
}

/** With Fastify's defaults. */
interface ServerOptions {
  readonly http?: Parameters<typeof createServer>[0];
  readonly keepAliveTimeout: number;
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly maxRequestsPerSocket: number;
}
