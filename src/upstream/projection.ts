import { applyDecorators, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CacheRule, ResponseCacheInterceptor, type RouteRule } from '../cache';
import { anonymousResource } from './gateway/cached-requests';
import { pathTag, storedTag } from './gateway/gateway-tags';
import { parseTarget } from './gateway/request-target';
import { filledPath, type PathValues } from './path-template';
import type { UpstreamDefinition } from './upstream-definition';

/** As in `@CacheRule`, as far as a projection may say it. */
export interface ProjectionOptions extends Omit<
  RouteRule,
  'upstream' | 'resource' | 'key' | 'byUrl' | 'vary' | 'hashBody'
> {
  /**
   * The projection's name beside its resource. It must distinguish all routes over the resource, and everything that the handler takes of the
   * URL and that is not in `path`.
   *
   * @default the handler's name, and what it takes of the URL
   */
  readonly name?: string;
}

/**
 * Caches a route whose answer is derived from a resource of an upstream, as a projection of it: the resource is loaded and purged once for both,
 * and the projection has its tags. The handler gets the load by `@CurrentLoad()` and passes it to `client.project`.
 *
 * @param path of the resource: `/users/:account`, with percent-encoded parameters of the route, or of its query; or a function of them
 * @example
 * ```ts
 * @Get(':account')
 * @ProjectionOf(acme, '/users/:account', { hitFlagName: 'cached' })
 * count(@CurrentLoad() load: HandlerLoad) {
 *   return this.client.project(load, (source) => ({ items: source.json(user).items }));
 * }
 * ```
 */
export function ProjectionOf(
  definition: Pick<UpstreamDefinition, 'name' | 'tags' | 'tagPrefix'>,
  path: string | ((values: PathValues) => string),
  { name, ...rule }: ProjectionOptions = {},
): MethodDecorator {
  const { name: upstream } = definition;
  const fill = typeof path === 'string' ? template(path) : path;
  const pathOf = ({ params, query }: FastifyRequest): string => fill({ ...(query as object), ...(params as object) });
  const tags = (request: FastifyRequest): readonly string[] => {
    const { path: named } = parseTarget(pathOf(request));
    return [pathTag(upstream, named), ...(definition.tags?.(named) ?? []).map((tag) => storedTag(definition, tag))];
  };
  return applyDecorators(
    CacheRule({
      ...{ tags, ...rule, upstream, byUrl: true, resource: (request) => anonymousResource(pathOf(request)) },
      ...(name !== undefined && { key: () => name }),
    }),
    UseInterceptors(ResponseCacheInterceptor),
  );
}

function template(path: string): (values: PathValues) => string {
  if (!path.startsWith('/'))
    throw new Error(
      `The path of @ProjectionOf must begin with a slash, and "${path}" does not. Example: /users/:account`,
    );
  return (values) => filledPath(path, values);
}
