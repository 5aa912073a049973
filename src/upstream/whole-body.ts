import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, type ZlibOptions } from 'node:zlib';

/** A body that is, or unpacks to, more than it may be. */
export class BodyTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`more than ${maxBytes} bytes`);
  }
}

/** A body in a coding that was not asked for. */
export class UnknownCodingError extends Error {
  constructor(coding: string) {
    super(`a content coding that was not asked for: ${coding}`);
  }
}

/** What `wholeBody` can unpack, for `Accept-Encoding`. */
export const ACCEPTED_CODINGS = 'gzip';

/** Up to here unpacking takes less time than the way to a thread and back. */
const SYNC_BYTES = 16_384;
const GZIP: ReadonlySet<string> = new Set(['gzip', 'x-gzip']);
const gunzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gunzip);

/**
 * All of a body, unpacked; the stream is stopped as soon as it is too large.
 *
 * @param coding the `Content-Encoding`
 * @throws BodyTooLargeError, UnknownCodingError, whatever the stream fails with, zlib's errors
 */
export async function wholeBody(stream: Readable, coding: string | undefined, maxBytes: number): Promise<Buffer> {
  return unpacked(await collected(stream, maxBytes), coding, maxBytes);
}

/** A body without its `Content-Encoding`, as `wholeBody` has it. */
export async function unpacked(packed: Buffer, coding: string | undefined, maxBytes: number): Promise<Buffer> {
  if (coding === undefined || coding === '' || coding === 'identity' || packed.length === 0) return packed;
  if (!GZIP.has(coding.toLowerCase())) throw new UnknownCodingError(coding);
  const options = { maxOutputLength: maxBytes };
  try {
    return packed.length <= SYNC_BYTES ? gunzipSync(packed, options) : await gunzipAsync(packed, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new BodyTooLargeError(maxBytes);
    throw error;
  }
}

function collected(stream: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        reject(new BodyTooLargeError(maxBytes));
        stream.destroy();
        return;
      }
      chunks.push(chunk);
    });
    stream.on('end', () => resolve(Buffer.concat(chunks, length)));
    // A reset within the body is not one of an upstream that cannot be reached: it has answered.
    stream.on('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'ECONNRESET' ? brokenOff(cause) : cause),
    );
    stream.on('close', () => reject(brokenOff())); // settled long since where it has ended
  });
}

const brokenOff = (cause?: Error): Error => new Error('the body broke off', { cause });
