import type { HeaderList } from '../../cache';

const WITH_URLS: ReadonlySet<string> = new Set(['link', 'location', 'content-location']);

/** Turns the upstream's own URLs in header fields into the gateway's, so that who follows them stays inside. Bodies stay. */
export function rewriteUrls(headers: HeaderList, upstreamBase: string, gatewayBase: string): HeaderList {
  return headers.map(([name, value]) =>
    WITH_URLS.has(name) ? [name, value.split(upstreamBase).join(gatewayBase)] : [name, value],
  );
}
