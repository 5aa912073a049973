import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** Answers a request at once, or leaves it: false. */
export type Answerer = (request: RawRequest, response: RawResponse) => boolean;

const OF_REQUESTS: ReadonlySet<string> = new Set([
  ...['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization'],
  ...['onSend', 'onResponse', 'onError', 'onTimeout', 'onRequestAbort'],
]);
/** The hook that runs Nest's middleware; the adapter has it whether there is any or not. */
const RUNS_MIDDLEWARE = 'runMiddie';

/**
 * The door in front of Fastify: some requests may be answered there before Fastify has looked at them.
 *
 * Its one invariant: it is open only while nothing else is to run for such requests. Whoever adds a hook, a middleware, CORS or
 * security headers to the server shuts it for good; so does the end of the server.
 */
export class FrontDoor {
  private static readonly doors = new WeakMap<object, FrontDoor>();
  private readonly own = new WeakSet<object>();
  private isShut = false;

  constructor(
    private readonly fastify: FastifyInstance,
    adapter: object,
  ) {
    FrontDoor.doors.set(adapter, this);
    this.watchHooks();
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

  /** Names a hook that those who answer at the door stand for: it does not shut it. */
  excuse(hook: object): void {
    this.own.add(hook);
  }

  /** Has `answer` asked first. What it leaves goes on as if it had not been. */
  guard(answer: Answerer): void {
    const { server } = this.fastify;
    const behind = server.listeners('request') as ((request: RawRequest, response: RawResponse) => void)[];
    server.removeAllListeners('request');
    server.on('request', (request: RawRequest, response: RawResponse) => {
      if (!this.isShut && answer(request, response)) return;
      for (const listener of behind) listener.call(server, request, response);
    });
  }

  private watchHooks(): void {
    const { fastify } = this;
    const { addHook } = fastify as unknown as { addHook: (this: unknown, ...args: readonly unknown[]) => unknown };
    const heed = (name: unknown, hook: unknown): void => {
      const isKnown = typeof hook === 'function' && (hook.name === RUNS_MIDDLEWARE || this.own.has(hook));
      if (OF_REQUESTS.has(String(name)) && !isKnown) this.shut();
    };
    // Contexts that plugins get inherit it, and are `this` then.
    Object.assign(fastify, {
      addHook(this: unknown, ...args: readonly unknown[]): unknown {
        heed(args[0], args[1]);
        return addHook.apply(this, args as unknown[]);
      },
    });
  }
}
