import type { FastifyInstance } from 'fastify';
import { createServer } from 'node:http';
import { PROBLEM_TYPE, problemOf } from '../kernel/problem-table';
import { refusalOf } from './edge-hooks';
import { isOriginForm, toOriginForm } from './origin-form';

/** The name or address of a `Host` field (RFC 9110 §7.2), without its port. */
const HOST_NAME = /^(\[[\da-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i;
const DEFAULT_PORT = 443;
const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 1_000;

export interface HttpsAddress {
  /** The port of https, known once that listens. */
  readonly port: () => number;
  /** The service as clients see it (`PUBLIC_URL`); undefined for the host that the client names. */
  readonly publicUrl?: string | undefined;
}

function portPart(port: number): string {
  return port === DEFAULT_PORT ? '' : `:${port}`;
}

/**
 * A server that sends clients of plain HTTP to https, with 308 so that method and body stay (RFC 9110 §15.4.9). It serves nothing else,
 * reads no body, and closes each connection.
 */
export function httpsRedirect({ port, publicUrl }: HttpsAddress): FastifyInstance['server'] {
  const server = createServer((request, response) => {
    toOriginForm(request);
    const { url = '', headers } = request;
    const [, host] = HOST_NAME.exec(headers.host ?? '') ?? [];
    const own = host === undefined ? undefined : `https://${host}${portPart(port())}`;
    const base = publicUrl?.startsWith('https:') === true ? publicUrl.replace(/\/$/, '') : own;
    if (base === undefined || !isOriginForm(url) || refusalOf(request)) {
      const problem = problemOf('request-invalid', 'Ask for a path, with one Host field that names the service.');
      response.writeHead(problem.status, { connection: 'close', 'content-type': PROBLEM_TYPE });
      response.end(JSON.stringify(problem));
      return;
    }
    const location = base + url;
    response.writeHead(308, { location, connection: 'close', 'content-length': 0, 'cache-control': 'no-store' }).end();
  });
  server.requestTimeout = server.headersTimeout = TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
