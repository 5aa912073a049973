import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';
import { isClosed } from './client-connection';
import { refusalOf } from './edge-hooks';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** Answers a request, or leaves it: false. A promise keeps it until it settles. */
export type Answerer = (request: RawRequest, response: RawResponse) => boolean | Promise<boolean>;

/** As `Answerer`, at once, of a request that Fastify has found the route of. */
export type RoutedAnswerer = (request: FastifyRequest, reply: FastifyReply) => boolean;

/** Hooks that run on the way to an answer. */
const BEFOREHAND = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'] as const;
/** They hang on the raw response, whoever writes it; or tell of errors, and no hit is one. */
const AFTERWARDS = ['onResponse', 'onError', 'onTimeout', 'onRequestAbort'] as const;
const OF_REQUESTS = [...BEFOREHAND, ...AFTERWARDS] as const;
/** The hook that runs Nest's middleware; the adapter has it whether there is any or not. */
const RUNS_MIDDLEWARE = 'runMiddie';
/** The hook that Fastify gives a HEAD route made of a GET route: it takes the body away, which answers to HEAD do not have. */
const TAKES_BODY = 'headRouteOnSendHandler';
/** What a route's schema may refuse a request by. */
const CHECKED = ['headers', 'params', 'querystring', 'query'] as const;

/** A route as it is once everybody who may change it has, and the handler it was declared with. */
interface DeclaredRoute {
  readonly options: RouteOptions;
  readonly handler: RouteOptions['handler'];
}

/**
 * The door in front of Fastify: some requests may be answered there before Fastify has looked at them, or in a hook before
 * their route's handler.
 *
 * Its one invariant: nothing is skipped. It is open only while nothing else is to run for such requests, and nothing but method
 * and URL tells which route is meant; the hook answers only while nothing is to run after it. Whoever adds a hook, a middleware,
 * CORS or security headers to the server, or has some on a route, shuts it for good; so does the end of the server.
 */
export class FrontDoor {
  private static readonly doors = new WeakMap<object, FrontDoor>();
  private readonly answerers: Answerer[] = [];
  private readonly routes: DeclaredRoute[] = [];
  private hook: onRequestHookHandler | undefined;
  private isShut = false;
  private isHookShut = false;

  constructor(
    private readonly fastify: FastifyInstance,
    adapter: object,
  ) {
    FrontDoor.doors.set(adapter, this);
    this.watchHooks();
    this.watchMiddleware();
    this.watchRoutes();
    fastify.addHook('preClose', (done) => {
      this.shut();
      done();
    });
  }

  /** The door of an adapter made by `createAdapter()`; others have none. */
  static of(adapter: object): FrontDoor | undefined {
    return FrontDoor.doors.get(adapter);
  }

  get isOpen(): boolean {
    return !this.isShut;
  }

  shut(): void {
    this.isShut = true;
  }

  /** Has `answer` asked before Fastify. What all leave goes on as if they had not been asked. */
  guard(answer: Answerer): void {
    this.answerers.push(answer);
    if (this.answerers.length > 1) return;
    const { server } = this.fastify;
    const behind = server.listeners('request') as ((request: RawRequest, response: RawResponse) => void)[];
    server.removeAllListeners('request');
    server.on('request', (request: RawRequest, response: RawResponse) => {
      const goOn = (): void => {
        for (const listener of behind) listener.call(server, request, response);
      };
      if (this.isShut || refusalOf(request)) goOn();
      else this.ask(0, request, response, goOn);
    });
  }

  /** Has `answer` asked in a hook, once: behind the hooks that are there already, and only while none comes after it. */
  guardRoutes(answer: RoutedAnswerer): void {
    this.hook = (request, reply, done) => {
      if (this.isHookShut || !answer(request, reply)) done();
    };
    this.fastify.addHook('onRequest', this.hook);
  }

