import { createHash } from 'node:crypto';
import { BoundedMap } from '../../kernel/bounded-map';
import type { HeaderList } from '../model/cache-entry';
import { CARRIED_OUT_HERE } from './conditions';
import { partsOf } from './directives';
import { namesIn, valuesOf } from './fields';

/** Selects one of several stored responses of one URL (RFC 9111 §4.1). */

/** The names in a response's `Vary`, sorted, each once; undefined for `*`, which no request selects again. */
export function varyNames(headers: HeaderList): readonly string[] | undefined {
  const names = namesIn(headers, 'vary');
  return names.includes('*') ? undefined : [...names].sort();
}

/** Merges both lists: a stored response is selected by the fields in its `Vary` and by the fields that always select. */
export function joinedNames(names: readonly string[], always: readonly string[]): readonly string[] {
  return [...new Set([...names, ...always])].sort();
}

/**
 * In place of a field's name: every field of the request, except fields that the cache handles itself and that no stored response depends
 * on.
 */
export const EVERY_FIELD = '*';

/** Fields with one value, in which a comma separates nothing. */
const NOT_LISTS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'referer', 'user-agent']);

/**
 * A short digest of the request's values of the nominated fields: two requests have the same digest exactly if every nominated field is
 * absent from both or has the same value in both, with lines joined and blanks around commas removed. Quoted strings are kept: `"a  b"` and
 * `"a b"` are two values.
 */
export function selectionKey(names: readonly string[], request: HeaderList): string {
  if (names.length === 0) return '-';
  let text = '';
  for (const name of names) {
    if (name === EVERY_FIELD) {
      const present = new Set(request.flatMap(([field]) => (CARRIED_OUT_HERE.has(field) ? [] : [field])));
      text += `1:*${present.size}:`;
      for (const field of [...present].sort()) text += nameAndText(field, valuesOf(request, field).join('\n'));
    } else {
      const values = valuesOf(request, name);
      text += nameAndText(name, values.length === 0 ? undefined : comparable(name, values));
    }
  }
  return text.length > MAX_TEXT_LENGTH ? digestOf(text) : digests.getOrMake(text, digestOf);
}

/** The digests of recent texts: clients send the same few fields. */
const digests = new BoundedMap<string, string>(500);
const MAX_TEXT_LENGTH = 512;

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function nameAndText(name: string, text: string | undefined): string {
  return `${name.length}:${name}${text === undefined ? 'absent' : `${text.length}:${text}`}`;
}

/** Equal for values with the same meaning, as far as the field's syntax defines it (RFC 9111 §4.1). */
function comparable(name: string, values: readonly string[]): string {
  const lines = NOT_LISTS.has(name) ? [undefined] : values.map(membersOf);
  if (lines.includes(undefined)) return values.join('\n'); // no value has a line break: the result is unambiguous
  const members = lines.flatMap((line) => line ?? []);
  const isPlain = !values.some((value) => value.includes('"'));
  const text = members.join(', ');
  // Language tags ignore case (RFC 9110 §12.5.4); the order of equal weights is a preference to some recipients.
  return name === 'accept-language' && isPlain ? text.toLowerCase() : text;
}

/**
 * The members of a list (RFC 9110 §5.6.1) without the blanks (§5.6.3) around them, including empty ones; undefined where a quoted string
 * does not end, because the separating commas are unknown then.
 */
function membersOf(line: string): readonly string[] | undefined {
  const { parts, isClosed } = partsOf(line);
  return isClosed ? parts.map(withoutBlanksAround) : undefined;
}

function withoutBlanksAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** The names in any of the lists, each once. */
export function namesOfAll(lists: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = lists;
  return others.length === 0 ? first : [...new Set(lists.flat())];
}

/** Whether a field selects that the cache handles itself, and that fingerprints therefore lack: `Vary` may name any field. */
export function selectsByOwnFields(names: readonly string[]): boolean {
  return names.some((name) => CARRIED_OUT_HERE.has(name));
}
