import type { FastifyReply, FastifyRequest } from 'fastify';
import { ExpressReply } from './express-reply';
import type { ClientReply } from './load-reply';

type IncomingMessage = FastifyRequest['raw'];
type ServerResponse = FastifyReply['raw'];

/*
 * The request and the reply that Nest hands over are the framework's own: Fastify's are wrappers around those of node, Express's
 * are those of node. What the cache needs of them is here.
 */

type ExpressRequest = IncomingMessage & {
  readonly originalUrl: string;
  readonly host?: string;
  readonly id?: unknown;
};

/** @param reply what Nest calls the response */
export function clientReplyOf(reply: object): ClientReply {
  return isOfFastify(reply) ? (reply as unknown as ClientReply) : new ExpressReply(reply as ServerResponse);
}

export function rawRequestOf(request: object): IncomingMessage {
  return isOfFastify(request) ? (request as FastifyRequest).raw : (request as IncomingMessage);
}

/** Host, path and query that the client sent. */
export function targetOf(request: object): string {
  if (isOfFastify(request)) {
    const { host, url } = request as FastifyRequest;
    return `//${host.toLowerCase()}${url}`;
  }
  // `url` is what a router has left of it.
  const { host = '', originalUrl } = request as ExpressRequest;
  return `//${host.toLowerCase()}${originalUrl}`;
}

/** Fastify numbers its requests; on Express a middleware may. */
export function requestIdOf(request: object): string {
  const { id } = request as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? String(id) : '';
}

export function isOfFastify(one: object): boolean {
  return (one as { raw?: unknown }).raw !== undefined;
}
