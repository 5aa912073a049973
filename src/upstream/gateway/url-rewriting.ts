import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { HeaderList } from '../../cache';

const WITH_URLS: ReadonlySet<string> = new Set(['link', 'location', 'content-location']);

/** The gateway as the request names it, or as the operator does; without a slash at its end. */
export function gatewayBaseOf(request: IncomingMessage, publicUrl: string | undefined, prefix: string): string {
  const scheme = (request.socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http';
  return `${publicUrl ?? `${scheme}://${request.headers.host ?? ''}`}${prefix}`;
}

/** Whether there are fields that may have URLs of the upstream in them. */
export function haveUrls(headers: HeaderList): boolean {
  return headers.some(([name]) => WITH_URLS.has(name));
}

/**
 * Turns the upstream's own URLs in header fields into the gateway's, so that who follows them stays inside. Bodies stay.
 *
 * @param linkedAs what to call a path in `Link`
 */
export function rewriteUrls(
  headers: HeaderList,
  upstreamBase: string,
  gatewayBase: string,
  linkedAs: (path: string) => string,
): HeaderList {
  return headers.map(([name, value]) => {
    if (!WITH_URLS.has(name)) return [name, value];
    const [before = '', ...urls] = value.split(upstreamBase);
    return [
      name,
      before + urls.map((rest) => gatewayBase + (name === 'link' ? renamed(rest, linkedAs) : rest)).join(''),
    ];
  });
}

/** With the path that the text begins with called otherwise. */
function renamed(text: string, linkedAs: (path: string) => string): string {
  const end = text.search(/[?#>]/);
  return end < 0 ? text : linkedAs(text.slice(0, end)) + text.slice(end);
}
