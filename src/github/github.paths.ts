import type { OpenAPIObject } from '@nestjs/swagger';
import { problemResponses } from '../http/api-docs';

type Paths = OpenAPIObject['paths'];

const OF_GATEWAY = problemResponses(
  ...([
    'request-invalid',
    'upstream-unreachable',
    'upstream-invalid',
    'upstream-timeout',
    'deadline-exceeded',
  ] as const),
);

const pathParameter = {
  name: 'path',
  in: 'path' as const,
  required: true,
  description: "A path of GitHub's REST API, slashes and all.",
  schema: { type: 'string' as const },
  example: 'users/redis',
};

const user = { login: 'redis', type: 'Organization', public_repos: 155 };

/** The routes that stand beside Nest's router, for the API's documentation. */
export function githubPaths(prefix: string, hasWebhooks: boolean): Paths {
  const passed = (summary: string) => ({
    tags: ['github'],
    summary,
    parameters: [pathParameter],
    responses: { default: { description: "GitHub's own answer" }, ...OF_GATEWAY },
  });
  const gateway: Paths = {
    [`${prefix}/{path}`]: {
      get: {
        tags: ['github'],
        summary: "GitHub's REST API, through the cache",
        description: "Status, fields and body are GitHub's own; `Cache-Status`, `Age` and `Via` are added.",
        parameters: [pathParameter],
        responses: {
          '200': { description: "GitHub's own answer", content: { 'application/json': { example: user } } },
          '304': { description: 'What the client has still holds (`If-None-Match`, `If-Modified-Since`)' },
          ...OF_GATEWAY,
        },
      },
      post: passed('Passed on, and what it changes is removed'),
      put: passed('Passed on, and what it changes is removed'),
      patch: passed('Passed on, and what it changes is removed'),
      delete: passed('Passed on, and what it changes is removed'),
    },
  };
  return hasWebhooks ? { ...gateway, '/webhooks/github': { post: webhook() } } : gateway;
}

function webhook() {
  return {
    tags: ['github'],
    summary: "GitHub's webhooks: an event removes what it has changed",
    parameters: ['X-GitHub-Event', 'X-GitHub-Delivery', 'X-Hub-Signature-256'].map((name) => ({
      ...{ name, in: 'header' as const, required: true, schema: { type: 'string' as const } },
    })),
    requestBody: { content: { 'application/json': { example: { zen: 'Keep it logically awesome.' } } } },
    responses: {
      '202': {
        description: 'Done, or taken before',
        content: { 'application/json': { example: { event: 'repository', status: 'done', invalidated: 2 } } },
      },
      ...problemResponses(
        ...(['request-invalid', 'webhook-unsigned', 'payload-too-large', 'request-timeout'] as const),
        ...(['cache-unavailable', 'overloaded'] as const),
      ),
    },
  };
}
