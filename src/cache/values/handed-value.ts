import type { StoredAnswer } from '../model/exchange';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { identityBody } from '../law/content-coding';
import { isFromStore } from '../model/cache-outcome';

/*
 * Values that are handed on to interceptors around the cache, instead of bytes to the client.
 */

/** Marks an entry whose body is a value as JSON, not the bytes for a client; its value says whether the handler set a type. Never sent. */
const MARK = 'larder-value';
const JSON_TYPE = 'application/json; charset=utf-8';

/** The header fields of such an entry. */
export function valueFields(fields: HeaderList): HeaderList {
  const isTyped = fields.some(([name]) => name === 'content-type');
  return [...fields, ...(isTyped ? [] : [['content-type', JSON_TYPE] as const]), [MARK, isTyped ? 'typed' : 'untyped']];
}

export function isValueEntry({ headers }: CacheEntry): boolean {
  return headers.some(([name]) => name === MARK);
}

/** The fields that the handler has set. */
export function handedFields({ headers }: CacheEntry): HeaderList {
  const mark = headers.find(([name]) => name === MARK)?.[1];
  return headers.filter(([name]) => name !== MARK && !(name === 'content-type' && mark === 'untyped'));
}

/** The value to hand on: a new one each time, because interceptors may change it. */
export function handedValue({ entry, outcome }: StoredAnswer): Promise<unknown> {
  return valueOfEntry(entry, isFromStore(outcome));
}

/** The value that a handler would return for the entry: JSON parsed, text as a string, other bytes as a `Buffer`. */
export async function valueOfEntry(entry: CacheEntry, isHit: boolean): Promise<unknown> {
  const body = await identityBody(entry);
  const type = entry.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  if (!isValueEntry(entry) && !/[/+]json\b/i.test(type)) return /^text\//i.test(type) ? body.toString('utf8') : body;
  if (body.length === 0) return undefined;
  const value: unknown = JSON.parse(body.toString('utf8'));
  const { hitFlagName } = entry;
  return hitFlagName === undefined || !isObject(value) ? value : { ...value, [hitFlagName]: isHit };
}

/** Whether JSON restores the value unchanged; members that are `undefined` may be lost. */
export function isPlainData(value: unknown, depth = 0): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return isPlainArray(value) && value.every((one) => isPlainData(one, depth + 1));
  if (!isObject(value) || Object.getOwnPropertySymbols(value).length > 0 || 'toJSON' in value) return false;
  return Object.values(value).every((one) => one === undefined || isPlainData(one, depth + 1));
}

const MAX_DEPTH = 100;

/** Whether it has no holes, no extra properties, and no class of its own. */
function isPlainArray(value: readonly unknown[]): boolean {
  const keys = Object.keys(value); // indices first, in order
  const isDense = keys.length === value.length && (keys.length === 0 || keys.at(-1) === String(value.length - 1));
  const isOfClass = Object.getPrototypeOf(value) !== Array.prototype;
  return isDense && !isOfClass && Object.getOwnPropertySymbols(value).length === 0 && !('toJSON' in value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
