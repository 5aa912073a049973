import { applyDecorators } from '@nestjs/common';
import type { ApiResponseOptions } from '@nestjs/swagger';
import type { ErrorCode } from '../kernel/app-error';
import { kindOfProblem, problemOf } from '../kernel/problem-table';
import { ApiResponse, whenDocumented } from './api-decorators';

type HeadersDocument = NonNullable<ApiResponseOptions['headers']>;

const header = (description: string, example: string): HeadersDocument[string] => ({
  description,
  schema: { type: 'string', example },
});

const REQUEST_ID = header('The caller’s, if it is a harmless word, else a new one; as in the log.', 'trace-1');

/** Stands in examples for the name of an upstream, until it is known which there are. */
export const EXAMPLE_UPSTREAM = 'an-upstream';

/** The header fields of every cached answer, for OpenAPI. */
export const ApiCacheHeaders: HeadersDocument = {
  'Cache-Status': header(
    'The outcome of the cache (RFC 9211).',
    `larder; hit; ttl=3599; key="${EXAMPLE_UPSTREAM}:-:/users/redis"; detail=HIT/l1`,
  ),
  Age: header('Seconds since the answer was loaded or validated.', '1'),
  ETag: header('For `If-None-Match`.', 'W/"2jmj7l5rSw0yVb_vlWAYkK_YBwk"'),
  'X-Cache': header('HIT or MISS, as the interceptor of @nestjs/cache-manager writes it.', 'HIT'),
  'X-Response-Time': header('Milliseconds in the service.', '0.412'),
  'X-Request-Id': REQUEST_ID,
};

/** The fields of a problem response, by its status. */
const PROBLEM_HEADERS: Readonly<Record<number, HeadersDocument>> = {
  401: { 'WWW-Authenticate': header('How to show who you are.', 'Bearer realm="larder admin"') },
  405: { Allow: header('The methods that the path takes.', 'GET, HEAD') },
};
const RETRY_AFTER: HeadersDocument = { 'Retry-After': header('Seconds until a retry may help.', '1') };

/** Documents that a client may get a 304. */
export function ApiNotModified(): MethodDecorator {
  const { ETag, 'Cache-Status': status } = ApiCacheHeaders;
  const headers = { ETag, 'Cache-Status': status } as HeadersDocument;
  return ApiResponse({
    status: 304,
    description: 'The stored response of the client is still valid (`If-None-Match`).',
    headers,
  });
}

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

/** The problems of some codes as OpenAPI has them, by status. */
export function problemResponses(...codes: readonly ErrorCode[]): Record<
  string,
  {
    description: string;
    headers: HeadersDocument;
    content: NonNullable<Extract<ApiResponseOptions, { content?: unknown }>['content']>;
  }
> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes)
    byStatus.set(kindOfProblem(code).status, [...(byStatus.get(kindOfProblem(code).status) ?? []), code]);
  const responses = [...byStatus].map(([status, those]) => {
    const examples = those.map((code) => {
      const value = { ...problemOf(code, 'What happened, and what to do.'), instance: 'a request id' };
      return [code, { value }] as const;
    });
    const content = { 'application/problem+json': { schema: problemSchema, examples: Object.fromEntries(examples) } };
    const description = those.map((code) => `\`${code}\`: ${kindOfProblem(code).title}`).join('. ');
    const mayRetry = those.some((code) => kindOfProblem(code).mayRetry && status !== 500);
    const headers = { ...PROBLEM_HEADERS[status], ...(mayRetry ? RETRY_AFTER : {}), 'X-Request-Id': REQUEST_ID };
    return [String(status), { description, headers, content }] as const;
  });
  return Object.fromEntries(responses);
}

/** Documents the problems that a route may answer, one response for each status. */
export function ApiProblems(...codes: readonly ErrorCode[]): MethodDecorator {
  return whenDocumented(({ ApiResponse: respond }) => {
    const responses = Object.entries(problemResponses(...codes));
    return applyDecorators(...responses.map(([status, response]) => respond({ status: Number(status), ...response })));
  });
}
