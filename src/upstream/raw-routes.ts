import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AppError } from '../kernel/app-error';
import type { ClientProblem } from '../kernel/problem-table';
import { ProblemFilter } from '../server/problem.filter';

/**
 * Declares routes in front of Nest's pipeline: their bodies are streams, which no other code reads.
 *
 * @param asClientKnows what the clients of the routes expect in a problem
 */
export function declareRawRoutes(
  adapter: HttpAdapterHost['httpAdapter'],
  declare: (scope: FastifyInstance) => void,
  asClientKnows?: (problem: AppError, request: FastifyRequest) => ClientProblem | undefined,
): void {
  const problems = ProblemFilter.of(adapter);
  void adapter.getInstance<FastifyInstance>().register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    scope.setErrorHandler((error, request, reply) =>
      problems.send(error, request, reply, (problem) => asClientKnows?.(problem, request)),
    );
    declare(scope);
    done();
  });
}
