import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_TYPE, PROBLEMS, problemOf } from './problem-table';
import { toAppError } from './to-app-error';

/** Answers every error as `application/problem+json` (RFC 9457). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    sendProblem(error, request, reply, this.logger);
  }
}

/** Also for the errors that Fastify meets before Nest does. Logs what is our own fault, once. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const problem = toAppError(error, request);
  if (problem.code === 'internal')
    logger.error(`${request.method} failed, request ${request.id}: ${stackOf(problem.cause)}`);
  if (reply.sent) return;
  for (const [name, value] of Object.entries(problem.headers)) reply.header(name, value);
  const { status, mayRetry } = PROBLEMS[problem.code];
  if (mayRetry && status !== 500)
    reply.header('retry-after', String(Math.max(1, Math.ceil((problem.retryAfterMs ?? 1_000) / 1_000))));
  reply.header('cache-control', 'no-store').header('content-type', PROBLEM_TYPE);
  void reply.code(status).send(JSON.stringify({ ...problemOf(problem.code, problem.message), instance: request.id }));
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
