import { parseHttpDate } from '../cache/law';

const MAX_MS = 86_400_000;

/**
 * The wait of a `Retry-After` field, in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3), at most a day.
 *
 * @param date the `Date` of the same response, because a date is by the upstream's clock; undefined: by this machine's
 * @returns undefined without a valid one
 */
export function retryAfterMs(field: unknown, now: number, date?: unknown): number | undefined {
  if (typeof field !== 'string') return undefined;
  const value = field.trim();
  if (/^\d+$/.test(value)) return Math.min(MAX_MS, Number(value) * 1_000);
  const at = parseHttpDate(value, now);
  if (at === undefined) return undefined;
  const answeredAt = typeof date === 'string' ? parseHttpDate(date.trim(), now) : undefined;
  return Math.min(MAX_MS, Math.max(0, at - (answeredAt ?? now)));
}
