import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, constants, type ZlibOptions } from 'node:zlib';
import { BoundedMap } from '../../kernel/bounded-map';
import type { ContentCoding, HeaderList } from '../model/cache-entry';

export interface CodedBody {
  readonly body: Buffer;
  readonly coding: ContentCoding;
}

/** Smaller bodies gain less than the header fields of a coding cost. */
const MIN_CODED_BYTES = 1_024;
/** Up to this size the work takes less time than handing it to a thread. */
const SYNC_BYTES = 16_384;
const WORTH_IT = 0.9;
/** How bodies are coded. */
export const CODED_AS: ZlibOptions = { level: constants.Z_BEST_COMPRESSION };
const COMPRESSIBLE = /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|javascript|x-ndjson)\b|image\/svg)/i;
const TRAILER_BYTES = 4;
const HEADER_AND_TRAILER_BYTES = 18;
const MAGIC = [0x1f, 0x8b, 0x08] as const;

const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gunzip);

/** The stored form of a response's body: gzip if it is text, over 1 kB, not coded yet, and clearly smaller as gzip. */
export async function codedForStorage(body: Buffer, headers: HeaderList): Promise<CodedBody> {
  const identity: CodedBody = { body, coding: 'identity' };
  if (body.length <= MIN_CODED_BYTES || !isCompressible(headers)) return identity;
  const packed = body.length <= SYNC_BYTES ? gzipSync(body, CODED_AS) : await gzipAsync(body, CODED_AS);
  return packed.length <= body.length * WORTH_IT ? { body: own(packed), coding: 'gzip' } : identity;
}

/** The size of the body without coding; gzip states it in its trailer (RFC 1952 §2.3.1). */
export function identityLength({ body, coding }: CodedBody): number {
  return coding === 'gzip' ? body.readUInt32LE(body.length - TRAILER_BYTES) : body.length;
}

/** Whether the bytes can be gzip at all, judged without unpacking them. */
export function looksLikeGzip(body: Buffer): boolean {
  return body.length >= HEADER_AND_TRAILER_BYTES && MAGIC.every((byte, at) => body[at] === byte);
}

/**
 * The body without coding; a promise where unpacking is worth a thread.
 *
 * @throws Error for bytes that are not gzip, or that unpack to more than they declare
 */
export function identityBody(coded: CodedBody): Buffer | Promise<Buffer> {
  if (coded.coding === 'identity') return coded.body;
  const bytes = identityLength(coded);
  const options = { maxOutputLength: Math.max(1, bytes), chunkSize: Math.min(Math.max(bytes + 1, 64), 1_048_576) };
  return bytes <= SYNC_BYTES * 4 ? gunzipSync(coded.body, options) : gunzipAsync(coded.body, options);
}

const accepting = new BoundedMap<string, boolean>(500);
/** RFC 9110 §12.4.2 */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * Whether a client accepts gzip (RFC 9110 §12.5.3): named, or under `*`, with no weight or a weight above zero, and not preferring plain
 * bytes (`identity`). Without the field, or with one that does not name gzip, the response is sent without coding: the client may be
 * unable to unpack it.
 */
export function acceptsGzip(field: string | undefined): boolean {
  return field !== undefined && accepting.getOrMake(field, readAcceptEncoding);
}

function readAcceptEncoding(field: string): boolean {
  let gzip: number | undefined;
  let wildcard = 0;
  let plain = 0;
  for (const item of field.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    // An unreadable weight counts as zero: every client can read the body without coding.
    const weight = parameters.length === 0 ? 1 : Number(WEIGHT.exec(parameters.join(';'))?.[1] ?? 0);
    if (coding === 'gzip' || coding === 'x-gzip') gzip ??= weight;
    else if (coding === '*') wildcard = weight;
    else if (coding === 'identity') plain = weight;
  }
  const weight = gzip ?? wildcard;
  return weight > 0 && weight >= plain;
}

/**
 * The entity tag of the gzip form. A strong one differs, because the bytes differ (RFC 9110 §8.8.3.3). A weak one stays: it compares
 * meaning (§8.8.1).
 */
export function gzipTag(etag: string): string {
  return etag.endsWith('"') && !etag.startsWith('W/') ? `${etag.slice(0, -1)}-gzip"` : etag;
}

function isCompressible(headers: HeaderList): boolean {
  let type = '';
  for (const [name, value] of headers) {
    if (name === 'content-encoding') return false;
    // RFC 9111 §5.2.2.6
    if (name === 'cache-control' && /\bno-transform\b/i.test(value)) return false;
    if (name === 'content-type') type = value;
  }
  return COMPRESSIBLE.test(type);
}

/** A copy: a slice of a large buffer would keep all of it alive as long as the entry. */
function own(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + HEADER_AND_TRAILER_BYTES) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
