import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AppError } from '../kernel/app-error';
import { anonymousResource } from './gateway/cached-requests';
import { pathTag, storedTag } from './gateway/gateway-tags';
import { parseTarget } from './gateway/request-target';
import type { ProjectionSource } from './upstream-client';
import type { UpstreamDefinition } from './upstream-definition';

/**
 * The members of a `@CacheRule` for a projection: the resource that it is derived from, and that resource's tags. Use the path that the
 * handler gives to `client.project`.
 *
 * @param path of the upstream, such as `/users/redis`
 */
export function projectionOf(
  definition: Pick<UpstreamDefinition, 'name' | 'tags' | 'tagPrefix'>,
  path: (request: FastifyRequest) => string,
): {
  readonly upstream: string;
  readonly resource: (request: FastifyRequest) => string;
  readonly tags: (request: FastifyRequest) => readonly string[];
} {
  const { name } = definition;
  return {
    upstream: name,
    resource: (request) => anonymousResource(path(request)),
    tags: (request) => {
      const { path: named } = parseTarget(path(request));
      return [pathTag(name, named), ...(definition.tags?.(named) ?? []).map((tag) => storedTag(definition, tag))];
    },
  };
}

/**
 * The JSON of a response that a projection is derived from. Check the statuses that mean something else, such as 404, before.
 *
 * @param title the upstream's name in sentences
 * @throws AppError `upstream-rate-limited`, `upstream-unauthorized`, `upstream-error`, `upstream-invalid`
 */
export function sourceJson<T>({ status, body, refusal }: ProjectionSource, schema: z.ZodType<T>, title: string): T {
  if (refusal) {
    const message = `The rate limit of ${title} is spent; it is asked again in ${Math.ceil(refusal.waitMs / 1_000)} s.`;
    throw new AppError('upstream-rate-limited', message, { retryAfterMs: refusal.waitMs });
  }
  if (status === 401) throw new AppError('upstream-unauthorized', `${title} does not accept the service's token.`);
  if (status !== 200) throw new AppError('upstream-error', `${title} answered ${status}.`, { retryAfterMs: 1_000 });
  const { data, error } = schema.safeParse(jsonOf(body));
  if (error === undefined) return data;
  const message = `${title} answered with something else than this service expects. Check the base URL of the API.`;
  throw new AppError('upstream-invalid', message, { retryAfterMs: 1_000, cause: error });
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
