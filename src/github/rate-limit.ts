import { retryAfterMs } from '../upstream';

const LEAST_MS = 1_000;
const LONGEST_MS = 3_600_000;
const UNTOLD_MS = 60_000;

/**
 * How long to keep from asking after an answer that says the rate limit is spent, in milliseconds: `retry-after`, else the
 * reset, else a minute (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 *
 * @returns undefined where the answer is about something else; a 403 may also be a refusal
 */
export function rateLimitWaitMs(
  status: number,
  headers: Readonly<Record<string, string>>,
  now: number,
): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const asked = retryAfterMs(headers['retry-after'], now);
  if (asked !== undefined) return clamp(asked);
  if (headers['x-ratelimit-remaining'] === '0') {
    const resetAt = Number(headers['x-ratelimit-reset']) * 1_000;
    return clamp(Number.isFinite(resetAt) && resetAt > 0 ? resetAt - now : UNTOLD_MS);
  }
  return status === 429 ? UNTOLD_MS : undefined;
}

function clamp(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(LEAST_MS, ms));
}
