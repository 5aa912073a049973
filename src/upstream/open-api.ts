import type { OpenAPIObject } from '@nestjs/swagger';
import { ApiCacheHeaders, problemResponses } from '../server/api-docs';
import { webhookPath, type WebhookDefinition } from './webhooks/webhook-definition';

type Paths = OpenAPIObject['paths'];

/** A GET that the documentation names, and that the page suggests. */
export interface DocumentedPath {
  /** Behind the gateway's prefix, names in braces. Example: `/users/{username}` */
  readonly path: string;
  readonly summary: string;
  /** An example of each name. */
  readonly names?: Readonly<Record<string, string>>;
  /** An example of the body. */
  readonly example?: object;
}

/** The paths of a gateway in the API documentation. Without them: that any path is allowed. */
export interface DocumentedPaths {
  readonly paths?: readonly DocumentedPath[];
  /** An example of the route that stands for all paths, without its first slash. Example: `users/redis` */
  readonly anyPath?: string;
  /** An example of its body. */
  readonly anyExample?: object;
  /** The body of a 404. */
  readonly notFound?: object;
  /** A payload of a webhook, and what it is answered. */
  readonly webhookPayload?: object;
  readonly webhookEvent?: string;
}

export interface DocumentedUpstream {
  readonly name: string;
  readonly title: string;
  readonly prefix: string;
  readonly documented: DocumentedPaths;
  /** Undefined where there is no secret for them. */
  readonly webhook: WebhookDefinition | undefined;
}

const PROBLEMS_OF_GATEWAY = [
  ...(['request-invalid', 'payload-too-large', 'transfer-coding-unknown', 'upstream-rate-limited'] as const),
  ...(['upstream-unreachable', 'upstream-invalid', 'upstream-paused'] as const),
  ...(['upstream-timeout', 'deadline-exceeded', 'not-cached', 'shutting-down'] as const),
];
const CONDITION = {
  ...{ name: 'If-None-Match', in: 'header' as const, required: false, schema: { type: 'string' as const } },
  description: 'The `ETag` of an earlier answer: 304 if it still holds.',
};

/** The routes of an upstream that stand beside Nest's router. */
export function documentedPaths(upstream: DocumentedUpstream): Paths {
  const { name, title, prefix, documented, webhook } = upstream;
  const { paths = [], anyPath = '', anyExample = {} } = documented;
  const any = {
    path: '/{path}',
    summary: `${title}'s API, through the cache`,
    names: { path: anyPath },
    example: anyExample,
  };
  const passed = { ...passedOn(upstream, anyPath) };
  const gateway: Paths = {
    ...Object.fromEntries(paths.map((one) => [prefix + one.path, { get: read(upstream, one) }])),
    [`${prefix}/{path}`]: {
      get: {
        ...read(upstream, any),
        description:
          `Any path of ${title}'s API, slashes and all. Status, fields and body are ${title}'s own; \`Cache-Status\`, \`Age\` and ` +
          '`Via` are added. This page encodes the slashes of a path, which makes it another: try the routes above here.',
      },
      ...{ post: passed, put: passed, patch: passed, delete: passed },
    },
  };
  return webhook ? { ...gateway, [webhookPath(name)]: { post: delivered(upstream, webhook) } } : gateway;
}

function headersOf(prefix: string) {
  const more = [
    ['Via', 'The hops of the answer (RFC 9110 §7.6.3).', '1.1 larder'],
    [
      'Link',
      'The pages beside this one, through the gateway.',
      `<http://localhost:8081${prefix}/…?page=2>; rel="next"`,
    ],
  ];
  const described = more.map(([name = '', description = '', example = '']) => [
    name,
    { description, schema: { type: 'string' as const, example } },
  ]);
  return { ...ApiCacheHeaders, ...(Object.fromEntries(described) as typeof ApiCacheHeaders) };
}

function inPath(name: string, example: string) {
  return { name, in: 'path' as const, required: true, schema: { type: 'string' as const }, example };
}

function read(
  { name, title, prefix, documented }: DocumentedUpstream,
  { summary, names = {}, example = {} }: DocumentedPath,
) {
  const own = `${title}'s own answer`;
  return {
    tags: [name],
    summary,
    parameters: [...Object.entries(names).map(([one, value]) => inPath(one, value)), CONDITION],
    responses: {
      '200': { description: own, headers: headersOf(prefix), content: { 'application/json': { example } } },
      '304': { description: 'The stored response of the client is still valid (`If-None-Match`, `If-Modified-Since`)' },
      '404': { description: own, content: { 'application/json': { example: documented.notFound ?? {} } } },
      ...problemResponses(...PROBLEMS_OF_GATEWAY),
    },
  };
}

function passedOn({ name, title, documented }: DocumentedUpstream, anyPath: string) {
  const answered = { 'application/json': { example: documented.anyExample ?? {} } };
  return {
    tags: [name],
    summary: 'Passed on, and what it changes is removed',
    parameters: [inPath('path', anyPath)],
    responses: {
      default: { description: `${title}'s own answer`, content: answered },
      ...problemResponses(...PROBLEMS_OF_GATEWAY),
    },
  };
}

function delivered({ name, title, documented }: DocumentedUpstream, { event, delivery, verifier }: WebhookDefinition) {
  const { headers, hasAlternatives = false } = verifier;
  const fields = [event, delivery, ...headers].filter((one) => typeof one === 'string');
  const { webhookPayload = {}, webhookEvent = 'changed' } = documented;
  return {
    tags: [name],
    summary: `${title}'s webhooks: an event removes what it has changed`,
    parameters: fields.map((field) => ({
      ...{ name: field, in: 'header' as const, schema: { type: 'string' as const } },
      required: !(hasAlternatives && headers.includes(field)),
    })),
    requestBody: { content: { 'application/json': { example: webhookPayload } } },
    responses: {
      '202': {
        description: 'Done, or taken before',
        content: { 'application/json': { example: { event: webhookEvent, status: 'done', invalidated: 2 } } },
      },
      ...problemResponses(
        ...([
          'request-invalid',
          'webhook-unsigned',
          'too-many-attempts',
          'payload-too-large',
          'request-timeout',
        ] as const),
        ...(['cache-unavailable', 'overloaded'] as const),
      ),
    },
  };
}
