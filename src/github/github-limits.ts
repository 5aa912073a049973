import { z } from 'zod';
import { parseHttpDate } from '../cache';
import { retryAfterMs, type LimitDialect, type LimitedAnswer, type LimitReading } from '../upstream';
import { resourceOf, shapeOf } from './github-resources';

/*
 * How GitHub speaks of its rate limits (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */

const LEAST_MS = 1_000;
const LONGEST_MS = 3_600_000;
/** "Otherwise, wait for at least one minute before retrying." */
const UNTOLD_MS = 60_000;

const FREE_OF_CHANGE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

type Field = (name: string) => string | undefined;

export const githubLimits: LimitDialect = {
  resourceOf,
  shapeOf,
  // "900 points per minute", of which writes take 5; GraphQL has more, and costs by what it asks for.
  pointsOf: (method, resource) => (resource === 'graphql' ? 0 : FREE_OF_CHANGE.has(method) ? 1 : 5),
  isToldByBody: ({ status, field }) =>
    status === 403 && refusalOf('', { status, field }, 0) === undefined && /\bjson\b/.test(field('content-type') ?? ''),
  read: (assumed, answer, now) => {
    const resource = answer.field('x-ratelimit-resource') ?? assumed;
    return { resource, limit: limitOf(answer.field, now), refusal: refusalOf(resource, answer, now) };
  },
  fieldsOf: (resource, limit, resetAt) => ({
    ...(limit === undefined ? {} : { 'x-ratelimit-limit': String(limit) }),
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(Math.ceil(resetAt / 1_000)),
    'x-ratelimit-resource': resource,
  }),
};

/**
 * How long to keep from asking after an answer that says so: `retry-after` or until the reset of a spent limit, the later of both, else
 * a minute.
 *
 * @returns undefined where the answer is about something else; a 403 may also be a refusal of access
 */
function refusalOf(resource: string, { status, field, text }: LimitedAnswer, now: number): LimitReading['refusal'] {
  if (status !== 403 && status !== 429) return undefined;
  const isSpent = field('x-ratelimit-remaining') === '0';
  const retryAfter = field('retry-after');
  const askedMs = retryAfterMs(retryAfter, now, field('date'));
  const resetAt = isSpent ? resetOf(field, now) : undefined;
  const waits = [askedMs, resetAt === undefined ? undefined : resetAt - now].filter((ms) => ms !== undefined);
  const scope = isSpent ? resource : undefined;
  if (waits.length > 0) return { waitMs: clamp(Math.max(...waits)), resource: scope, isTold: true };
  const isRefusal = isSpent || status === 429 || retryAfter !== undefined || saysSo(text);
  return isRefusal ? { waitMs: UNTOLD_MS, resource: scope, isTold: false } : undefined;
}

const problem = z.object({ message: z.string(), documentation_url: z.string().catch('') });

/** A secondary limit may be a 403 whose body alone says so. */
function saysSo(text: string | undefined): boolean {
  if (text === undefined || text === '') return false;
  try {
    const { message, documentation_url: url } = problem.parse(JSON.parse(text));
    return /secondary rate limit|abuse detection/i.test(message) || /secondary-rate-limits|abuse-rate-limits/.test(url);
  } catch {
    return false; // something else than GitHub's errors are
  }
}

function limitOf(field: Field, now: number): LimitReading['limit'] {
  const limit = wholeOf(field('x-ratelimit-limit'));
  const remaining = wholeOf(field('x-ratelimit-remaining'));
  const resetAt = resetOf(field, now);
  if (limit === undefined || remaining === undefined || resetAt === undefined) return undefined;
  return { limit, remaining, resetAt: Math.min(resetAt, now + LONGEST_MS + LEAST_MS) };
}

/** The reset by this machine's clock: GitHub's own, `Date`, may be another. */
function resetOf(field: Field, now: number): number | undefined {
  const seconds = wholeOf(field('x-ratelimit-reset'));
  if (seconds === undefined || seconds === 0) return undefined;
  const date = parseHttpDate(field('date')?.trim() ?? '', now);
  return seconds * 1_000 + (date === undefined ? 0 : now - date);
}

function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function clamp(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(LEAST_MS, ms));
}
