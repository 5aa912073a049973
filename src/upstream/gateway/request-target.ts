import { AppError } from '../../kernel/app-error';
import { QueryCredentials, type Credential } from './credentials';

const MAX_TARGET_LENGTH = 8_192;
/** Characters that a URI has encoded only (RFC 3986 §2); `|` also parts the words of a variant's key. */
const NOT_IN_URIS = /["<>^`{|}]/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Octets that no UTF-8 has at this place: longer forms of ASCII characters, such as `%C0%AF` for a slash (RFC 3629 §3). */
const OVERLONG = /%C[01]|%E0%[89]|%F0%8/;
const ENCODED_OCTET = /%([0-9a-f]{2})/gi;
const MAX_DECODINGS = 5;

/** Path and query as they are keyed and as they go upstream: the same bytes. */
export interface RequestTarget {
  /** Begins with a slash; dot segments resolved. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** The credentials of the query, which no longer contains them. */
  readonly credentials: readonly Credential[];
}

const NO_CREDENTIALS = new QueryCredentials();

/**
 * The part of a request target behind the gateway's prefix. A router also takes the prefix percent-encoded and behind an
 * authority (`GET http://other/api/x`): cut off by its length, that would leave another path than the one asked for.
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
 * `%2F` stay. What would climb out of the path at a server that decodes it is refused. Credentials are separated or refused.
 *
 * @param target the part of the request target behind the gateway's prefix
 * @param credentials which parameters are credentials
 * @throws AppError `request-invalid` for what could mean one thing to us and another to the upstream
 */
export function parseTarget(target: string, credentials = NO_CREDENTIALS): RequestTarget {
  if (target.length > MAX_TARGET_LENGTH) throw invalid(`is longer than ${MAX_TARGET_LENGTH} characters`);
  if (/[\\#\x00-\x20\x7f-\uffff]/.test(target))
    throw invalid('contains a backslash, a fragment, whitespace or a non-ASCII character');
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = at < 0 ? '' : target.slice(at + 1);
  if (!path.startsWith('/') && path !== '') throw invalid('does not go on with a slash');
  const resolved = resolveDots(normalised(path === '' ? '/' : path));
  refuseHiddenDots(resolved);
  const pairs = normalised(query)
    .split('&')
    .filter((pair) => pair !== '');
  const separated = credentials.separate(resolved, pairs.join('&'));
  return { ...separated, path: resolved, query: separated.query === '' ? '' : `?${separated.query}` };
}

/**
 * The path for rules and tags: many servers take `/a//b` for `/a/b`, so that a rule or a purge of one is of both. The request upstream and the key
 * have the path as the client writes it.
 */
export function withoutEmptySegments(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
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

/** RFC 3986 §5.2.4, except that a path that climbs over its root is refused. */
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

/**
 * A server that decodes `%2F` before it resolves dot segments, or drops what is behind a `;` (RFC 3986 §3.3 calls both possible),
 * reads `/a/..%2F..%2Fb` or `/a/..;/b` as a path above its base: dot segments are refused at any depth of encoding. An encoded slash
 * alone is data, as in `/repos/o/r/contents/a%2Fb`.
 */
function refuseHiddenDots(path: string): void {
  if (OVERLONG.test(path)) throw invalid('has an overlong UTF-8 sequence');
  let text = path;
  for (let times = 0; times <= MAX_DECODINGS; times++) {
    if (hasDotSegment(text)) throw invalid('has a dot segment beside an encoded slash or a semicolon');
    const decoded = text.replace(ENCODED_OCTET, (_whole, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    if (decoded === text) return;
    text = decoded;
  }
  throw invalid(`is percent-encoded more than ${MAX_DECODINGS} times`);
}

function hasDotSegment(path: string): boolean {
  if (!path.includes('.')) return false;
  return path.split(/[/\\]/).some((segment) => /^\.\.?(?:;.*)?$/s.test(segment));
}

function invalid(what: string): AppError {
  return new AppError('request-invalid', `The request target ${what}. Encode the path as RFC 3986 has it.`);
}
