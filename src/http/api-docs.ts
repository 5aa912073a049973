import { applyDecorators } from '@nestjs/common';
import { ApiResponse, type ApiResponseOptions } from '@nestjs/swagger';
import type { ErrorCode } from '../kernel/app-error';
import { PROBLEMS, problemOf } from './problem-table';

type HeadersDocument = NonNullable<ApiResponseOptions['headers']>;

const header = (description: string, example: string): HeadersDocument[string] => ({
  description,
  schema: { type: 'string', example },
});

/** The header fields of every cached answer, for OpenAPI. */
export const ApiCacheHeaders: HeadersDocument = {
  'Cache-Status': header(
    'What the cache did (RFC 9211).',
    'larder; hit; ttl=3599; key="github:accounts:redis"; detail=HIT/l1',
  ),
  Age: header('Seconds since the answer was loaded or validated.', '1'),
  ETag: header('For `If-None-Match`.', 'W/"2jmj7l5rSw0yVb_vlWAYkK_YBwk"'),
  'X-Cache': header('HIT or MISS, as the interceptor of @nestjs/cache-manager writes it.', 'HIT'),
  'X-Response-Time': header('Milliseconds in the service.', '0.412'),
};

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'instance'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string', description: 'What happened and what to do.' },
    instance: { type: 'string', description: 'The request id, as in the log.' },
  },
};

/** Documents the problems that a route may answer, one response for each status. */
export function ApiProblems(...codes: readonly ErrorCode[]): MethodDecorator {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  const responses = [...byStatus].map(([status, those]) =>
    ApiResponse({
      status,
      description: those.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
      content: {
        'application/problem+json': {
          schema: problemSchema,
          examples: Object.fromEntries(
            those.map((code) => [
              code,
              { value: { ...problemOf(code, 'What happened, and what to do.'), instance: 'a request id' } },
            ]),
          ),
        },
      },
    }),
  );
  return applyDecorators(...responses);
}
