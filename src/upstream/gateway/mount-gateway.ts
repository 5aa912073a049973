import { Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import type { HttpCache, SettlingTags } from '../../cache';
import type { HeadContext } from '../../cache/fast-path';
import type { Cors } from '../../server/cors';
import { edgeFieldsFor, RELAYED, type Preflight } from '../../server/edge-hooks';
import { kindOfProblem, problemOf, type ClientProblem } from '../../kernel/problem-table';
import { ProblemFilter } from '../../server/problem.filter';
import type { AppError } from '../../kernel/app-error';
import { LimitOverviews } from '../budget/limit-overviews';
import type { RateBudget } from '../budget/rate-budget';
import { RateLimitError } from '../budget/rate-limit.error';
import { settingName } from '../upstream-settings';
import type { UpstreamApi } from '../upstream-api';
import type { UpstreamDefinition, UpstreamSettings } from '../upstream-definition';
import type { UpstreamParts } from '../upstream-parts';
import { FreshnessAdvice } from './freshness-advice';
import type { CachedRequests } from './cached-requests';
import type { Callers } from './callers';
import { Gateway, type GatewayOptions } from './gateway';
import { GatewayFastWay } from './gateway-fast-way';
import type { GatewayOrigins } from './gateway-origins';
import type { HeaderRules } from './header-rules';
import type { GatewayResponses } from './gateway-responses';

/** An upstream, as far as its gateway needs it. */
export interface GatewayHost {
  readonly definition: UpstreamDefinition;
  /** The name in sentences. */
  readonly title: string;
  readonly settings: UpstreamSettings;
  readonly parts: UpstreamParts;
  readonly api: UpstreamApi;
  readonly callers: Callers;
  readonly headerRules: HeaderRules;
  readonly cors: Cors;
  readonly budget: RateBudget;
  readonly httpCache: HttpCache;
  readonly responses: GatewayResponses;
  readonly requests: CachedRequests;
  readonly origins: GatewayOrigins;
  readonly settling: Pick<SettlingTags, 'begin'>;
  /** A tag of the definition as it is stored. */
  readonly tagOf: (tag: string) => string;
}

/** Mounts an upstream's gateway at its prefix, and on the fast path. */
export function mountGateway(upstream: GatewayHost, adapter: HttpAdapterHost['httpAdapter']): void {
  const { definition, settings, parts, api, callers, headerRules, cors, responses, requests, origins } = upstream;
  const { events, clock, cache } = parts;
  const { isStrict, routePrefix: prefix } = settings;
  const { partitions, queryCredentials } = callers;
  const { overview } = upstream.budget;
  const problems = ProblemFilter.of(adapter);
  const fastify = adapter.getInstance<FastifyInstance>();
  const logger = new Logger(upstream.title);
  const { server } = fastify;
  const headOf = (origin: string | undefined): HeadContext => ({
    edge: Object.entries(edgeFieldsFor(cors, origin)).flat(),
    server,
    ...(!isStrict && { limits: upstream.budget }),
  });
  const head = headOf(undefined);
  const isTaken = (url: string): boolean =>
    parts.prefixes().some((other) => other !== prefix && overlaps(other, url.replace(/\/\*$/, ''))) ||
    fastify.hasRoute({ method: 'GET', url });
  const aliases = new Map(
    Object.entries(definition.aliases?.(prefix, settings) ?? {}).filter(([url]) => {
      if (isTaken(url)) logger.warn(`${url} is not served: something else is there.`);
      return !isTaken(url);
    }),
  );
  const fastWay = new GatewayFastWay(
    { api, prefixes: [prefix, ...subtreesOf(aliases)], partitions, headerRules, head, isByOrigin: cors.isByOrigin },
    responses,
    parts.fastPath,
  );
  const clientProblem = (error: AppError, accept = ''): ClientProblem | undefined =>
    isStrict ? undefined : clientProblemOf(definition, error, accept);
  new Gateway(
    {
      ...{ api, prefix, partitions, queryCredentials, headerRules, anonymousPartition: callers.anonymous.id },
      aliases,
      ...(isStrict ? NO_EFFECTS : effectsOf(upstream)),
      purgesAfterFailedWrites: !isStrict,
      budget: isStrict ? undefined : upstream.budget,
      headFor: cors.isByOrigin ? headOf : () => head,
      statusOfProblem: (error) => clientProblem(error)?.status ?? kindOfProblem(error.code).status,
      routeConfig: { preflight: preflightOf(upstream), cors },
    },
    {
      ...{ httpCache: upstream.httpCache, cache, requests, origins, responses, fastWay, events, clock },
      settling: isStrict ? undefined : upstream.settling,
      overviews: overview && !isStrict ? new LimitOverviews(overview, upstream.budget, clock) : undefined,
      freshness: new FreshnessAdvice(
        { title: upstream.title, rulesFile: settingName(definition, 'RULES_FILE') },
        (message) => logger.warn(message),
      ),
      onUnreadable: ({ message }) => logger.warn(`${message} Removed, counts as a miss.`),
      onError: (error, request, reply) =>
        problems.send(error, request, reply, (problem) => clientProblem(problem, request.headers.accept)),
    },
  ).mount(fastify);
}

function overlaps(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}

/** Aliases of whole subtrees, without the asterisk. */
function subtreesOf(aliases: ReadonlyMap<string, string>): string[] {
  return [...aliases.keys()].filter((url) => url.endsWith('/*')).map((url) => url.slice(0, -1));
}

function clientProblemOf(definition: UpstreamDefinition, error: AppError, accept: string): ClientProblem | undefined {
  const limit = error instanceof RateLimitError ? error.kind : undefined;
  return definition.clientProblem?.({ ...problemOf(error.code, error.message), limit, accept });
}

type Effects = Pick<GatewayOptions, 'tagsOfWrite' | 'answerTagsOf' | 'tokensEnded' | 'changesCaller'>;

/** RFC 9111 §4.4 alone: the path of the write, and the paths in `Location` and `Content-Location`. */
const NO_EFFECTS: Effects = {
  tagsOfWrite: () => [],
  answerTagsOf: () => undefined,
  tokensEnded: () => [],
  changesCaller: () => false,
};

function effectsOf({ definition: { writes = {} }, tagOf }: GatewayHost): Effects {
  return {
    tagsOfWrite: (...write) => (writes.tags?.(...write) ?? []).map(tagOf),
    answerTagsOf: (...write) => {
      const tagsOf = writes.answerTags?.(...write);
      return tagsOf && ((answer) => tagsOf(answer)?.map(tagOf));
    },
    tokensEnded: (...write) => writes.tokensEnded?.(...write) ?? [],
    changesCaller: (...write) => writes.changesCaller?.(...write) ?? false,
  };
}

/** In the strict profile the origin's own: the RFCs know no CORS. */
function preflightOf({ settings, definition }: GatewayHost): Preflight | 'passed' {
  if (settings.isStrict) return 'passed';
  const { forwards = [], credentials = {} } = definition;
  const fields = [...RELAYED.fields, ...forwards, ...(credentials.headers ?? []), ...settings.forwardHeaders];
  return { ...RELAYED, fields };
}
