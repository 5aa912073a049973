import type { HeaderList } from '../model/cache-entry';
import { matchesIfNoneMatch } from './representation';
import { valueOf } from './fields';
import { parseHttpDate } from './http-date';

/** Fields that make a request conditional (RFC 9110 §13.1). */
export const CONDITIONS = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
] as const;

/**
 * The cache's own fields: directives (RFC 9111 §5.2.1), conditions, ranges (RFC 9110 §14.2). They do not decide which stored response a
 * request selects, but whether it may be used, and which part of it is sent.
 */
export const CARRIED_OUT_HERE: ReadonlySet<string> = new Set(['cache-control', 'pragma', 'range', ...CONDITIONS]);

/**
 * Whether the client has the stored response already, so that a 304 suffices (RFC 9111 §4.3.2): by `If-None-Match` if present, else by
 * `If-Modified-Since`.
 *
 * @param stored the stored response's fields
 */
export function isNotModified(request: HeaderList, stored: HeaderList, receivedAt: number): boolean {
  const tags = valueOf(request, 'if-none-match');
  if (tags !== undefined) {
    const etag = valueOf(stored, 'etag');
    return etag === undefined ? tags.trim() === '*' : matchesIfNoneMatch(tags, etag);
  }
  const since = valueOf(request, 'if-modified-since');
  if (since === undefined) return false;
  const sinceMs = parseHttpDate(since.trim(), receivedAt);
  if (sinceMs === undefined) return false; // RFC 9110 §13.1.3: ignored
  const modified = valueOf(stored, 'last-modified') ?? valueOf(stored, 'date');
  const modifiedMs = modified === undefined ? receivedAt : parseHttpDate(modified.trim(), receivedAt);
  return modifiedMs !== undefined && modifiedMs <= sinceMs;
}

/** Whether `If-Range` permits a range (RFC 9110 §13.1.5): an equal strong tag, or an equal date. */
export function rangeMayApply(request: HeaderList, stored: HeaderList): boolean {
  const condition = valueOf(request, 'if-range')?.trim();
  if (condition === undefined) return true;
  if (condition.startsWith('"')) return condition === valueOf(stored, 'etag')?.trim();
  if (condition.startsWith('W/')) return false;
  const modified = valueOf(stored, 'last-modified')?.trim();
  return modified !== undefined && condition === modified && isStrongDate(modified, valueOf(stored, 'date'));
}

// RFC 9110 §8.8.2.2: strong if it is at least a second before the response's own date
function isStrongDate(modified: string, date: string | undefined): boolean {
  const modifiedMs = parseHttpDate(modified, 0);
  const dateMs = date === undefined ? undefined : parseHttpDate(date.trim(), 0);
  return modifiedMs !== undefined && dateMs !== undefined && modifiedMs <= dateMs - 1_000;
}
