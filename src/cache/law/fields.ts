import type { HeaderList } from '../model/cache-entry';
import { splitList } from './directives';

/** Functions over a list of header fields; names in lower case. */

export function valuesOf(headers: HeaderList, name: string): string[] {
  const values: string[] = [];
  for (const [field, value] of headers) if (field === name) values.push(value);
  return values;
}

/** The value of all lines together (RFC 9110 §5.3), or undefined without any. */
export function valueOf(headers: HeaderList, name: string): string | undefined {
  const values = valuesOf(headers, name);
  return values.length === 0 ? undefined : values.join(', ');
}

/** The members of a list field, in lower case, each once. */
export function namesIn(headers: HeaderList, name: string): readonly string[] {
  return [...new Set(valuesOf(headers, name).flatMap((value) => splitList(value.toLowerCase())))];
}

/** Fields of one connection (RFC 9110 §7.6.1): never forwarded, never stored. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that `Connection` may not remove: the message would change its meaning. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'etag',
  'expires',
  'host',
  'vary',
]);

/** The end-to-end fields: without the fields of the connection and the fields that `Connection` names. */
export function endToEnd(headers: HeaderList): HeaderList {
  const nominated = new Set(namesIn(headers, 'connection'));
  return headers.filter(([name]) => !HOP_BY_HOP.has(name) && !(nominated.has(name) && !NEVER_NOMINATED.has(name)));
}

/** node's flat list as pairs, names in lower case. */
export function toHeaderList(raw: readonly string[]): HeaderList {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) headers.push([(raw[at] ?? '').toLowerCase(), raw[at + 1] ?? '']);
  return headers;
}
