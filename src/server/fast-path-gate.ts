import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isClosed } from './client-connection';
import { declaredRoute, declaredRoutes, hooksOf, scopeHooks, type DeclaredRoute } from './declared-routes';
import { refusalOf } from './edge-hooks';
import { PORT_CONSTRAINT } from './operator-port';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];
type Handler = (request: RawRequest, response: RawResponse) => void;

/** Serves a request, or returns false. With a promise no other handler serves it until that settles. */
export type FastServer = (request: RawRequest, response: RawResponse) => boolean | Promise<boolean>;

/** Hooks that run between a request's arrival and the last byte of its response. */
const HOOKS = [
  ...['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'],
  ...['onResponse', 'onError', 'onTimeout', 'onRequestAbort'],
] as const;
/** Hooks that contribute to a response. */
const SENDING_HOOKS = ['preSerialization', 'onSend'] as const;
/**
 * Hooks of libraries with these names that do not affect a hit: the runner of middleware, recognised by the middleware that it runs, and
 * the hook that removes the body of a HEAD route made of a GET route.
 */
const HARMLESS: ReadonlySet<string> = new Set(['runMiddie', 'headRouteOnSendHandler']);
/** The parts of a request by which a route's schema may refuse it. */
const CHECKED = ['headers', 'params', 'querystring', 'query'] as const;

type HookName = (typeof HOOKS)[number];

/** The code of a route that would be skipped; known once the server is ready. */
interface Obstacles {
  readonly toServing: string | undefined;
  readonly toSending: string | undefined;
}

/**
 * The gate in front of Fastify: requests that only need a stored response are served before Fastify routes them.
 *
 * Its one invariant: nothing is skipped. A request is served here only if an equal one has taken the slow path before, and `obstacle`
 * has found no addition of the application for it: no hook, in any plugin, no middleware, no schema that may refuse it, no other handler
 * around the route's, and no route of a version or host under the same URL. Additions to other routes do not count. Hooks cannot change
 * once the server is ready; middleware can, and then everything remembered is forgotten.
 */
export class FastPathGate {
  private readonly servers: FastServer[] = [];
  private readonly obstaclesOf = new WeakMap<DeclaredRoute, Obstacles>();
  private routes: readonly DeclaredRoute[] = [];
  /** Once the server is ready: the routes of a version or host. */
  private constrained: readonly DeclaredRoute[] | undefined;
  private readonly changeListeners: (() => void)[] = [];
  /**
   * The service's own hooks and those of Nest's adapter: the fast path does the same itself, or they are off unless `closeFor` is called.
   */
  private ownHooks: ReadonlySet<unknown> = new Set();
  /** The middleware that ran for requests. */
  private readonly middlewareOf = new WeakMap<RawRequest, string>();
  private closedFor: string | undefined;
  private isEnding = false;

  get isOpen(): boolean {
    return this.closedFor === undefined && !this.isEnding;
  }

  /** Turns it off for good, for all routes; `what` names the cause. */
  closeFor(what: string): void {
    this.closedFor ??= what;
  }

  /** Runs before Fastify's own handler of requests. If a server fails or declines, Fastify gets the request unchanged. */
  inFrontOf(handler: Handler): Handler {
    return (request, response) => {
      if (!this.isOpen || refusalOf(request)) handler(request, response);
      else this.runHandlers(0, request, response, handler);
    };
  }

  serveWith(server: FastServer): void {
    this.servers.push(server);
  }

  /** Called when the knowledge about requests becomes invalid. */
  onChanged(listener: () => void): void {
    this.changeListeners.push(listener);
  }

  /** Must be called once every route has its hooks. */
  watch(fastify: FastifyInstance): void {
    this.routes = declaredRoutes(fastify);
    // Fastify adds hooks when it boots, one by one in the order of the calls: this runs after all earlier ones.
    fastify.after(() => {
      const known = scopeHooks(fastify);
      this.ownHooks = new Set(HOOKS.flatMap((name) => known?.[name] ?? []));
    });
    fastify.addHook('preClose', (done) => {
      this.isEnding = true;
      done();
    });
  }

  /** The code that would be skipped if requests like this one were served here; undefined for none. */
  obstacle(request: FastifyRequest): string | undefined {
    if (this.closedFor !== undefined) return this.closedFor;
    const middleware = this.middlewareOf.get(request.raw);
    if (middleware !== undefined) return `middleware ${middleware}`;
    return this.obstacles(request).toServing ?? this.constraintOn(request.raw.url ?? '');
  }

