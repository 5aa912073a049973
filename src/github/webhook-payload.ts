import type { Named } from './github-places';

/*
 * Reads a webhook's payload, of which nothing is certain: a hostile or a future one yields nothing, never an error.
 */

/** The name and the id of the object at a path of members, as far as it has them. */
export function namesAt(payload: unknown, name: string, ...path: readonly string[]): readonly Named[] {
  const text = textAt(payload, ...path, name);
  const id = valueAt(payload, ...path, 'id');
  return [...(text === undefined ? [] : [text]), ...(isId(id) ? [{ id: String(id) }] : [])];
}

export function isId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** The value at a path of members, if everything on the way is an object's own member. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let at: unknown = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
