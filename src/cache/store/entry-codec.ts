import type { CacheEntry, EntryMetadata, Validators } from '../model/cache-entry';
import { tagOfUpstream } from '../model/cache-key';
import { looksLikeGzip } from '../law/content-coding';
import { FormatReader, FormatWriter, MalformedBytesError } from '../model/stored-format';

/**
 * The version of the stored format, part of every Redis key. A change that an older reader would misread is a new version; entries of
 * other versions are never read and end by their own expiry.
 *
 * An entry is one string:
 *
 *   | bytes | content |
 *   |---|---|
 *   | 0–11 | the entry's id, base64url: a fill compares it |
 *   | 12–17 | the mark of its last soft purge, a number of the store's, big endian; 0 for none |
 *   | 18–20 | the head's length, big endian: where the body begins |
 *   | 21– | metadata: numbers in LEB128, texts with their length, fields as in `stored-format.ts`, indexed tags first; zeros up to the body |
 *   | rest | the body, plain or gzip |
 *
 * The parts that change without the body (a freshening, a soft purge) are in front of it, at known offsets, and are written in place.
 */
export const FORMAT_VERSION = 'v4';

const ID_BYTES = 12;
const SOFT_PURGE_MARK = { at: ID_BYTES, bytes: 6 };
const HEAD_LENGTH = { at: 18, bytes: 3 };
const METADATA_AT = 21;
export const MAX_HEAD_BYTES = 262_144;
const ALIGNMENT = 8;
/** Enough bytes to contain the head of nearly any entry. */
export const HEAD_GLANCE_BYTES = 4_096;

const MUST_REVALIDATE = 1;
const GZIP = 2;
const HAS_ETAG = 4;
const HAS_LAST_MODIFIED = 8;
const HAS_HIT_FLAG = 16;
const HAS_UPSTREAM_TAG = 32;
const HAS_KEEP = 64;
const HAS_INDEX_MARK = 128;

/** Separates an upstream's name and the source; contained in neither. */
const SOURCE = '\t';
const ID = /^[\w-]{12}$/;

/**
 * The bytes in front of the body.
 *
 * @param source the settings that decide the response, as in `RedisKeys`: written behind the upstream's name
 * @param isUpstreamIndexed whether the tag of the entry's upstream has an index: not if the key begins with its name
 */
export function encodeHead(entry: CacheEntry, source = '', isUpstreamIndexed = false): Buffer {
  const writer = new FormatWriter().raw(Buffer.alloc(METADATA_AT));
  writeMetadata(writer, entry, source, isUpstreamIndexed);
  const written = writer.finish();
  const head = Buffer.alloc(Math.ceil(written.length / ALIGNMENT) * ALIGNMENT);
  written.copy(head);
  head.write(entry.id, 0, ID_BYTES, 'latin1');
  head.writeUIntBE(entry.softPurgeMark ?? 0, SOFT_PURGE_MARK.at, SOFT_PURGE_MARK.bytes);
  head.writeUIntBE(head.length, HEAD_LENGTH.at, HEAD_LENGTH.bytes);
  return head;
}

/** The stored value. */
export function encodeEntry(entry: CacheEntry, source = '', isUpstreamIndexed = false): Buffer {
  return Buffer.concat([encodeHead(entry, source, isUpstreamIndexed), entry.body]);
}

/** The head of a stored value. */
export interface DecodedHead {
  readonly metadata: EntryMetadata;
  readonly softPurgeMark?: number;
  readonly headLength: number;
  readonly bodyLength: number;
}

/** The entry, or undefined for a foreign format or another source: no value in Redis is trusted. */
export function decodeEntry(value: Buffer, source = ''): CacheEntry | undefined {
  const head = decodeHead(value, source);
  if (!head || head.headLength + head.bodyLength !== value.length) return undefined;
  const body = value.subarray(head.headLength);
  if (head.metadata.coding === 'gzip' && !looksLikeGzip(body)) return undefined;
  const entry = { ...head.metadata, body };
  return head.softPurgeMark === undefined ? entry : { ...entry, softPurgeMark: head.softPurgeMark };
}

/** The length of a stored value's head, read from its fixed part; undefined for a value of another format. */
export function headLengthOf(value: Buffer): number | undefined {
  if (value.length < METADATA_AT) return undefined;
  const length = value.readUIntBE(HEAD_LENGTH.at, HEAD_LENGTH.bytes);
  return length >= METADATA_AT && length <= MAX_HEAD_BYTES ? length : undefined;
}

