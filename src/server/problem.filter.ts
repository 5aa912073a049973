import { Catch, HttpStatus, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AppError } from '../kernel/app-error';
import { PROBLEM_TYPE, kindOfProblem, problemOf, retryAfterOf, type ClientProblem } from '../kernel/problem-table';
import type { RouteMethods } from './route-methods';
import { statusProblemOf, toAppError } from './to-app-error';

/** Answers every error as `application/problem+json` (RFC 9457), also those that Fastify meets before Nest does. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  /** The filter of each adapter: it knows the adapter's routes. */
  private static readonly filters = new WeakMap<object, ProblemFilter>();
  private readonly logger = new Logger('Http');

  constructor(
    private readonly routes: RouteMethods,
    private readonly isOnOperatorPort: (request: FastifyRequest['raw']) => boolean,
  ) {}

  /** @throws Error for an adapter that was not made by `createAdapter()` */
  static of(adapter: object): ProblemFilter {
    const filter = ProblemFilter.filters.get(adapter);
    if (!filter) throw new Error('The HTTP adapter has no problem filter: make it by createAdapter().');
    return filter;
  }

  serve(adapter: object): void {
    ProblemFilter.filters.set(adapter, this);
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.send(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /**
   * Logs what is our own fault, once.
   *
   * @param asClientKnows what the clients of the route expect in a problem
   */
  send(
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
    asClientKnows?: (problem: AppError) => ClientProblem | undefined,
  ): void {
    const own = statusProblemOf(error, request);
    if (own) {
      this.sendStatus(own, request, reply);
      return;
    }
    const problem = toAppError(error, request, (path) =>
      this.routes.allowed(path, !this.isOnOperatorPort(request.raw)),
    );
    if (problem.code === 'internal')
      this.logger.error(`${request.method} failed, request ${request.id}: ${stackOf(problem.cause)}`);
    if (reply.sent) return;
    readAway(request, reply);
    const { status: ownStatus } = kindOfProblem(problem.code);
    const { status = ownStatus, contentType = PROBLEM_TYPE, members } = asClientKnows?.(problem) ?? {};
    const retryAfter = retryAfterOf(problem);
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    reply.headers({ ...problem.headers, 'cache-control': 'no-store', 'content-type': contentType });
    const body = { ...problemOf(problem.code, problem.message), status, instance: request.id, ...members };
    void reply.code(status).send(JSON.stringify(body));
  }

  /** An exception of a route's own keeps its status. */
  private sendStatus(
    { status, detail }: { readonly status: number; readonly detail: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    if (reply.sent) return;
    readAway(request, reply);
    reply.headers({ 'cache-control': 'no-store', 'content-type': PROBLEM_TYPE });
    void reply.code(status).send(JSON.stringify({ ...statusProblem(status, detail), instance: request.id }));
  }
}

/**
 * A client that is still sending would lose the response with the connection (RFC 9112 §9.6): the rest of the body is read and discarded
 * instead.
 */
function readAway(request: FastifyRequest, reply: FastifyReply): void {
  if (!request.raw.complete) reply.removeHeader('connection');
}

/** RFC 9457 §4.2.1: a problem that says no more than its status is `about:blank`, titled as the status is. */
function statusProblem(status: number, detail: string): Record<string, unknown> {
  return { type: 'about:blank', title: phraseOf(status), status, code: `http-${status}`, detail };
}

function phraseOf(status: number): string {
  const name = (HttpStatus as Readonly<Record<number, string | undefined>>)[status] ?? 'Error';
  return name.replace(/[A-Z]+/g, (word) => word.charAt(0) + word.slice(1).toLowerCase()).replaceAll('_', ' ');
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
