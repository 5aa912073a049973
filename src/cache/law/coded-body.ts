import { pipeline } from 'node:stream/promises';
import { Readable, Writable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { HeaderList } from '../model/cache-entry';

/** The limit for unpacked bytes; a larger body is not checked to its end. */
const MAX_UNPACKED_BYTES = 268_435_456;
const CHUNK_BYTES = 65_536;
/** RFC 1950 §2.2: the first byte of the zlib format names the method, 8. Some send raw deflate instead. */
const ZLIB_METHOD = 8;

type Decoder = (first: number) => Transform;

const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  br: () => zlib.createBrotliDecompress(),
  deflate: (first) => ((first & 0x0f) === ZLIB_METHOD ? zlib.createInflate() : zlib.createInflateRaw()),
  ...zstd(),
};

/**
 * Whether a body is complete in its `Content-Encoding`: its end is present, and its checksum matches where the coding has one. An upstream
 * whose compressor fails may end the message as if it were whole, which the framing does not reveal (RFC 9112 §8).
 *
 * The body is unpacked off the main thread, chunk by chunk, and discarded. A body in an unknown coding counts as whole; a body that
 * unpacks to more than 256 MiB does not.
 */
export async function isWholeCoding(body: Buffer, headers: HeaderList): Promise<boolean> {
  const codings = codingsOf(headers);
  if (codings.length === 0 || codings.some((coding) => DECODERS[coding] === undefined)) return true;
  // Applied in the order of the field, removed from its end (RFC 9110 §8.4). Only the first byte of the outermost coding is known.
  const decoders = codings.reverse().map((coding, at) => DECODERS[coding]?.(at === 0 ? (body[0] ?? 0) : ZLIB_METHOD));
  let unpacked = 0;
  const discarding = new Writable({
    write(chunk: Buffer, _encoding, done) {
      unpacked += chunk.length;
      done(unpacked > MAX_UNPACKED_BYTES ? new Error('Too large to look through.') : null);
    },
  });
  try {
    await pipeline([Readable.from(chunksOf(body)), ...(decoders as Transform[]), discarding]);
    return true;
  } catch {
    return false;
  }
}

/**
 * Streams that remove a body's `Content-Encoding`, in their order; undefined for a coding that is not known here.
 */
export function decodersOf(headers: HeaderList): readonly Transform[] | undefined {
  const create = codingsOf(headers)
    .reverse()
    .map((coding) => DECODERS[coding]);
  return create.some((one) => one === undefined) ? undefined : create.map((one) => (one as Decoder)(ZLIB_METHOD));
}

function codingsOf(headers: HeaderList): string[] {
  return headers
    .filter(([name]) => name === 'content-encoding')
    .flatMap(([, value]) => value.split(','))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
}

function* chunksOf(body: Buffer): Iterable<Buffer> {
  for (let at = 0; at < body.length; at += CHUNK_BYTES) yield body.subarray(at, at + CHUNK_BYTES);
}

/** Node 22.15 and later. */
function zstd(): Record<string, Decoder> {
  const create = (zlib as { readonly createZstdDecompress?: () => Transform }).createZstdDecompress;
  return create ? { zstd: () => create() } : {};
}
