import type { HeaderList } from '../../cache';

const WITH_URLS: ReadonlySet<string> = new Set(['link', 'location', 'content-location']);
/** The target of a link (RFC 8288 §3), or a quoted string, which is skipped. */
const LINK_TARGET = /"(?:[^"\\]|\\.)*(?:"|$)|<([^<>]*)>/g;
/** Scheme and authority of a reference that names its host (RFC 3986 §4.2). */
const HOST_OF_REFERENCE = /^(?:[a-z][a-z\d+.-]*:)?\/\/[^/?#\\]*/i;
/** Stands for the gateway's origin, where only the path counts. */
const ANY_ORIGIN = 'http://gateway.invalid';

export interface Rewriting {
  /** Where the upstream is, without a slash at its end. */
  readonly upstreamBase: string;
  /** Where the gateway is, without a slash at its end: a URL, or a path. */
  readonly gatewayBase: string;
  /** The path below both that was asked for: what relative references refer to (RFC 3986 §5.1.3). */
  readonly path: string;
  /** What to call a path in `Link`. */
  readonly linkedAs: (path: string) => string;
  /** Whether references without a host stay unchanged. */
  readonly keepsRelative: boolean;
}

/** Whether there are fields that may have URLs of the upstream in them. */
export function haveUrls(headers: HeaderList): boolean {
  return headers.some(([name]) => WITH_URLS.has(name));
}

/**
 * Turns the upstream's own URLs in header fields into the gateway's, so that who follows them stays inside. A URL of another
 * origin, or of the same beside the upstream's path, stays byte for byte; so do bodies.
 */
export function rewriteUrls(headers: HeaderList, rewriting: Rewriting): HeaderList {
  const rewrite = (reference: string, calledAs?: (linked: string) => string): string =>
    rewritten(reference, rewriting, calledAs);
  return headers.map(([name, value]) => {
    switch (name) {
      case 'link':
        return [
          name,
          value.replace(LINK_TARGET, (whole, target: string | undefined) =>
            target === undefined ? whole : `<${rewrite(target, rewriting.linkedAs)}>`,
          ),
        ];
      case 'content-location':
      case 'location':
        return [name, rewrite(value)];
      default:
        return [name, value];
    }
  });
}

/** A reference as the gateway's URL, if it is the upstream's; otherwise, and where it is correct already, the same reference. */
function rewritten(
  reference: string,
  { upstreamBase, gatewayBase, path, keepsRelative }: Rewriting,
  calledAs = (linked: string): string => linked,
): string {
  const asked = `${upstreamBase}${path}`;
  if (!URL.canParse(reference, asked) || (keepsRelative && !namesHost(reference))) return reference;
  const url = new URL(reference, asked);
  const { origin, pathname: root } = new URL(`${upstreamBase}/`);
  const isUpstreams = url.origin === origin && url.username === '' && url.password === '';
  if (!isUpstreams || !`${url.pathname}/`.startsWith(root)) return reference;
  const below = asWritten(reference, url).slice(root.length - 1);
  const [linked = ''] = below.split(/[?#]/, 1);
  const called = calledAs(linked);
  // The host is the client's own word.
  if (called === linked && !namesHost(reference) && URL.canParse(gatewayBase, ANY_ORIGIN)) {
    const { pathname: gatewayPath } = new URL(gatewayBase, ANY_ORIGIN);
    const { pathname: followed } = new URL(reference, `${ANY_ORIGIN}${gatewayPath}${path}`);
    if (followed === gatewayPath + url.pathname.slice(root.length - 1)) return reference;
  }
  return gatewayBase + called + below.slice(linked.length);
}

function namesHost(reference: string): boolean {
  return HOST_OF_REFERENCE.test(reference);
}

/** Path, query and fragment: as the reference has them, unless its path had to be resolved. */
function asWritten(reference: string, { pathname, search, hash }: URL): string {
  const text = reference.replace(HOST_OF_REFERENCE, '');
  const [path = ''] = text.split(/[?#]/, 1);
  const isResolved = path === pathname || (path === '' && pathname === '/' && namesHost(reference));
  return isResolved ? text : `${pathname}${search}${hash}`;
}
