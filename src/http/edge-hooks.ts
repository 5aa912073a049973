import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, RawRequestDefaultExpression } from 'fastify';

const REQUEST_ID = /^[\w.:-]{1,64}$/;

/** The caller's `X-Request-Id` if it is a harmless word, else a new one: it goes into answers and logs. */
export function requestId(request: RawRequestDefaultExpression): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Adds what every answer carries, errors too: `X-Request-Id`, `X-Response-Time` in milliseconds, and no guessing of types. */
export function addEdgeHooks(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, reply: FastifyReply, payload, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-response-time', reply.elapsedTime.toFixed(3));
    reply.header('x-content-type-options', 'nosniff');
    done(null, payload);
  });
}
