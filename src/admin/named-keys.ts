/** The segments in front of the key: `/admin/cache/entries/`. */
const SEGMENTS_BEFORE = 4;

/**
 * What a path such as `/admin/cache/entries/github:-:/users/redis?per_page=5` may name: the key with its percent-encodings decoded
 * (RFC 3986 §2.4), and the key as it is written. For keys have queries and percent-encodings of their own, and who copies one
 * out of `Cache-Status` into a URL means it as it is.
 *
 * @param target the request target, query and all
 * @returns the names, each once, the decoded one first
 */
export function namedKeys(target: string): readonly string[] {
  const path = target.replace(/^https?:\/\/[^/]*/i, '');
  const written = path.split('/').slice(SEGMENTS_BEFORE).join('/');
  return [...new Set([decoded(written), written])];
}

/** What cannot be decoded is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
