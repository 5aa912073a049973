import { z } from 'zod';
import { bodyLimits } from '../upstream';

/*
 * Stack Exchange's rate limits (https://api.stackexchange.com/docs/throttle), which the body of each answer has: a quota of a day, and a `backoff` in
 * seconds for the method that was asked. Errors are a 400 with a body of their own (https://api.stackexchange.com/docs/error-handling).
 */

const DAY_MS = 86_400_000;
const THROTTLE_VIOLATION = 502;
const FAULTS: ReadonlySet<unknown> = new Set([500, 503]); // internal_error, temporarily_unavailable

const count = z.int().nonnegative().optional().catch(undefined);
const text = z.string().optional().catch(undefined);
const wrapper = z
  .object({ quota_max: count, quota_remaining: count, backoff: count, error_id: count, error_message: text })
  .catch({});

const shapeOf = (path: string): string => path.split('/', 2).join('/');

export const stackExchangeLimits = bodyLimits({
  shapeOf,
  // Both from the first request on: another replica may have seen the backoff.
  resourceOf: (path) => ['quota', `backoff ${shapeOf(path)}`],
  read: (json, { status, shape = '/' }, now) => {
    const { quota_max: limit, quota_remaining: remaining, backoff = 0, ...error } = wrapper.parse(json);
    const resetAt = Math.ceil((now + 1) / DAY_MS) * DAY_MS; // midnight, UTC
    const quota = limit === undefined || remaining === undefined ? undefined : { limit, remaining, resetAt };
    const pauseMs = Math.min(backoff * 1_000, DAY_MS);
    const pause = pauseMs === 0 ? undefined : { limit: 1, remaining: 0, resetAt: now + pauseMs };
    const refusal = status === 400 ? refusalOf(error, `backoff ${shape}`) : undefined;
    return [
      { resource: 'quota', limit: quota, refusal: undefined },
      { resource: `backoff ${shape}`, limit: pause, refusal },
    ];
  },
});

/** A violated limit ("more requests available in 82216 seconds"), or a fault of the API, which is no answer either. */
function refusalOf({ error_id: error, error_message: message = '' }: z.infer<typeof wrapper>, resource: string) {
  if (FAULTS.has(error)) return { waitMs: 5_000, resource, hasDuration: false };
  if (error !== THROTTLE_VIOLATION) return undefined;
  const [, seconds] = /available in (\d{1,6}) seconds/.exec(message) ?? [];
  return { waitMs: Number(seconds ?? 60) * 1_000, resource: undefined, hasDuration: seconds !== undefined };
}
