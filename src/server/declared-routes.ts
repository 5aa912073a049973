import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';

/**
 * The routes of a Fastify server with their hooks: those of the route, and those of the scope (server or plugin) that declared it.
 *
 * Hooks may be added until the server is ready, by plugins that come later too: they are to be read once requests arrive.
 */
export interface DeclaredRoute {
  readonly options: RouteOptions;
  /** As it was declared: a plugin may put another one around it. */
  readonly handler: RouteOptions['handler'];
  readonly scope: object;
}

type HookName = `${'on' | 'pre'}${string}` & keyof RouteOptions;
type Hooks = Readonly<Record<string, readonly unknown[]>>;

/** In the `config` of a route: Fastify exposes it with each request. */
const ROUTE = Symbol('larder.route');

const routesOf = new WeakMap<FastifyInstance, DeclaredRoute[]>();

/** All that are declared after the first call, in a list that grows. */
export function declaredRoutes(fastify: FastifyInstance): readonly DeclaredRoute[] {
  const known = routesOf.get(fastify);
  if (known) return known;
  const routes: DeclaredRoute[] = [];
  routesOf.set(fastify, routes);
  fastify.addHook('onRoute', function (options) {
    const route: DeclaredRoute = { options, handler: options.handler, scope: this };
    options.config = Object.assign({}, options.config, { [ROUTE]: route });
    routes.push(route);
  });
  return routes;
}

/** The route that a request is for; undefined if it was declared earlier, or if its `config` was replaced. */
export function declaredRoute(request: FastifyRequest): DeclaredRoute | undefined {
  const { config } = request.routeOptions as { config?: { [ROUTE]?: DeclaredRoute } };
  return config?.[ROUTE];
}

/** In the order in which Fastify runs them; undefined if this version of Fastify stores them differently. */
export function hooksOf({ options, scope }: DeclaredRoute, name: HookName): readonly unknown[] | undefined {
  const known = scopeHooks(scope);
  return known && [known[name], options[name]].flat().filter(Boolean);
}

/** The hooks of a server or of a plugin's scope. Fastify stores them under a symbol and exposes them nowhere else. */
export function scopeHooks(scope: object): Hooks | undefined {
  for (let level: object | null = scope; level; level = Object.getPrototypeOf(level) as object | null) {
    const symbol = Object.getOwnPropertySymbols(level).find(({ description }) => description === 'fastify.hooks');
    if (symbol) return (level as Record<symbol, Hooks>)[symbol];
  }
  return undefined;
}
