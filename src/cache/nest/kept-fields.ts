import type { HeaderList } from '../model/cache-entry';
import type { Fields } from './client-reply';

/** The fields of a handler's reply that its stored response keeps. */

/** Fields that belong to one delivery, not to the response. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  ...['age', 'cache-status', 'connection', 'content-length', 'date', 'keep-alive', 'set-cookie', 'transfer-encoding'],
  ...['x-cache', 'x-request-id', 'x-response-time'],
]);

export function keptHeaders(fields: Fields): HeaderList {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(fields)) {
    const field = name.toLowerCase();
    if (value === undefined || NOT_KEPT.has(field)) continue;
    const values = field === 'vary' ? [varyingNames(String(value)).join(', ')] : [value].flat().map(String);
    for (const one of values) if (field !== 'vary' || one !== '') kept.push([field, one]);
  }
  return kept;
}

/** Whether a stored response keeps all of a field that the route sets on each of its responses. */
export function isKeptWhole(name: string, value: unknown): boolean {
  const field = name.toLowerCase();
  const names = String(value).split(',');
  const varying = varyingNames(names.join());
  // `Origin` indicates a hook's CORS fields (`selectingFields`).
  return !NOT_KEPT.has(field) && (field !== 'vary' || (varying.length === names.length && !varying.includes('origin')));
}

/** The names in `Vary` that concern the stored response: the coding is the cache's own. */
export function varyingNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'accept-encoding');
}
