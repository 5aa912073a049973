import { entryKey } from '../cache';
import { AppError } from '../kernel/app-error';

/** The segments in front of the key: `/admin/cache/entries/`. */
const SEGMENTS_BEFORE = 4;
/** A parameter of this service at the end: a key that ends so must be percent-encoded. */
const OWN_PARAMETER = /[?&](body=(?:true|false)|mode=[^&=]*)$/;

export interface NamedKeys {
  /** Each once, the decoded one first. */
  readonly keys: readonly string[];
  /** Whether the body is requested, too. */
  readonly withBody: boolean;
  readonly mode: 'purge' | 'stale';
}

/**
 * The possible keys of a path such as `/admin/cache/entries/acme:-:/users/redis?per_page=5`: the key with its percent-encodings decoded
 * (RFC 3986 §2.4), and the key as it is written. Keys have queries and percent-encodings of their own, and a key copied from
 * `Cache-Status` into a URL is meant literally. `body=true` and `mode=stale` at the end are this service's.
 *
 * @param target the request target, query included
 * @throws AppError `request-invalid` for another `mode`: a purge must not succeed for a key that the caller did not mean
 */
export function namedKeys(target: string): NamedKeys {
  const path = target.replace(/^https?:\/\/[^/]*/i, '');
  const whole = path.split('/').slice(SEGMENTS_BEFORE).join('/');
  const [, own = ''] = OWN_PARAMETER.exec(whole) ?? [];
  if (own.startsWith('mode=') && own !== 'mode=purge' && own !== 'mode=stale')
    throw new AppError('request-invalid', `mode is purge or stale. Percent-encode a key that itself ends in ${own}.`);
  const written = whole.replace(OWN_PARAMETER, '');
  return {
    keys: [...new Set([decoded(written), written])],
    withBody: own === 'body=true',
    mode: own === 'mode=stale' ? 'stale' : 'purge',
  };
}

export const NO_KEY = 'Name a key, such as UPSTREAM:-:/users/redis.';

/** @throws AppError for no key at all */
export function keyOf(key: string): string {
  if (key === '') throw new AppError('request-invalid', NO_KEY);
  return entryKey(key);
}

/** A text that cannot be decoded stays unchanged. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
