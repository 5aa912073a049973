import type { FastifyRequest } from 'fastify';
import { anonymousResource } from './gateway/cached-requests';

/**
 * The members of a `@CacheRule` for a projection. Use the path that the handler gives to `client.project`.
 *
 * @param path of the upstream, such as `/users/redis`
 */
export function projectionOf(
  { name }: { readonly name: string },
  path: (request: FastifyRequest) => string,
): { readonly upstream: string; readonly resource: (request: FastifyRequest) => string } {
  return { upstream: name, resource: (request) => anonymousResource(path(request)) };
}