/** As `decodeEntry`, for the beginning of a value. */
export function decodeHead(value: Buffer, source = ''): DecodedHead | undefined {
  const headLength = headLengthOf(value);
  if (headLength === undefined || headLength > value.length) return undefined;
  const id = value.toString('latin1', 0, ID_BYTES);
  if (!ID.test(id)) return undefined;
  const softPurgeMark = value.readUIntBE(SOFT_PURGE_MARK.at, SOFT_PURGE_MARK.bytes);
  try {
    const { metadata, bodyLength } = readMetadata(id, new FormatReader(value, METADATA_AT, headLength), source);
    return { metadata, headLength, bodyLength, ...(softPurgeMark === 0 ? {} : { softPurgeMark }) };
  } catch (error) {
    if (error instanceof MalformedBytesError) return undefined; // truncated or foreign: a miss, as said above
    throw error;
  }
}

function writeMetadata(writer: FormatWriter, entry: CacheEntry, source: string, isUpstreamIndexed: boolean): void {
  const { validators, hitFlagName, upstream } = entry;
  const upstreamTag = tagOfUpstream(upstream);
  const tags = isUpstreamIndexed ? entry.tags : entry.tags.filter((tag) => tag !== upstreamTag);
  const flags =
    (entry.mustRevalidate ? MUST_REVALIDATE : 0) |
    (entry.coding === 'gzip' ? GZIP : 0) |
    (validators.etag === undefined ? 0 : HAS_ETAG) |
    (validators.lastModified === undefined ? 0 : HAS_LAST_MODIFIED) |
    (hitFlagName === undefined ? 0 : HAS_HIT_FLAG) |
    (tags.length === entry.tags.length ? 0 : HAS_UPSTREAM_TAG) |
    (entry.retainForRevalidationMs === undefined ? 0 : HAS_KEEP) |
    (entry.indexMark === undefined ? 0 : HAS_INDEX_MARK);
  writer.number(tags.length);
  for (const tag of tags) writer.text(tag);
  writer.number(flags).number(entry.status).number(entry.storedAt).number(entry.freshUntil);
  writer.number(entry.staleWhileRevalidateMs).number(entry.staleIfErrorMs).number(entry.loadDurationMs);
  writer.number(entry.body.length).text(source === '' ? upstream : `${upstream}${SOURCE}${source}`);
  if (validators.etag !== undefined) writer.value(validators.etag);
  if (validators.lastModified !== undefined) writer.value(validators.lastModified);
  writer.value(entry.etag, validators);
  if (hitFlagName !== undefined) writer.text(hitFlagName);
  if (entry.retainForRevalidationMs !== undefined) writer.number(entry.retainForRevalidationMs);
  if (entry.indexMark !== undefined) writer.number(entry.indexMark);
  writer.number(entry.headers.length);
  for (const [name, value] of entry.headers) writer.field(name, value, validators);
}

/** In the order in which `writeMetadata` writes: a member of a literal is read before the next one. */
function readMetadata(
  id: string,
  reader: FormatReader,
  source: string,
): { readonly metadata: EntryMetadata; readonly bodyLength: number } {
  const indexed = reader.list(() => reader.text());
  const flags = reader.number();
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const times = {
    status: reader.number(),
    storedAt: reader.number(),
    freshUntil: reader.number(),
    staleWhileRevalidateMs: reader.number(),
    staleIfErrorMs: reader.number(),
    loadDurationMs: reader.number(),
  };
  if (times.status < 200 || times.status > 599) throw new MalformedBytesError();
  const bodyLength = reader.number();
  const [upstream = '', theirs = ''] = reader.text().split(SOURCE, 2);
  if (theirs !== source) throw new MalformedBytesError();
  const validators: Validators = {
    ...(has(HAS_ETAG) && { etag: reader.value() }),
    ...(has(HAS_LAST_MODIFIED) && { lastModified: reader.value() }),
  };
  const metadata: EntryMetadata = {
    ...times,
    ...{ id, upstream, validators },
    etag: reader.value(validators),
    ...(has(HAS_HIT_FLAG) && { hitFlagName: reader.text() }),
    ...(has(HAS_KEEP) && { retainForRevalidationMs: reader.number() }),
    ...(has(HAS_INDEX_MARK) && { indexMark: reader.number() }),
    headers: reader.list(() => reader.field(validators)),
    tags: has(HAS_UPSTREAM_TAG) ? [tagOfUpstream(upstream), ...indexed] : indexed,
    mustRevalidate: has(MUST_REVALIDATE),
    coding: has(GZIP) ? 'gzip' : 'identity',
  };
  return { metadata, bodyLength };
}
