import { createHash } from 'node:crypto';

/** Facts about stored bytes that need no parse. */

/**
 * The bytes of a JSON object with one more last member, spliced in without a parse.
 *
 * @param object a serialised JSON object, as `JSON.stringify` writes it
 * @param json the member's value, serialised
 */
export function withLastMember(object: Buffer, name: string, json: string): Buffer {
  const isEmpty = object.length === 2;
  return Buffer.concat([object.subarray(0, -1), Buffer.from(`${isEmpty ? '' : ','}"${name}":${json}}`)]);
}

/** A strong entity tag of the bytes (RFC 9110 §8.8.3). */
export function entityTag(body: Buffer): string {
  return `"${createHash('sha1').update(body).digest('base64url')}"`;
}

/** The same as a weak one: for bodies that are equal except for the hit flag. */
export function weakened(etag: string): string {
  return etag.startsWith('W/') ? etag : `W/${etag}`;
}

/**
 * Whether `If-None-Match` matches, by the weak comparison of RFC 9110 §13.1.2.
 *
 * @param field the header field as received: `*` or a list of entity tags
 */
export function matchesIfNoneMatch(field: string, etag: string): boolean {
  const opaque = etag.replace(/^W\//, '');
  if (field.trim() === '*') return true;
  for (const [, tag] of field.matchAll(/(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) if (tag === opaque) return true;
  return false;
}
