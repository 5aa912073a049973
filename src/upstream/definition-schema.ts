import { z } from 'zod';
import { parseGatewayRules } from './gateway/gateway-rules';
import type { UpstreamDefinition } from './upstream-definition';
import { KIT_SETTINGS } from './upstream-settings';

/**
 * The valid members of a definition, in words that complete "MEMBER …" in the message of a failed start. The compiler checks the same, but
 * not for computed members or JavaScript.
 */

const FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const text = (pattern: RegExp, problem: string) => z.string(problem).regex(pattern, problem);
const list = (pattern: RegExp, problem: string) => z.array(text(pattern, problem), problem);
const whole = (min: number, problem: string) => z.int(problem).min(min, problem);
const call = z.custom((value) => typeof value === 'function', 'must be a function');
const calls = 'must be an object of functions';

const settings = z.record(
  z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must have names in capital letters')
    .refine((name) => !KIT_SETTINGS.includes(name), 'has a name that every upstream has already, such as TOKEN'),
  z.custom((value) => value instanceof z.ZodType, 'must be a zod schema'),
  'must be an object of zod schemas',
);

const rules = z.array(z.unknown(), 'must be a list of rules').superRefine((given, context) => {
  try {
    parseGatewayRules(JSON.stringify(given));
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
});

const credentials = z.strictObject(
  {
    headers: list(FIELD, 'must be a list of header field names').optional(),
    query: list(/^[\w.-]+$/, 'must be a list of parameter names').optional(),
    refused: list(/./, 'must be a list of parameter names').optional(),
    canonical: call.optional(),
    send: call.optional(),
    tokenForm: z.instanceof(RegExp, { error: 'must be a regular expression' }).optional(),
  },
  'must be an object with headers, query, refused, canonical, send or tokenForm',
);

const webhook = z.looseObject(
  {
    verifier: z.looseObject({ begin: call }, 'must be a verifier'),
    event: z.union([text(FIELD, 'must be a header field or a function'), call], 'must be a header field or a function'),
    delivery: text(FIELD, 'must be a header field name').optional(),
    effect: call,
  },
  'must be an object',
);

const LIMITS = ['connectTimeoutMs', 'timeoutMs', 'maxResponseBytes', 'breakerFailures', 'breakerPauseMs'] as const;
const LIMITS_PROBLEM = `must be an object of numbers, of ${LIMITS.join(', ')}`;

const openApi = z.looseObject(
  {
    paths: z
      .array(z.looseObject({ path: text(/^\//, 'must be a path such as /items/{id}') }), 'must be a list')
      .optional(),
  },
  'must be an object',
);

const problems = z.record(
  text(/^[a-z]+(?:-[a-z]+)+$/, 'must have codes of words with hyphens'),
  z.looseObject({ status: whole(400, 'must be 400 or more'), title: text(/./, 'must be a text') }, 'must be an object'),
  'must be an object of error codes',
);

/** The optional members; `name` and `baseUrl` are required. */
const optional = {
  title: text(/\S/, 'must be a text').meta({ example: "'acme'" }),
  isEnabled: z.boolean('must be true or false').meta({ example: 'false' }),
  routePrefix: text(/^(?:\/[A-Za-z0-9._~-]+)+$/, 'must be a path without a slash at its end').meta({
    example: "'/acme'",
  }),
  settings: settings.meta({ example: "{ API_VERSION: z.string().default('1') }" }),
  headers: call.meta({ example: "() => ({ accept: 'application/json', 'user-agent': 'larder' })" }),
  forwards: list(FIELD, 'must be a list of header field names').meta({ example: "['X-Api-Version']" }),
  forwardsWithWrites: list(FIELD, 'must be a list of header field names').meta({ example: "['X-Otp']" }),
  credentials: credentials.meta({ example: "{ headers: ['private-token'], query: ['access_token'] }" }),
  rateLimit: z.looseObject({ read: call }, 'must be an adapter').meta({ example: 'ietfLimits()' }),
  maxConcurrency: whole(1, 'must be a whole number from 1 on').meta({ example: '64' }),
  pointsPerMinute: whole(0, 'must be a whole number').meta({ example: '900' }),
  settleSeconds: whole(0, 'must be a whole number').meta({ example: '10' }),
  sharesPrivate: z.boolean('must be true or false').meta({ example: 'true' }),
  staleDespiteMustRevalidate: z.boolean('must be true or false').meta({ example: 'true' }),
  foldsCase: z.boolean('must be true or false').meta({ example: 'true' }),
  tagPrefix: text(/^(?:[a-z0-9-]+:)*$/, 'must be words with a colon behind each').meta({ example: "'acme:'" }),
  tags: call.meta({ example: '(path) => [`package:${path}`]' }),
  synonyms: call.meta({ example: "(tag) => (tag.startsWith('id:') ? ['by-name'] : [])" }),
  writes: z.record(z.string(), call, calls).meta({ example: '{ tags: (path) => [`package:${path}`] }' }),
  rules: rules.meta({ example: "[{ path: '/:package', ttl: 300 }]" }),
  neverStored: z.array(z.int(), 'must be a list of statuses').meta({ example: '[202]' }),
  webhook: webhook.meta({
    example: "{ verifier: hmacSignature({ header: 'X-Signature' }), event: 'X-Event', effect: () => ({ tags: [] }) }",
  }),
  linkedAs: call.meta({ example: '(path, asked) => path' }),
  aliases: call.meta({ example: "(routePrefix) => ({ '/graphql': '/graphql' })" }),
  urlMembers: z.instanceof(RegExp, { error: 'must be a regular expression' }).meta({ example: '/^url$/' }),
  expected: call.meta({ example: "(path) => path === '/meta' ? { members: { version: '1' } } : undefined" }),
  beside: call.meta({ example: "(baseUrl) => ({ '/graphql': '/api/graphql' })" }),
  limits: z.partialRecord(z.enum(LIMITS), z.number(), LIMITS_PROBLEM).meta({ example: '{ timeoutMs: 5_000 }' }),
  problems: problems.meta({
    example: "{ 'package-not-found': { status: 404, title: 'Package not found', mayRetry: false } }",
  }),
  clientProblem: call.meta({ example: '({ detail }) => ({ members: { message: detail } })' }),
  probe: z
    .strictObject({
      path: text(/^\//, 'must be a path'),
      scopesField: text(FIELD, 'must be a header field name').optional(),
    })
    .meta({ example: "{ path: '/user', scopesField: 'x-oauth-scopes' }" }),
  openApi: openApi.meta({ example: "{ paths: [{ path: '/items/{id}', summary: 'An item', names: { id: '7' } }] }" }),
} satisfies Record<Exclude<keyof UpstreamDefinition, 'name' | 'baseUrl'>, z.ZodType>;

const NOT_A_NAME = 'must be a word of lower-case letters, digits and hyphens';
const NOT_A_URL = 'must be an http:// or https:// URL without query, fragment or credentials';

/** Each member, with an example of it. */
export const members: Readonly<Record<keyof UpstreamDefinition, z.ZodType>> = {
  name: text(/^[a-z][a-z0-9-]{0,31}$/, NOT_A_NAME).meta({ example: "'acme'" }),
  baseUrl: text(/^https?:\/\/[^\s?#@]+$/, NOT_A_URL)
    .or(z.undefined())
    .meta({ example: "'https://api.acme.example'" }),
  ...optional,
};