  /** The code that could not change a response written without Fastify; undefined for none. */
  sendingObstacle(request: FastifyRequest): string | undefined {
    return this.obstacles(request).toSending;
  }

  /** Wraps the middleware, so that the requests it runs for are known. */
  recording<T>(middleware: T): T | Middleware {
    if (Array.isArray(middleware)) return middleware.map((one: unknown) => this.recording(one)) as T;
    if (typeof middleware !== 'function') return middleware;
    const run = middleware as unknown as Middleware;
    const name = named(run);
    for (const listener of this.changeListeners) listener();
    return (request, response, next) => {
      this.middlewareOf.set(request, name);
      return run(request, response, next);
    };
  }

  /** Calls the servers in turn. */
  private runHandlers(first: number, request: RawRequest, response: RawResponse, handler: Handler): void {
    for (let at = first; at < this.servers.length; at++) {
      const served = this.runHandler(at, request, response);
      if (served === true) return;
      if (served === false) continue;
      // The client disconnected while we waited: drop the request. Later listeners would never see its `close` event.
      const next = (): void => {
        if (!isClosed(request.socket, response)) this.runHandlers(at + 1, request, response, handler);
      };
      served.then((isServed) => isServed || next(), next);
      return;
    }
    handler(request, response);
  }

  private runHandler(at: number, request: RawRequest, response: RawResponse): boolean | Promise<boolean> {
    try {
      return this.servers[at]?.(request, response) ?? false;
    } catch {
      return false; // Fastify gets the same failure and answers it; thrown from here it would end the process
    }
  }

  private obstacles(request: FastifyRequest): Obstacles {
    const route = declaredRoute(request);
    if (!route) return UNKNOWN;
    let found = this.obstaclesOf.get(route);
    if (!found) this.obstaclesOf.set(route, (found = this.findObstacles(route)));
    return found;
  }

  private findObstacles(route: DeclaredRoute): Obstacles {
    const schema = (route.options.schema ?? {}) as Readonly<Record<string, unknown>>;
    const part = CHECKED.find((one) => schema[one] !== undefined);
    const isWrapped = route.options.handler !== route.handler;
    return {
      toServing:
        this.addedHook(route, HOOKS) ??
        (part && `a schema for ${part}`) ??
        (isWrapped ? 'another handler around its own' : undefined),
      toSending: this.addedHook(route, SENDING_HOOKS),
    };
  }

  private addedHook(route: DeclaredRoute, names: readonly HookName[]): string | undefined {
    for (const name of names) {
      const hooks = hooksOf(route, name);
      if (!hooks) return 'hooks of an unknown Fastify';
      const added = hooks.find((hook) => !this.ownHooks.has(hook) && !HARMLESS.has((hook as { name: string }).name));
      if (added !== undefined) return `${name} hook ${named(added)}`;
    }
    return undefined;
  }

  /**
   * A route of a version or host that the URL may match: then method and URL alone do not determine the route. In doubt, for an encoded or
   * absolute URL, it may match.
   */
  private constraintOn(url: string): string | undefined {
    // Routes of the operators' port do not count: the gate is not in front of it, and on the public port they do not exist.
    this.constrained ??= this.routes.filter(({ options }) =>
      Object.keys(options.constraints ?? {}).some((name) => name !== PORT_CONSTRAINT),
    );
    const isPlain = url.startsWith('/') && !url.includes('%');
    const found = this.constrained.find(
      ({ options }) => !isPlain || url.toLowerCase().startsWith(staticPart(options.url).toLowerCase()),
    );
    return found && `the constraints of ${found.options.url} (version or host)`;
  }
}

type Middleware = (request: RawRequest, response: RawResponse, next: () => void) => unknown;

/** For a route that was declared before `watch`, or whose `config` was replaced. */
const UNKNOWN: Obstacles = { toServing: 'a config of another plugin', toSending: 'a config of another plugin' };

/** A pattern up to its first parameter, wildcard or expression. */
function staticPart(pattern: string): string {
  return pattern.split(/[:*(]/, 1)[0]?.replace(/\/$/, '') ?? '';
}

function named(one: unknown): string {
  const { name } = one as { name?: string };
  return name === undefined || name === '' ? '(anonymous)' : `"${name}"`;
}
