import { once } from 'node:events';
import { Readable } from 'node:stream';

/** A request's body, of which the beginning has come. */
export interface BegunBody {
  readonly stream: Readable;
  readonly isWhole: boolean;
  /** All of it, where it is whole. */
  readonly bytes?: Buffer;
}

/**
 * Waits for so much of a body, or for its end: nothing is taken from the others for a client that sends next to nothing.
 *
 * @throws Error where the client leaves before
 */
export async function begun(body: Readable, bytes: number): Promise<BegunBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  const ended = once(body, 'end').then(() => 'end' as const);
  ended.catch(() => undefined); // if the body breaks off later, its reader gets the error
  while (length < bytes) {
    const chunk = body.read() as Buffer | null;
    if (chunk !== null) {
      chunks.push(chunk);
      length += chunk.length;
    } else if ((await Promise.race([ended, once(body, 'readable')])) === 'end') {
      const whole = Buffer.concat(chunks, length);
      return { stream: Readable.from(length === 0 ? [] : [whole]), isWhole: true, bytes: whole };
    }
  }
  body.unshift(Buffer.concat(chunks, length));
  return { stream: body, isWhole: false };
}
