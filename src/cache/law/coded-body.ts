import { pipeline, Readable, Writable, type Transform } from 'node:stream';
import { pipeline as pipelineEnd } from 'node:stream/promises';
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
  if (codingsOf(headers).length === 0 || !isKnownCoding(headers)) return true;
  let unpacked = 0;
  const discarding = new Writable({
    write(chunk: Buffer, _encoding, done) {
      unpacked += chunk.length;
      done(unpacked > MAX_UNPACKED_BYTES ? new Error('Too large to look through.') : null);
    },
  });
  try {
    await pipelineEnd([Readable.from(chunksOf(body)), ...decodersOf(headers, body[0] ?? 0), discarding]);
    return true;
  } catch {
    return false;
  }
}

/** Whether a body's `Content-Encoding` can be removed here. */
export function isKnownCoding(headers: HeaderList): boolean {
  return codingsOf(headers).every((coding) => DECODERS[coding] !== undefined);
}

/**
 * A body without its `Content-Encoding`, which must be a known one. An empty body has no coding, whatever its head says.
 *
 * No generator: `return` ends the source also while a chunk of it is waited for.
 */
export function decodedBody(body: Buffer | AsyncIterable<Buffer>, headers: HeaderList): AsyncIterable<Buffer> {
  const source: AsyncIterable<Buffer> = Buffer.isBuffer(body) ? Readable.from([body]) : body;
  if (codingsOf(headers).length === 0) return source;
  return {
    [Symbol.asyncIterator]: () => {
      const packed = source[Symbol.asyncIterator]();
      let plain: AsyncIterator<Buffer> | undefined;
      return {
        next: async () => {
          if (plain) return plain.next();
          let first = await packed.next();
          while (first.done !== true && first.value.length === 0) first = await packed.next();
          if (first.done === true) return first;
          const decoders = decodersOf(headers, first.value[0] ?? 0);
          const chunks = Readable.from(continued(first, packed));
          const decoded = pipeline([chunks, ...decoders], () => undefined) as unknown as Readable;
          plain = decoded[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
          return plain.next();
        },
        return: async () => {
          await (plain ?? packed).return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/**
 * All of a body without its `Content-Encoding`; undefined for a coding that is not known, for a broken body, and for more than `maxBytes`.
 */
export async function decodedWhole(body: Buffer, headers: HeaderList, maxBytes: number): Promise<Buffer | undefined> {
  if (!isKnownCoding(headers)) return undefined;
  if (codingsOf(headers).length === 0) return body;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of decodedBody(body, headers)) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBytes) return undefined;
    }
    return Buffer.concat(chunks, bytes);
  } catch {
    return undefined;
  }
}

function continued(first: IteratorResult<Buffer>, rest: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  let isBegun = false;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        if (isBegun) return rest.next();
        isBegun = true;
        return Promise.resolve(first);
      },
      return: async () => {
        await rest.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

/**
 * Applied in the order of the field, removed from its end (RFC 9110 §8.4).
 *
 * @param first the first byte of the outermost coding, the only one that is known
 */
function decodersOf(headers: HeaderList, first: number): Transform[] {
  return codingsOf(headers)
    .reverse()
    .flatMap((coding, at) => DECODERS[coding]?.(at === 0 ? first : ZLIB_METHOD) ?? []);
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
