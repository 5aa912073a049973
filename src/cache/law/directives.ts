/** Directives of `Cache-Control` and similar fields: name (lower case) to argument, `true` for none. */

export type Directives = ReadonlyMap<string, string | true>;

export const NO_DIRECTIVES: Directives = new Map();

/** RFC 9111 §1.2.2: a greater number may be treated as this one. */
const MAX_DELTA_SECONDS = 2_147_483_648;

/** Directives that restrict sharing or reuse: in doubt they apply, to the whole response. */
export const RESTRICTIVE: ReadonlySet<string> = new Set(['no-store', 'private', 'no-cache']);

/**
 * Reads a directive list as in RFC 9111 §5.2: `token [ "=" ( token / quoted-string ) ]`, with both forms of an argument for any directive.
 * Text that is not a directive is skipped up to the next comma, except words in it that restrict: `no-store; a` is no less than
 * `no-store`. For a repeated directive the first counts; for a repeated restriction the most restrictive (§4.2.1).
 *
 * @param fields the values of all field lines, in order
 */
export function parseDirectives(fields: readonly string[]): Directives {
  if (fields.length === 0) return NO_DIRECTIVES;
  const directives = new Map<string, string | true>();
  for (const part of splitList(fields.join(','))) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?$/.exec(part);
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined) {
      for (const word of restrictiveWords(part)) directives.set(word, true);
      continue;
    }
    const argument = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? true;
    const earlier = directives.get(name);
    if (earlier === undefined) directives.set(name, argument);
    else if (RESTRICTIVE.has(name)) directives.set(name, both(earlier, argument));
  }
  return directives;
}

/** The restricting directives among the words of an unreadable part. */
function restrictiveWords(text: string): string[] {
  const words = text.toLowerCase().split(/[\s,;="]+/);
  return words.filter((word) => RESTRICTIVE.has(word));
}

/** A repeated directive: applies to the fields that either names, or to the whole response if one names none. */
function both(one: string | true, other: string | true): string | true {
  const namesFields = (argument: string | true): boolean => argument !== true && argument !== '';
  return namesFields(one) && namesFields(other) ? `${String(one)},${String(other)}` : true;
}

/** The members of a comma-separated list (RFC 9110 §5.6.1), without empty ones. */
export function splitList(list: string): string[] {
  return partsOf(list)
    .parts.map((part) => part.trim())
    .filter((part) => part !== '');
}

/** The text between the commas of a list; commas within quoted strings do not separate. Not closed: a quoted string does not end. */
export function partsOf(list: string): { readonly parts: readonly string[]; readonly isClosed: boolean } {
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < list.length; at++) {
    const character = list[at];
    if (isQuoted && character === '\\') at++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) {
      parts.push(list.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(list.slice(start));
  return { parts, isClosed: !isQuoted };
}

/**
 * The argument as delta-seconds (RFC 9111 §1.2.2): undefined if the directive is absent, 0 if its argument is not a number: "unparseable"
 * freshness is stale (§4.2.1).
 */
export function deltaSeconds(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name);
  if (argument === undefined) return undefined;
  if (argument === true || !/^\d+$/.test(argument)) return 0;
  return Math.min(Number(argument), MAX_DELTA_SECONDS);
}

/** The field names of a qualified directive, such as `private="set-cookie"`; undefined where it is absent or unqualified. */
export function qualifiedFields(directives: Directives, name: string): readonly string[] | undefined {
  const argument = directives.get(name);
  if (argument === undefined || argument === true || argument === '') return undefined;
  return splitList(argument).map((field) => field.toLowerCase());
}

/** Whether the directive is present and applies to the whole response. */
export function isUnqualified(directives: Directives, name: string): boolean {
  return directives.has(name) && qualifiedFields(directives, name) === undefined;
}
