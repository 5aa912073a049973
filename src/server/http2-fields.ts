import type { OutgoingHttpHeaders } from 'node:http2';

/*
 * Header fields between HTTP/2 and HTTP/1.1 (RFC 9113 §8.2 and §8.3, RFC 9112 §9.6).
 */

/** Connection-specific fields: "An endpoint MUST NOT generate" them, and a message with one is malformed (RFC 9113 §8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  ...['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'http2-settings'],
]);

/** A request as `http.request` takes it. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
}

/**
 * The head of a request in HTTP/1.1.
 *
 * @param hasNoBody whether the stream ended with the head
 * @returns `malformed` for one that must be reset, `not-implemented` for CONNECT and methods that HTTP does not know
 */
export function headOf(
  rawHeaders: readonly string[],
  hasNoBody: boolean,
): RequestHead | 'malformed' | 'not-implemented' {
  const pseudo = new Map<string, string>();
  const cookies: string[] = [];
  const headers: string[] = [];
  let host: string | undefined;
  let hasLength = false;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (OF_CONNECTIONS.has(name) || (name === 'te' && value !== 'trailers')) return 'malformed';
    else if (name === 'host') {
      if (host !== undefined && host !== value) return 'malformed';
      host = value;
    } else if (name === 'cookie') cookies.push(value);
    else if (name !== 'te') {
      hasLength ||= name === 'content-length';
      headers.push(name, value);
    }
  }
  const [method, path, authority] = [':method', ':path', ':authority'].map((name) => pseudo.get(name));
  // "The method token is case-sensitive" (RFC 9110 §9.1), and node's client would write `get` as GET.
  if (method !== undefined && (method === 'CONNECT' || method !== method.toUpperCase())) return 'not-implemented';
  if (method === undefined || path === undefined || !/^(?:\/|\*$)/.test(path)) return 'malformed';
  // "SHOULD treat a request as malformed if it contains a Host header field that identifies an entity that differs" (§8.3.1)
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase())
    return 'malformed';
  // "MUST be concatenated into a single octet string using the two-octet delimiter" (§8.2.3)
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '));
  if (!hasNoBody && !hasLength) headers.push('transfer-encoding', 'chunked');
  return { method, path, headers: ['host', authority ?? host ?? '', 'connection', 'keep-alive', ...headers] };
}

/** The head of a response in HTTP/2: without connection-specific fields, several of one name as a list. */
export function framed(status: number, rawHeaders: readonly string[]): OutgoingHttpHeaders {
  const fields: Record<string, string | string[] | number> = { ':status': status };
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (OF_CONNECTIONS.has(name)) continue;
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [earlier, value].flat().map(String);
  }
  return fields;
}
