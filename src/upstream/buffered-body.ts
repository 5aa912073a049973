import { setTimeout as pause } from 'node:timers/promises';
import type { BodySource } from '../cache';
import { decodedWhole } from '../cache/law';

export interface PeekLimits {
  readonly maxBytes: number;
  /** How long the body is waited for, in milliseconds. */
  readonly maxMs: number;
}

export interface BufferedBody {
  /** All of it, unpacked; undefined where it is too large, too slow, broken or in a coding that is not known here. */
  readonly text: string | undefined;
  /** The same bytes as the source's, from the first on. */
  readonly body: BodySource;
}

/** The limit of unpacking a small body, as a multiple of the bytes read. */
const MAX_RATIO = 16;

/** Reads a small body before its reader, which still gets every byte. */
export async function bufferSmallBody(
  source: BodySource,
  coding: string | undefined,
  { maxBytes, maxMs }: PeekLimits,
): Promise<BufferedBody> {
  const iterator = source[Symbol.asyncIterator]();
  const end = new AbortController();
  const timeout = pause(maxMs, undefined, { signal: end.signal }).catch(() => undefined);
  const prefix: Buffer[] = [];
  let next = iterator.next();
  try {
    for (let length = 0; ;) {
      const step = await Promise.race([next, timeout]);
      if (step === undefined) break;
      if (step.done === true)
        return { text: await textOf(Buffer.concat(prefix), coding, maxBytes), body: bodyOf(source, prefix, next) };
      prefix.push(step.value);
      length += step.value.length;
      next = iterator.next();
      if (length > maxBytes) break;
    }
  } catch {
    // it broke off: its reader gets the error in its place
  } finally {
    end.abort();
  }
  next.catch(() => undefined); // the reader gets the error
  return { text: undefined, body: bodyOf(source, prefix, next, iterator) };
}

function bodyOf(
  source: BodySource,
  prefix: readonly Buffer[],
  next: Promise<IteratorResult<Buffer>>,
  rest?: AsyncIterator<Buffer>,
): BodySource {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* prefix;
        for (let step = await next; step.done !== true && rest; step = await rest.next()) yield step.value;
      } finally {
        source.destroy();
      }
    },
    destroy: (error) => source.destroy(error),
  };
}

async function textOf(bytes: Buffer, coding = 'identity', maxBytes: number): Promise<string | undefined> {
  const text = await decodedWhole(bytes, [['content-encoding', coding]], maxBytes * MAX_RATIO);
  return text?.toString('utf8');
}
