import { createHash } from 'node:crypto';

const MAX_READABLE_LENGTH = 480;
/** How many characters of its beginning a key over the limit keeps. */
export const READABLE_OF_HASHED = 200;
// No other key has this: `%` is always followed by two hexadecimal digits.
const HASH = '%sha256:';
// Printable ASCII is kept, except characters that would end a Redis hash tag, quote a header value or start an escape.
const IS_SAFE = /^[!#$&-[\]-z|~]*$/;
const UNSAFE = /[^\x21-\x7e]|[{}%"\\]/gu;

/**
 * A unique text for each entry: readable in `redis-cli`, safe in a header field, and injective, so that two different names never share an
 * entry. Braces, quotes, blanks, control and non-ASCII characters are percent-encoded, `%` itself too. A text over 480 characters keeps
 * its beginning and ends in the SHA-256 of the whole.
 */
export function toCacheKey(name: string): string {
  if (name.length <= MAX_READABLE_LENGTH && IS_SAFE.test(name)) return name;
  const safe = encoded(name);
  if (safe.length <= MAX_READABLE_LENGTH) return safe;
  return `${safe.slice(0, READABLE_OF_HASHED)}${HASH}${createHash('sha256').update(exactBytes(name)).digest('hex')}`;
}

// Half of a surrogate pair: UTF-8 has no octets for it, and Node writes U+FFFD for each.
const LONE_SURROGATE = /\p{Surrogate}/u;
/** No UTF-8 begins so. */
const NOT_UTF8 = Buffer.from([0xff]);

/** Whether the text is another one after UTF-8. */
export function changesInUtf8(text: string): boolean {
  return LONE_SURROGATE.test(text);
}

/** Other bytes for every other text. */
export function exactBytes(text: string): string | Buffer {
  return changesInUtf8(text) ? Buffer.concat([NOT_UTF8, Buffer.from(text, 'utf16le')]) : text;
}

/** The text of which `toCacheKey` has made the key; a hashed one, and one with half of a surrogate pair, as it is stored. */
export function nameOfKey(key: string): string {
  if (isHashed(key)) return key;
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** The prefix of the keys whose names begin with `name`: encoded as keys are, and never hashed. */
export function toKeyPrefix(name: string): string {
  return IS_SAFE.test(name) ? name : encoded(name);
}

const NOT_IN_URLS = /[^\x21-\x7e]|["<>^`{|}\\]|%(?![0-9a-f]{2}|[0-9a-f]?$)/giu;
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/**
 * Normalises a URL, or the beginning of one, as a person types it (RFC 3986 §6.2.2): only reserved characters stay encoded, encodings are
 * in upper case, unreserved characters plain. The caller encodes the result again, like every name.
 */
export function asUrl(name: string): string {
  return name.replace(NOT_IN_URLS, encodedOctets).replace(/%([0-9a-f]{0,2})/gi, (octet, hex: string) => {
    const character = hex.length === 2 ? String.fromCharCode(parseInt(hex, 16)) : '';
    return UNRESERVED.test(character) ? character : octet.toUpperCase();
  });
}

/** Whether the key is too long to be kept whole: only the beginning of its name is known. */
export function isHashed(key: string): boolean {
  return key.startsWith(HASH, READABLE_OF_HASHED);
}

function encoded(name: string): string {
  return name.replace(UNSAFE, encodedOctets);
}

function encodedOctets(character: string): string {
  const code = character.charCodeAt(0);
  const octets = changesInUtf8(character)
    ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
    : [...Buffer.from(character, 'utf8')];
  return octets.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

// Every query parser reads such a name the same way; `%61`, `a[b]`, `a.b` and `a+b` differ between parsers.
const IS_PLAIN_NAME = /^[\w-]*$/;

/**
 * The key of a request without an explicit one: method, path and query. The parameters are sorted by name if every name is plain;
 * parameters that a parser may treat as one (repeated names, or names that differ in case) keep their order. Otherwise the query stays
 * unchanged.
 */
export function requestKey(method: string, url: string): string {
  const at = url.indexOf('?');
  if (at < 0) return toCacheKey(`${method}:${url}`);
  const query = url.slice(at + 1);
  const pairs = query.split('&').map((pair) => ({ name: (pair.split('=', 1)[0] ?? '').toLowerCase(), pair }));
  const isPlain = !query.includes(';') && pairs.every(({ name }) => IS_PLAIN_NAME.test(name));
  if (!isPlain) return toCacheKey(`${method}:${url}`);
  pairs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)); // stable
  return toCacheKey(`${method}:${url.slice(0, at)}?${pairs.map(({ pair }) => pair).join('&')}`);
}

const UPSTREAM_TAG = 'upstream:';

/** The tag of every response of an upstream. */
export function tagOfUpstream(upstream: string): string {
  return `${UPSTREAM_TAG}${upstream}`;
}

/** The upstream of such a tag. */
export function upstreamOfTag(tag: string): string | undefined {
  return tag.startsWith(UPSTREAM_TAG) ? tag.slice(UPSTREAM_TAG.length) : undefined;
}

/** The prefix of an upstream's keys, except keys that a route named itself. */
export function prefixOfUpstream(upstream: string): string {
  return `${upstream}:`;
}

/** The length of a partition's id that belongs to one caller. */
export const CALLER_ID_LENGTH = 16;
/** The first character of ids of partitions that callers without a credential share; no caller's own id begins with it. */
export const SHARED_PARTITION = '-';

/**
 * Upstream and partition of an upstream's key (`upstream:partition:/path`) that one caller alone has; undefined for keys of a partition that
 * callers share, and for keys of routes.
 */
export function callerOfKey(key: string, upstream: string): string | undefined {
  const from = upstream.length + 1;
  const end = from + CALLER_ID_LENGTH;
  const isCallers = key[end] === ':' && key[from] !== SHARED_PARTITION && key.startsWith(prefixOfUpstream(upstream));
  return isCallers ? key.slice(0, end) : undefined;
}

/** The tag of everything stored for an account. Account names ignore case. */
export function tagOfAccount(account: string): string {
  return `account:${account.toLowerCase()}`;
}
