import { AppError } from '../../kernel/app-error';

const LONGEST_TARGET = 8_192;
/** Characters that a URI has encoded only (RFC 3986 §2); `|` also parts the words of a variant's key. */
const NOT_IN_URIS = /["<>^`{|}]/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Credentials that some put into the query: what is in a URL is in logs and keys. */
const CREDENTIAL_PARAMETERS: ReadonlySet<string> = new Set(['access_token', 'client_secret', 'oauth_token']);

/** Path and query as they are keyed and as they go upstream: the same bytes. */
export interface RequestTarget {
  /** Begins with a slash; dot segments resolved. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
}

/**
 * The part of a request target behind the gateway's prefix. A router also takes the prefix percent-encoded and behind an
 * authority (`GET http://other/github/x`): cut off by its length, that would leave another path than the one asked for.
 *
 * @throws AppError `request-invalid` where the target does not begin with the prefix, letter by letter
 */
export function behindPrefix(target: string, prefix: string): string {
  if (!target.startsWith(prefix)) throw invalid(`does not begin with ${prefix} as it is written`);
  return target.slice(prefix.length);
}

/**
 * Normalises what a client asked for, once (RFC 3986 §6.2.2): percent-encodings in upper case, unreserved characters plain, what a
 * URI may not have plain encoded, dot segments resolved, empty parameters gone; the order of parameters, repeated ones, `//` and
 * `%2F` stay.
 *
 * @param target the part of the request target behind the gateway's prefix
 * @throws AppError `request-invalid` for what could mean one thing to us and another to the upstream
 */
export function parseTarget(target: string): RequestTarget {
  if (target.length > LONGEST_TARGET) throw invalid(`is longer than ${LONGEST_TARGET} characters`);
  if (/[\\#\x00-\x20\x7f-\uffff]/.test(target))
    throw invalid('contains a backslash, a fragment, whitespace or a non-ASCII character');
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = at < 0 ? '' : target.slice(at + 1);
  return { path: resolveDots(normalised(path === '' ? '/' : path)), query: parameters(normalised(query)) };
}

function normalised(text: string): string {
  const encoded = text.replace(NOT_IN_URIS, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  if (!encoded.includes('%')) return encoded;
  return encoded.replace(/%(?:([0-9a-fA-F]{2})|)/g, (_whole, hex: string | undefined) => {
    if (hex === undefined) throw invalid('has an invalid percent-encoding');
    const character = String.fromCharCode(parseInt(hex, 16));
    if (/[\x00-\x1f\x7f\\]/.test(character)) throw invalid('has an encoded control character or backslash');
    return UNRESERVED.test(character) ? character : `%${hex.toUpperCase()}`;
  });
}

/** RFC 3986 §5.2.4, but for a path that climbs over its root: that is refused. */
function resolveDots(path: string): string {
  if (!path.includes('/.')) return path;
  const resolved: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, at) => {
    const isLast = at === segments.length - 1;
    if (segment === '..') {
      if (resolved.length === 0) throw invalid('climbs over its root');
      resolved.pop();
      if (isLast) resolved.push('');
    } else if (segment === '.') {
      if (isLast) resolved.push('');
    } else resolved.push(segment);
  });
  return `/${resolved.join('/')}`;
}

function parameters(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  for (const pair of pairs) {
    const name = pair.split('=', 1)[0] ?? '';
    if (CREDENTIAL_PARAMETERS.has(name.toLowerCase()))
      throw new AppError('request-invalid', `The query names ${name}. Send credentials in the Authorization field.`);
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function invalid(what: string): AppError {
  return new AppError('request-invalid', `The request target ${what}. Encode the path as RFC 3986 has it.`);
}
