import { createHash } from 'node:crypto';
import type { HeaderList } from '../cache-entry';
import { namesIn, valuesOf } from './fields';

/*
 * Which of several stored responses of one URL a request selects (RFC 9111 §4.1).
 */

/** The names that a response's `Vary` nominates, sorted, each once; undefined for `*`, which no request selects again. */
export function varyNames(headers: HeaderList): readonly string[] | undefined {
  const names = namesIn(headers, 'vary');
  return names.includes('*') ? undefined : [...names].sort();
}

/**
 * A short word for the request's values of the nominated fields: two requests have the same exactly if every nominated field
 * is absent from both or has the same value in both, lines joined and blanks normalised.
 */
export function selectionKey(names: readonly string[], request: HeaderList): string {
  if (names.length === 0) return '-';
  const hash = createHash('sha256');
  for (const name of names) {
    const values = valuesOf(request, name);
    const text = values.length === 0 ? undefined : name === 'accept-language' ? languages(values) : normalised(values);
    hash.update(`${name.length}:${name}`).update(text === undefined ? 'absent' : `${text.length}:${text}`);
  }
  return hash.digest('base64url').slice(0, 22);
}

/** Languages know no case, and of two that are wanted alike the order says nothing (RFC 9110 §12.5.4). */
function languages(values: readonly string[]): string {
  const parts = normalised(values).toLowerCase().split(', ');
  return parts.sort((one, other) => weightOf(other) - weightOf(one) || (one < other ? -1 : 1)).join(', ');
}

function weightOf(range: string): number {
  const weight = /;\s*q=([01](?:\.\d*)?)/.exec(range)?.[1];
  return weight === undefined ? 1 : Number(weight);
}

/** Lines joined as RFC 9110 §5.3 allows, without what blanks around commas differ in. */
function normalised(values: readonly string[]): string {
  return values
    .join(',')
    .split(',')
    .map((part) => part.trim().replace(/\s+/g, ' '))
    .join(', ');
}
