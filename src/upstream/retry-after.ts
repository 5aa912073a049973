const LONGEST_MS = 86_400_000;

/**
 * The wait that a `Retry-After` field asks for, in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3), at most a day.
 *
 * @returns undefined for none, and for what is neither
 */
export function retryAfterMs(field: unknown, now: number): number | undefined {
  if (typeof field !== 'string' || field.trim() === '') return undefined;
  const value = field.trim();
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_MS, Math.max(0, ms));
}
