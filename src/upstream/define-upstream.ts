import { EnvironmentError } from '../config/env.schema';
import { registerProblems } from '../http/problem-table';
import { KIT_SETTINGS } from './upstream-settings';
import { parseGatewayRules } from './gateway/gateway-rules';
import type { SettingsShape, UpstreamDefinition } from './upstream-definition';

/** A definition that cannot be mounted: one sentence that names the member, what is wrong, and an example. */
export class DefinitionError extends EnvironmentError {
  constructor(upstream: string, member: string, problem: string, example: string) {
    super(
      `The definition of the upstream "${upstream}" is wrong: ${member} ${problem}. Example: ${member}: ${example}`,
    );
    this.name = 'DefinitionError';
  }
}

/**
 * Checks a definition and registers its error codes.
 *
 * @throws DefinitionError
 */
export function defineUpstream<const S extends SettingsShape>(
  definition: UpstreamDefinition<S>,
): UpstreamDefinition<S> {
  const members = Object.entries(definition);
  for (const [member, value] of members) {
    const check = Object.hasOwn(CHECKS, member) ? CHECKS[member as keyof UpstreamDefinition] : UNKNOWN_MEMBER;
    const problem = value === undefined ? undefined : check.problemOf(value);
    if (problem !== undefined) throw new DefinitionError(definition.name, member, problem, check.example);
  }
  for (const member of ['name', 'baseUrl'] as const)
    if (!Object.hasOwn(definition, member))
      throw new DefinitionError(definition.name, member, 'is missing', CHECKS[member].example);
  registerProblems(definition.problems ?? {});
  return definition;
}

interface Check {
  /** What is wrong, as the end of a sentence; undefined for nothing. */
  readonly problemOf: (value: unknown) => string | undefined;
  readonly example: string;
}

const UNKNOWN_MEMBER: Check = {
  problemOf: () => 'is no member of a definition; docs/guides/add-an-upstream.md lists them',
  example: 'undefined',
};
const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/;
const SETTING = /^[A-Z][A-Z0-9_]*$/;
const FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const unless = (isRight: boolean, problem: string): string | undefined => (isRight ? undefined : problem);
const aFunction = (example: string): Check => ({
  problemOf: (value) => unless(typeof value === 'function', 'must be a function'),
  example,
});
const aNumber = (example: string): Check => ({
  problemOf: (value) => unless(Number.isSafeInteger(value) && Number(value) >= 0, 'must be a whole number'),
  example,
});
const listOf = (pattern: RegExp, what: string, example: string): Check => ({
  problemOf: (value) =>
    unless(Array.isArray(value) && value.every((one) => isText(one) && pattern.test(one)), `must be a list of ${what}`),
  example,
});

