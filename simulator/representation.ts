import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ApiAnswer } from './routes';

const GZIP_OVER_BYTES = 1_000;

export interface Representation {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

/** The bytes of an answer and their validators; GitHub's entity tag depends on representation and credential, and is weak once compressed. */
export function represent(
  answer: ApiAnswer,
  acceptEncoding: string,
  accept: string,
  token: string | undefined,
): Representation {
  const plain =
    answer.bytes ?? (answer.payload === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(answer.payload)));
  const digest = createHash('sha256')
    .update(plain)
    .update(`\n${accept}\n${token ?? ''}`)
    .digest('hex');
  const isCompressed = plain.length > GZIP_OVER_BYTES && /\bgzip\b/.test(acceptEncoding) && answer.bytes === undefined;
  const headers = {
    ...(plain.length > 0 ? { 'content-type': answer.contentType ?? 'application/json; charset=utf-8' } : {}),
    ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
  };
  return { body: isCompressed ? gzipSync(plain) : plain, headers, etag: `${isCompressed ? 'W/' : ''}"${digest}"` };
}

/** Whether the request's conditions say that the client has it already (RFC 9110 §13.2.2). */
export function isNotModified(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  etag: string,
  lastModified: string | undefined,
): boolean {
  const match = headers['if-none-match'];
  if (typeof match === 'string') {
    const opaque = etag.replace(/^W\//, '');
    return match.trim() === '*' || match.split(',').some((tag) => tag.trim().replace(/^W\//, '') === opaque);
  }
  const since = headers['if-modified-since'];
  return typeof since === 'string' && lastModified !== undefined && Date.parse(lastModified) <= Date.parse(since);
}
