import type { HeaderList } from '../../cache';

const WITH_URLS: ReadonlySet<string> = new Set(['link', 'location', 'content-location']);

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
