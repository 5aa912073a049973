import type { FastifyInstance, RawRequestDefaultExpression } from 'fastify';
import { AppError } from '../kernel/app-error';

/*
 * With ADMIN_PORT, the routes of operators are on that port alone: the public port has the clients' routes, and a gateway there may take every
 * other path. The operators' port has all routes, so that the page can send requests to the gateway.
 */

/** First segments of operators' paths. Probes (`/health`) and webhooks are on both ports. */
export const OPERATOR_PATHS: ReadonlySet<string> = new Set([
  ...['docs', 'docs-json', 'docs-yaml', 'admin', 'assets', 'events', 'metrics', 'page.json'],
]);
const MAX_DECODINGS = 3;
/** The route of a gateway at `/`. */
const ROOT_GATEWAY = '/*';
/** The name of the constraint in Fastify's router. */
export const PORT_CONSTRAINT = 'port';

/** Whether a route is for operators: the page at `/`, and `/NAME-budget` of each upstream, belong to it. */
export function isOperatorRoute(url: string): boolean {
  const [, first = ''] = url.toLowerCase().split('/');
  return url === '' || url === '/' || OPERATOR_PATHS.has(first) || first.endsWith('-budget');
}

/** Keeps operators' routes off the public port. Must be called before any route is declared. */
export function separateOperatorRoutes(
  fastify: FastifyInstance,
  isOnOperatorPort: (request: RawRequestDefaultExpression) => boolean,
): void {
  fastify.addConstraintStrategy({
    name: PORT_CONSTRAINT,
    storage: <T>() => {
      const routes = new Map<unknown, T>();
      return {
        get: (port: unknown) => routes.get(port) ?? null,
        set: (port: unknown, route: T) => void routes.set(port, route),
      };
    },
    deriveConstraint: (request) => (isOnOperatorPort(request) ? 'operators' : 'public'),
    validate: () => undefined,
    mustMatchWhenDerived: false,
  });
  const subtrees = new Set<string>();
  fastify.addHook('onRoute', (options) => {
    if (isOperatorRoute(options.url)) options.constraints = { ...options.constraints, [PORT_CONSTRAINT]: 'operators' };
    else if (options.url.endsWith('/*')) subtrees.add(options.url.slice(0, -1).toLowerCase());
  });
  // A gateway at `/` has every path that no route has, a misspelt one too: it would send the admin token, another API's credential or a
  // webhook's secret to its upstream.
  fastify.addHook('onRequest', ({ raw, url, routeOptions: { url: route = '' } }, _reply, done) => {
    const path = isOnOperatorPort(raw) || route === ROOT_GATEWAY ? plainPath(url) : '/';
    const isMisspelt = isOnOperatorPort(raw) && isOperatorPath(path) && !isOperatorRoute(route);
    const isOfOther =
      route === ROOT_GATEWAY && [...subtrees].some((other) => other !== '/' && `${path}/`.startsWith(other));
    if (isMisspelt) done(new AppError('route-not-found', 'There is no such route for operators: /docs lists them.'));
    else if (isOfOther)
      done(
        new AppError(
          'route-not-found',
          'The path belongs to another API or to webhooks, but is not written as theirs.',
        ),
      );
    else done();
  });
}

/** A target's path, however it is written: `/admin` of `//admin`, `/x/../Admin`, `/%61dmin;x`. */
export function plainPath(target: string): string {
  let path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').split('?', 1)[0] ?? '';
  for (let times = 0; times < MAX_DECODINGS && path.includes('%'); times++)
    path = path.replace(/%([0-9a-f]{2})/gi, (_octet, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  const { pathname } = new URL(`http://host/${path.replace(/^[/\\]+/, '')}`);
  return pathname
    .replace(/;[^/]*/g, '')
    .replace(/\/{2,}/g, '/')
    .toLowerCase();
}

/** Whether a plain path is meant for an operators' route. */
function isOperatorPath(path: string): boolean {
  const [, first = ''] = path.split('/', 2);
  return first !== '' && isOperatorRoute(`/${first}`);
}