  /** Asks the answerers in turn. What one of them fails at goes on: Fastify meets the same failure, and tells of it. */
  private ask(first: number, request: RawRequest, response: RawResponse, goOn: () => void): void {
    for (let at = first; at < this.answerers.length; at++) {
      const answered = this.answerOf(at, request, response);
      if (answered === true) return;
      if (answered === false) continue;
      // The client disconnected while we waited: drop the request. Later listeners would never see its `close` event.
      const next = (): void => {
        if (!isClosed(request.socket, response)) this.ask(at + 1, request, response, goOn);
      };
      answered.then((isAnswered) => isAnswered || next(), next);
      return;
    }
    goOn();
  }

  private answerOf(at: number, request: RawRequest, response: RawResponse): boolean | Promise<boolean> {
    try {
      return this.answerers[at]?.(request, response) ?? false;
    } catch {
      return false; // thrown out of the server's event it would end the process
    }
  }

  private watchHooks(): void {
    this.watch('addHook', (args) => {
      this.heed(String(args[0]), args[1]);
      return args;
    });
  }

  private heed(name: string, hook: unknown): void {
    if (!isOneOf(OF_REQUESTS, name) || hook === this.hook) return;
    // What it runs comes by `use`.
    if (name !== 'onRequest' || !isNamed(hook, RUNS_MIDDLEWARE)) this.shut();
    const isHarmless = isOneOf(AFTERWARDS, name) || (name === 'onRequest' && this.hook === undefined);
    if (!isHarmless) this.isHookShut = true;
  }

  /** `use` is there only once a plugin has brought it, and is brought again in each context. */
  private watchMiddleware(): void {
    this.watch('decorate', ([name, use, ...more]) => {
      if (name !== 'use' || typeof use !== 'function') return [name, use, ...more];
      const shut = (): void => this.shut();
      const heeded = function (this: unknown, ...args: unknown[]): unknown {
        shut();
        return (use as Method).apply(this, args);
      };
      return [name, heeded, ...more];
    });
  }

  /** What `onRoute` hooks leave of a route is known when they all have run, and the plugins are loaded. */
  private watchRoutes(): void {
    const { fastify, routes } = this;
    fastify.addHook('onRoute', (options) => {
      const isAsked = [options.method].flat().some((method) => method === 'GET' || method === 'HEAD');
      if (isAsked) routes.push({ options, handler: options.handler });
    });
    fastify.addHook('onReady', (done) => {
      if (routes.some(isBehindMore)) this.isHookShut = true;
      if (this.isHookShut || routes.some(isMoreThanUrl)) this.shut();
      done();
    });
  }

  /** Has `seen` look at the arguments of a method; contexts that plugins get inherit it, and are `this` then. */
  private watch(method: 'addHook' | 'decorate', seen: (args: unknown[]) => unknown[]): void {
    const { fastify } = this;
    const original = (fastify as unknown as Record<string, Method>)[method] as Method;
    Object.assign(fastify, {
      [method](this: unknown, ...args: unknown[]): unknown {
        return original.apply(this, seen(args));
      },
    });
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Whether something stands between a hook of the server and the handler that the route was declared with. */
function isBehindMore({ options, handler }: DeclaredRoute): boolean {
  const schema = (options.schema ?? {}) as Readonly<Record<string, unknown>>;
  return (
    options.handler !== handler ||
    CHECKED.some((part) => schema[part] !== undefined) ||
    hooksOf(options, BEFOREHAND).some((hook) => !isNamed(hook, TAKES_BODY))
  );
}

/** Whether more than method and URL tells that the route is meant (a version, a host), or a hook waits for its answers. */
function isMoreThanUrl({ options }: DeclaredRoute): boolean {
  return Object.keys(options.constraints ?? {}).length > 0 || hooksOf(options, AFTERWARDS).length > 0;
}

function hooksOf(options: RouteOptions, names: readonly (keyof RouteOptions)[]): readonly unknown[] {
  return names.flatMap((name) => options[name] ?? []);
}

function isNamed(hook: unknown, name: string): boolean {
  return typeof hook === 'function' && hook.name === name;
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}