/** Each member. A function of the compiler's would check no definition that is written in JavaScript. */
const CHECKS: Readonly<Record<keyof UpstreamDefinition, Check>> = {
  name: {
    problemOf: (value) =>
      unless(isText(value) && NAME.test(value), 'must be a word of lower-case letters, digits and hyphens'),
    example: "'npm'",
  },
  title: { problemOf: (value) => unless(isText(value), 'must be a text'), example: "'npm registry'" },
  baseUrl: {
    problemOf: (value) =>
      unless(
        isText(value) && URL.canParse(value) && /^https?:\/\/[^?#@]+$/.test(value),
        'must be an http:// or https:// URL without query, fragment or credentials',
      ),
    example: "'https://registry.npmjs.org'",
  },
  routePrefix: {
    problemOf: (value) => unless(isText(value) && PATH.test(value), 'must be a path without a slash at its end'),
    example: "'/npm'",
  },
  routes: listOf(/^[A-Za-z0-9._~-]+$/, 'path segments', "['repos']"),
  settings: {
    problemOf: (value) => {
      if (!isObject(value)) return 'must be an object of zod schemas';
      const names = Object.keys(value);
      const taken = names.find((name) => KIT_SETTINGS.includes(name));
      if (taken !== undefined) return `has "${taken}", which every upstream has already`;
      const wrong = names.find((name) => !SETTING.test(name));
      if (wrong !== undefined) return `has "${wrong}", which is no name in capital letters`;
      const [odd] =
        Object.entries(value).find(([, one]) => !isObject(one) || typeof one['safeParse'] !== 'function') ?? [];
      return odd === undefined ? undefined : `has "${odd}", which is no zod schema`;
    },
    example: "{ API_VERSION: z.string().default('2022-11-28') }",
  },
  headers: aFunction("() => ({ accept: 'application/json', 'user-agent': 'larder' })"),
  forwards: listOf(FIELD, 'header field names', "['X-Api-Version']"),
  credentials: {
    problemOf: (value) => {
      if (!isObject(value)) return 'must be an object';
      const { headers = [], query = [], canonical, send } = value;
      if (!Array.isArray(headers) || !headers.every((one) => isText(one) && FIELD.test(one)))
        return 'must have a list of header field names as its headers';
      if (!Array.isArray(query) || !query.every((one) => isText(one) && /^[\w.-]+$/.test(one)))
        return 'must have a list of parameter names as its query';
      const isFunction = [canonical, send].every((one) => one === undefined || typeof one === 'function');
      return unless(isFunction, 'must have functions as its canonical and send');
    },
    example: "{ headers: ['private-token'], query: ['access_token'] }",
  },
  rateLimit: {
    problemOf: (value) => unless(isObject(value) && typeof value['read'] === 'function', 'must be an adapter'),
    example: 'ietfLimits()',
  },
  maxConcurrency: {
    problemOf: (value) => unless(Number.isSafeInteger(value) && Number(value) >= 1, 'must be a whole number from 1 on'),
    example: '64',
  },
  pointsPerMinute: aNumber('900'),
  settleSeconds: aNumber('10'),
  foldsCase: { problemOf: (value) => unless(typeof value === 'boolean', 'must be true or false'), example: 'true' },
  tagPrefix: {
    problemOf: (value) =>
      unless(typeof value === 'string' && /^[a-z0-9:-]*$/.test(value), 'must be a word and a colon'),
    example: "'npm:'",
  },
  tags: aFunction("(path) => [`package:${path.split('/')[1]}`]"),
  writes: {
    problemOf: (value) =>
      unless(isObject(value) && Object.values(value).every((one) => typeof one === 'function'), 'must have functions'),
    example: "{ tags: (path) => [`package:${path.split('/')[1]}`] }",
  },
  rules: {
    problemOf: (value) => {
      try {
        parseGatewayRules(JSON.stringify(value));
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
    example: "[{ path: '/:package', ttl: 300 }]",
  },
  neverStored: {
    problemOf: (value) =>
      unless(Array.isArray(value) && value.every((one) => Number.isSafeInteger(one)), 'must be a list of statuses'),
    example: '[202]',
  },
  webhook: {
    problemOf: (value) => {
      if (!isObject(value)) return 'must be an object';
      const { verifier, event, effect } = value;
      if (!isObject(verifier) || typeof verifier['begin'] !== 'function') return 'must have a verifier';
      if (!isText(event) && typeof event !== 'function') return 'must have an event: a header field or a function';
      return unless(typeof effect === 'function', 'must have an effect: a function of event and payload');
    },
    example:
      "{ verifier: hmacSignature({ header: 'X-Signature' }), event: 'X-Event', effect: (event, payload) => ({ tags: ['package:x'] }) }",
  },
  linkedAs: aFunction('(path, asked) => path'),
  aliases: aFunction("(routePrefix) => ({ '/graphql': '/graphql' })"),
  beside: aFunction("(baseUrl) => ({ '/graphql': '/api/graphql' })"),
  limits: { problemOf: (value) => unless(isObject(value), 'must be an object'), example: '{ timeoutMs: 5_000 }' },
  problems: {
    problemOf: (value) => {
      if (!isObject(value)) return 'must be an object of error codes';
      const [wrong] =
        Object.entries(value).find(
          ([code, kind]) =>
            !/^[a-z]+(?:-[a-z]+)+$/.test(code) ||
            !isObject(kind) ||
            !Number.isSafeInteger(kind['status']) ||
            !isText(kind['title']),
        ) ?? [];
      return wrong === undefined ? undefined : `has "${wrong}", which needs words with hyphens, a status and a title`;
    },
    example: "{ 'package-not-found': { status: 404, title: 'Package not found', mayRetry: false } }",
  },
  openApi: { problemOf: (value) => unless(isObject(value), 'must be an object'), example: '{ paths: [] }' },
};
