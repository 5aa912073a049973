import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, RawRequestDefaultExpression } from 'fastify';
import { AppError } from '../kernel/app-error';

const REQUEST_ID = /^[\w.:-]{1,64}$/;
const PREFLIGHT_SECONDS = '86400';

/**
 * Fields that every answer carries, whatever it is. CORS is the same for all: anybody's page may read, none may send cookies
 * (https://fetch.spec.whatwg.org/#http-cors-protocol), so that it needs no thought per request.
 */
export const EDGE_FIELDS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'X-Response-Time, X-Request-Id, X-Cache, Cache-Status, Age, ETag, Retry-After, Allow, Location, Link',
  'x-content-type-options': 'nosniff',
};

/** Random for each process, counted within it: no two requests share an id, and one costs nothing. */
const PROCESS_ID = randomBytes(9).toString('base64url');
let requests = 0;

/** The caller's `X-Request-Id` if it is a harmless word, else a new one: it goes into answers and logs. */
export function requestId(request: RawRequestDefaultExpression): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : `${PROCESS_ID}.${(++requests).toString(36)}`;
}

/** Adds what every answer carries, errors too: the fields above, `X-Request-Id`, and `X-Response-Time` in milliseconds. */
export function addEdgeHooks(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    // node also reads HTTP/0.9 and 2.0 in the form of HTTP/1, which no honest client sends.
    if (request.raw.httpVersionMajor !== 1)
      done(new AppError('request-invalid', 'The request is not HTTP/1.1 or HTTP/1.0.'));
    else if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined)
      preflight(reply);
    else done();
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    reply.headers(EDGE_FIELDS);
    reply.header('x-request-id', request.id);
    reply.header('x-response-time', reply.elapsedTime.toFixed(3));
    done(null, payload);
  });
}

function preflight(reply: FastifyReply): void {
  void reply
    .code(204)
    .headers({
      'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
      'access-control-allow-headers': 'Authorization, Content-Type, If-None-Match, X-Request-Id',
      'access-control-max-age': PREFLIGHT_SECONDS,
    })
    .send();
}
