import { METHODS } from 'node:http';
import { Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HeadContext } from '../../cache/fast-path';
import { edgeFieldsFor, RELAYED, type Preflight } from '../../server/edge-hooks';
import { AppError } from '../../kernel/app-error';
import { declareRawRoutes } from '../raw-routes';
import type { UpstreamContext } from '../upstream-context';
import { webhookPath } from '../webhooks/webhook-definition';
import { clientProblemOf, Gateway, type GatewayParts } from './gateway';
import { GatewayEntryPoint } from './gateway-entry-point';

/** Mounts an upstream's gateway at its prefix and its aliases, and on the fast path. */
export function mountGateway(
  upstream: UpstreamContext,
  parts: GatewayParts,
  adapter: HttpAdapterHost['httpAdapter'],
): void {
  const { settings, cors, limits } = upstream;
  const { routePrefix: prefix } = settings;
  const fastify = adapter.getInstance<FastifyInstance>();
  const { server } = fastify;
  const headOf = (origin: string | undefined): HeadContext => ({
    edge: Object.entries(edgeFieldsFor(cors, origin)).flat(),
    server,
    ...(limits && { limits: limits.shared }),
  });
  const head = headOf(undefined);
  const aliases = aliasesOf(upstream, fastify);
  const prefixes = [prefix, ...subtreesOf(aliases)];
  const entryPoint = new GatewayEntryPoint(upstream, parts.responses, prefixes, head);
  const headFor = cors.isByOrigin ? headOf : (): HeadContext => head;
  const gateway = new Gateway(upstream, parts, { aliases, entryPoint, headFor });
  const route = {
    method: METHODS.filter((method) => method !== 'CONNECT'),
    handler: (request: FastifyRequest, reply: FastifyReply) => gateway.answer(request, reply),
    exposeHeadRoute: false,
    config: { preflight: preflightOf(upstream), cors },
  };
  const own = prefix === '' ? ['/*'] : [prefix, `${prefix}/*`];
  declareRawRoutes(
    adapter,
    (scope) => {
      for (const method of route.method)
        if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method, { hasBody: true });
      for (const url of [...own, ...aliases.keys()]) scope.route({ ...route, url });
      // A delivery that is not for this service must not go to the API, which would answer it.
      if (prefix === '') scope.route({ ...route, url: webhookPath('*'), handler: refuseDelivery });
    },
    (problem, { headers }) => clientProblemOf(upstream, problem, headers.accept),
  );
}

function refuseDelivery(): Promise<never> {
  const where = 'Webhooks are received by POST at /webhooks/NAME, once NAME_WEBHOOK_SECRET is set.';
  return Promise.reject(new AppError('route-not-found', where));
}

/** The definition's aliases, without those that another upstream or a route of the service has. */
function aliasesOf(
  { definition, settings, parts, title }: UpstreamContext,
  fastify: FastifyInstance,
): ReadonlyMap<string, string> {
  const { routePrefix: prefix } = settings;
  // A gateway at `/` has the paths that no other route has.
  const others = parts.prefixes().filter((other) => other !== prefix && other !== '');
  const isTaken = (url: string): boolean =>
    others.some((other) => overlaps(other, url.replace(/\/\*$/, ''))) || fastify.hasRoute({ method: 'GET', url });
  return new Map(
    Object.entries(definition.aliases?.(prefix, settings) ?? {}).filter(([url]) => {
      if (!isTaken(url)) return true;
      new Logger(title).warn(`${url} is not served: something else is there.`);
      return false;
    }),
  );
}

function overlaps(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}

/** Aliases of whole subtrees, without the asterisk. */
function subtreesOf(aliases: ReadonlyMap<string, string>): string[] {
  return [...aliases.keys()].filter((url) => url.endsWith('/*')).map((url) => url.slice(0, -1));
}

/** In the strict profile the origin's own: the RFCs know no CORS. */
function preflightOf({ settings, definition }: UpstreamContext): Preflight | 'passed' {
  if (settings.isStrict) return 'passed';
  const { forwards = [], credentials = {} } = definition;
  const fields = [...RELAYED.fields, ...forwards, ...(credentials.headers ?? []), ...settings.forwardHeaders];
  return { ...RELAYED, fields };
}
