import { createHash } from 'node:crypto';

const MAX_DEPTH = 20;

/** The arguments have no unique text: calls with other ones would share an entry. */
export class UnusableArgumentsError extends Error {}

/**
 * The default key of a call: class, method, and a digest of the arguments. A digest, because keys appear in logs, metrics and Redis, and
 * arguments may be personal data or credentials.
 *
 * @throws UnusableArgumentsError for an argument that is not plain data
 */
export function callKey(upstream: string, method: string, args: readonly unknown[]): string {
  const name = `${upstream}:${method}`;
  const given = args.slice(0, args.findLastIndex((one) => one !== undefined) + 1);
  if (given.length === 0) return name;
  return `${name}:${digestOf(given)}`;
}

/** @throws UnusableArgumentsError for a value that is not plain data */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(textOf(value, 0)).digest('base64url');
}

/** The default text of an object or a promise in a key: all of them have the same. */
export function objectTextIn(key: string): string | undefined {
  return key.includes('[object ') ? /\[object \w+\]/.exec(key)?.[0] : undefined;
}

/** A unique text for each value: types are distinguished, and the order of an object's members is not. */
function textOf(value: unknown, depth: number): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (depth > MAX_DEPTH || typeof value !== 'object') throw new UnusableArgumentsError(`a ${typeof value}`);
  if (Buffer.isBuffer(value)) return `Buffer(${value.toString('base64')})`;
  if (value instanceof Date && Object.getPrototypeOf(value) === Date.prototype) return `Date(${value.getTime()})`;
  if (Array.isArray(value)) return `[${Array.from(value, (one) => textOf(one, depth + 1)).join()}]`;
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  if (prototype !== Object.prototype && prototype !== null)
    throw new UnusableArgumentsError(`a ${prototype.constructor?.name ?? 'object'}`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw new UnusableArgumentsError('an object with symbols');
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${textOf(member, depth + 1)}`).join()}}`;
}
