import type { OpenAPIObject } from '@nestjs/swagger';
import { ApiCacheHeaders, problemResponses } from '../http/api-docs';

type Paths = OpenAPIObject['paths'];

const OF_GATEWAY = problemResponses(
  ...(['request-invalid', 'payload-too-large', 'transfer-coding-unknown', 'upstream-rate-limited'] as const),
  ...(['upstream-unreachable', 'upstream-invalid', 'upstream-paused'] as const),
  ...(['upstream-timeout', 'deadline-exceeded', 'not-cached', 'shutting-down'] as const),
);
const HEADERS = {
  ...ApiCacheHeaders,
  ...Object.fromEntries(
    [
      ['Via', 'The hops of the answer (RFC 9110 §7.6.3).', '1.1 larder'],
      [
        'Link',
        'The pages beside this one, through the gateway.',
        '<http://localhost:8081/github/…?page=2>; rel="next"',
      ],
      ['X-RateLimit-Remaining', 'What GitHub said of the rate limit when it was asked.', '59'],
    ].map(([name = '', description = '', example = '']) => [
      name,
      { description, schema: { type: 'string' as const, example } },
    ]),
  ),
};
const NOT_FOUND = { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' };
const CONDITION = {
  ...{ name: 'If-None-Match', in: 'header' as const, required: false, schema: { type: 'string' as const } },
  description: 'The `ETag` of an earlier answer: 304 if it still holds.',
};
const USER = { login: 'redis', type: 'Organization', public_repos: 155 };
const OF_REPOSITORY = [
  ['owner', 'redis'],
  ['repo', 'redis'],
] as const;
const REPOSITORY = { full_name: 'redis/redis', private: false, stargazers_count: 70_000 };

/** The routes that stand beside Nest's router, for the API's documentation. */
export function githubPaths(prefix: string, hasWebhooks: boolean): Paths {
  const gateway: Paths = {
    [`${prefix}/users/{username}`]: { get: read('A user or organization', [['username', 'redis']], USER) },
    [`${prefix}/users/{username}/repos`]: {
      get: read('The public repositories of an account', [['username', 'redis']], [REPOSITORY]),
    },
    [`${prefix}/orgs/{org}/repos`]: {
      get: read('The public repositories of an organization', [['org', 'redis']], [REPOSITORY]),
    },
    [`${prefix}/repos/{owner}/{repo}`]: { get: read('A repository', OF_REPOSITORY, REPOSITORY) },
    [`${prefix}/repos/{owner}/{repo}/issues`]: {
      get: read('Issues of a repository', OF_REPOSITORY, [{ number: 1, title: 'A bug', state: 'open' }]),
    },
    [`${prefix}/repos/{owner}/{repo}/commits`]: {
      get: read('Commits of a repository', OF_REPOSITORY, [{ sha: '6dcb09b5b57875f334f61aebed695e2e4193db5e' }]),
    },
    [`${prefix}/repos/{owner}/{repo}/releases`]: {
      get: read('Releases of a repository', OF_REPOSITORY, [{ tag_name: '8.4.0' }]),
    },
    [`${prefix}/{path}`]: {
      get: {
        ...read("GitHub's REST API, through the cache", [['path', 'users/redis']], USER),
        description:
          "Any path of GitHub's REST API, slashes and all. Status, fields and body are GitHub's own; `Cache-Status`, `Age` and " +
          '`Via` are added. This page encodes the slashes of a path, which makes it another: try the two routes above here.',
      },
      post: passed(),
      put: passed(),
      patch: passed(),
      delete: passed(),
    },
  };
  return hasWebhooks ? { ...gateway, '/webhooks/github': { post: webhook() } } : gateway;
}

function inPath(name: string, example: string) {
  return { name, in: 'path' as const, required: true, schema: { type: 'string' as const }, example };
}

function read(summary: string, names: readonly (readonly [name: string, example: string])[], example: object) {
  return {
    tags: ['github'],
    summary,
    parameters: [...names.map(([name, value]) => inPath(name, value)), CONDITION],
    responses: {
      '200': { description: "GitHub's own answer", headers: HEADERS, content: { 'application/json': { example } } },
      '304': { description: 'What the client has still holds (`If-None-Match`, `If-Modified-Since`)' },
      '404': { description: "GitHub's own answer", content: { 'application/json': { example: NOT_FOUND } } },
      ...OF_GATEWAY,
    },
  };
}

function passed() {
  return {
    tags: ['github'],
    summary: 'Passed on, and what it changes is removed',
    parameters: [inPath('path', 'repos/redis/redis/labels')],
    responses: { default: { description: "GitHub's own answer" }, ...OF_GATEWAY },
  };
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
