import { z } from 'zod';
import { fieldLimits } from '../upstream';
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
  isShown: true,
});

const problem = z.object({ message: z.string(), documentation_url: z.string().catch('') });

/** A secondary limit may be a 403 whose body alone says so. */
function saysRefusal(text: string): boolean {
  try {
    const { message, documentation_url: url } = problem.parse(JSON.parse(text));
    return /secondary rate limit|abuse detection/i.test(message) || /secondary-rate-limits|abuse-rate-limits/.test(url);
  } catch {
    return false; // something else than GitHub's errors are
  }
}
