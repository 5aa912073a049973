import { z } from 'zod';
import { parsedJson } from '../kernel/json';
import { fieldLimits, type ResourceLimit } from '../upstream';
import { resourceOf, shapeOf } from './github-resources';

/*
 * GitHub's rate limits (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */

const HOUR_MS = 3_600_000;
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export const githubLimits = fieldLimits({
  fields: {
    limit: 'x-ratelimit-limit',
    remaining: 'x-ratelimit-remaining',
    reset: 'x-ratelimit-reset',
    resource: 'x-ratelimit-resource',
    used: 'x-ratelimit-used',
  },
  refusals: [403, 429],
  maxWaitMs: HOUR_MS,
  saysRefusal,
  resourceOf,
  shapeOf,
  // "900 points per minute", of which writes take 5; GraphQL has more, and costs by what it asks for.
  pointsOf: (method, resource) => (resource === 'graphql' ? 0 : READS.has(method) ? 1 : 5),
  isNotModifiedFree: true,
  showsResetAs: 'epoch-seconds',
  overview: {
    path: '/rate_limit',
    mainLimit: 'core',
    read: (json) => {
      const { data } = overview.safeParse(json);
      if (!data) return undefined;
      const limits = Object.entries(data.resources).map(
        ([name, { limit, remaining, reset }]) => [name, { limit, remaining, resetAt: reset * 1_000 }] as const,
      );
      return new Map(limits);
    },
    write: (json, limits) => {
      const { resources, rate, ...others } = json as z.infer<typeof overview>; // in its own order of members
      const shown = Object.entries(resources).map(([name, one]) => [name, { ...one, ...numbersOf(limits.get(name)) }]);
      return {
        resources: Object.fromEntries(shown) as unknown,
        ...others,
        ...(rate && { rate: { ...rate, ...numbersOf(limits.get('core')) } }),
      };
    },
  },
});

const members = z.looseObject({ limit: z.number(), remaining: z.number(), reset: z.number() });
/** https://docs.github.com/en/rest/rate-limit/rate-limit */
const overview = z.looseObject({ resources: z.record(z.string(), members), rate: members.optional() });

function numbersOf(limit: ResourceLimit | undefined) {
  if (!limit) return {};
  const { limit: total, remaining, resetAt } = limit;
  return { limit: total, used: Math.max(0, total - remaining), remaining, reset: Math.ceil(resetAt / 1_000) };
}

const problem = z.object({ message: z.string(), documentation_url: z.string().catch('') });

/** A secondary limit may be a 403 whose body alone says so. */
function saysRefusal(text: string): boolean {
  const { data } = problem.safeParse(parsedJson(text));
  if (!data) return false; // something else than GitHub's errors are
  const { message, documentation_url: url } = data;
  return /secondary rate limit|abuse detection/i.test(message) || /secondary-rate-limits|abuse-rate-limits/.test(url);
}
