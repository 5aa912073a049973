import type { RawRequestDefaultExpression } from 'fastify';

/** A target in absolute form: the authority, then path and query. */
const ABSOLUTE = /^https?:\/\/([^/?#\\]+)([/?].*)?$/i;
const SLASH = 47;
export const NO_TARGET = 'The request target is neither a path nor an http or https URL.';

/** Whether the target is a path. `*` (of OPTIONS) is neither a path nor absolute. */
export function isOriginForm(url: string): boolean {
  return url.charCodeAt(0) === SLASH;
}

/**
 * Gives a request whose target is in absolute form the path and the `Host` that it means, so that everything behind sees one form: routes,
 * keys and the fast path. RFC 9112 §3.2.2: "a server MUST accept the absolute-form in requests", and "MUST ignore the received Host header
 * field (if any) and instead use the host information of the request-target".
 *
 * The host is a name for this service, as that of a `Host` field is, and nothing is ever sent to it. A target of any other form is left unchanged.
 */
export function toOriginForm(request: RawRequestDefaultExpression): void {
  const [, host, rest = ''] = ABSOLUTE.exec(request.url ?? '') ?? [];
  if (host === undefined) return;
  // RFC 9112 §3.2.4: OPTIONS for a host without a path means the server as a whole
  const isForServer = rest === '' && request.method === 'OPTIONS';
  request.url = isForServer ? '*' : rest.startsWith('/') ? rest : `/${rest}`;
  const { rawHeaders } = request;
  let isNamed = false;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'host') continue;
    rawHeaders[at + 1] = host;
    isNamed = true;
  }
  if (!isNamed) rawHeaders.push('Host', host); // HTTP/1.0
  request.headers.host = host;
}
