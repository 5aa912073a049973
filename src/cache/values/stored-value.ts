import { types } from 'node:util';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { changesInUtf8 } from '../model/cache-key';
import { identityBody } from '../law/content-coding';
import { isPlainData, valueOfEntry } from './handed-value';
import { orUnreadable } from '../engine/unreadable-entry.error';

/*
 * Values of code as stored responses: JSON, text and bytes. Its one invariant: a value comes back as it went in, or is refused.
 */

export interface StoredForm {
  readonly headers: HeaderList;
  readonly body: Buffer;
}

export const BINARY_TYPE = 'application/octet-stream';
/** RFC 2046 §4.5.1: `type` is a parameter of octet streams; of a typed array it names the class. */
const ARRAY_TYPE = /^application\/octet-stream; type=(\w+)$/;
type ArrayClass = new (buffer: ArrayBuffer) => unknown;
const ARRAYS: Readonly<Record<string, ArrayClass>> = {
  ...{ Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array },
  ...{ Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView },
};

/** The form in which the value is stored; undefined where it would come back as another one (`whyNotStorable`). */
export function storedForm(value: unknown): StoredForm | undefined {
  const array = arrayName(value);
  if (typeof value === 'string' && changesInUtf8(value)) return undefined;
  if (array === undefined && typeof value !== 'string' && !isPlainData(value)) return undefined;
  const { body, type = BINARY_TYPE } = bodyOf(value, JSON.stringify);
  const isOther = array !== undefined && array !== 'Buffer';
  return { body, headers: [['content-type', isOther ? `${type}; type=${array}` : type]] };
}

/** The bytes that Fastify sends for a value, and its type if the handler names none. */
export function bodyOf(
  value: unknown,
  serialise: (value: unknown) => string | undefined,
): { body: Buffer; type: string | undefined } {
  if (value === undefined) return { body: Buffer.alloc(0), type: undefined };
  if (typeof value === 'string') return { body: Buffer.from(value), type: 'text/plain; charset=utf-8' };
  if (ArrayBuffer.isView(value) && types.isArrayBuffer(value.buffer)) {
    const { buffer, byteOffset, byteLength } = value;
    // A copy: the stored bytes must not change with the caller's.
    return { body: Buffer.from(Buffer.from(buffer, byteOffset, byteLength)), type: BINARY_TYPE };
  }
  return { body: Buffer.from(serialise(value) ?? ''), type: 'application/json; charset=utf-8' };
}

/** @throws UnreadableEntryError for stored bytes that cannot be read */
export function storedValue(key: string, entry: CacheEntry): unknown {
  const type = entry.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const ArrayType = ARRAYS[ARRAY_TYPE.exec(type)?.[1] ?? ''];
  return orUnreadable(key, async () => {
    if (ArrayType) return new ArrayType(ownBuffer(await identityBody(entry)));
    const value = await valueOfEntry(entry, true);
    return Buffer.isBuffer(value) ? Buffer.from(value) : value; // the caller may change it
  });
}

/** What JSON would change in a value that is not stored, and what to do. */
export function whyNotStorable(value: unknown): string {
  return `${firstUnlike(value, 'the value')} would change. Store plain data (JSON), text, a Buffer or a typed array.`;
}

function firstUnlike(value: unknown, path: string): string {
  if (typeof value === 'object' && value !== null && isContainer(value))
    for (const [name, member] of Object.entries(value))
      if (member !== undefined && !isPlainData(member)) return firstUnlike(member, `${path}.${name}`);
  return `${path} is ${kindOf(value)}, which`;
}

function isContainer(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return 'a text with half of a surrogate pair';
  if (typeof value === 'number') return String(value === 0 ? '-0' : value);
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  return `a ${(Object.getPrototypeOf(value) as object | null)?.constructor.name ?? 'object'}`;
}

function arrayName(value: unknown): string | undefined {
  if (Buffer.isBuffer(value)) return 'Buffer';
  if (!ArrayBuffer.isView(value) || !types.isArrayBuffer(value.buffer)) return undefined;
  const { name } = value.constructor;
  return name in ARRAYS ? name : undefined;
}

/** A typed array begins at a multiple of its elements' size, and is the caller's to change. */
function ownBuffer(bytes: Buffer): ArrayBuffer {
  const buffer = new ArrayBuffer(bytes.length);
  Buffer.from(buffer).set(bytes);
  return buffer;
}
