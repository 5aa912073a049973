import type { HeaderList } from '../model/cache-entry';

/** Fields of a 304 that do not replace stored ones: they describe the stored bytes (RFC 9111 §3.2). */
const KEPT_AS_STORED: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'etag',
]);

/** The stored fields, replaced by the fields of a validating response. */
export function updatedHeaders(stored: HeaderList, validating: HeaderList): HeaderList {
  const newer = validating.filter(([name]) => !KEPT_AS_STORED.has(name));
  const replaced = new Set(newer.map(([name]) => name));
  return [...stored.filter(([name]) => !replaced.has(name)), ...newer];
}

/** The methods whose success invalidates the stored responses of a URL: all unsafe ones (RFC 9111 §4.4). */
export function isUnsafe(method: string): boolean {
  return !SAFE.has(method);
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY']);
