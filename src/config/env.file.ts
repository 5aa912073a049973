import { readFileSync, statSync } from 'node:fs';

/** The env file, checked before its settings are read: an error message names the file and a remedy, and never quotes its contents. */

/** A setting, the value in quotes over several lines if need be. */
const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:'[^']*'|"[^"]*"|`[^`]*`|[^\r\n]*)/gm;

export interface EnvFile {
  /** The names that it sets. */
  readonly names: readonly string[];
  /** The fault that keeps it from being read; undefined for none. */
  readonly problem: string | undefined;
}

/** Undefined if there is none. */
export function inspectEnvFile(path: string): EnvFile | undefined {
  const wrong = (problem: string): EnvFile => ({ names: [], problem: `  ${path} ${problem}` });
  let bytes: Buffer;
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isDirectory())
      return wrong('is a directory, not a file. Remove it, or make it a file. Example: cp .env.sample .env');
    if (!stats.isFile()) return wrong('is no regular file. Example: cp .env.sample .env');
    bytes = readFileSync(path);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return wrong(`cannot be read by this user (${code}). Example: chmod u+r ${path}`);
  }
  if (bytes.includes(0)) return wrong('is not UTF-8 but UTF-16 or binary. Save it as UTF-8, one NAME=value a line.');
  const text = decoded(bytes);
  if (text === undefined) return wrong('is not UTF-8. Save it as UTF-8, one NAME=value a line.');
  const names = [...text.matchAll(ASSIGNMENT)].map(([, name = '']) => name);
  const rest = text.replace(ASSIGNMENT, (assignment) => assignment.replace(/[^\n]/g, ''));
  const lines = rest.split('\n').flatMap((line, at) => (/^\s*(?:#|$)/.test(line) ? [] : [at + 1]));
  if (lines.length === 0) return { names, problem: undefined };
  const [line] = lines;
  return wrong(`is wrong in line ${line}: it is neither NAME=value nor a comment. Example: PORT=8081`);
}

/** Without a byte order mark; undefined where it is not UTF-8. */
function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Variables with a name close to a setting's, or in the env file with a prefix of settings: most likely a slip. Variables of other
 * programs (`REDIS_PORT` in Kubernetes, `CI_SHA` in a workflow) do not count.
 */
export function misspelled(
  { known, given, inFile }: Readonly<Record<'known' | 'given' | 'inFile', readonly string[]>>,
  path: string,
): readonly string[] {
  const settings = new Set(known);
  const prefixes = new Set(known.filter((name) => name.includes('_')).map(prefixOf));
  const names = [...new Set([...inFile, ...given])].filter((name) => !settings.has(name));
  return names.flatMap((name) => {
    const isOurs = inFile.includes(name) && prefixes.has(prefixOf(name));
    const near = known.filter((one) => one.length > 6 && distance(one, name) <= 2);
    if (!isOurs && near.length === 0) return [];
    const place = inFile.includes(name) ? ` in ${path}` : '';
    const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'The settings are in .env.sample.';
    return [`${name}${place} is no setting, and is ignored. ${hint}`];
  });
}

function prefixOf(name: string): string {
  return name.split('_', 1)[0] ?? '';
}

/** How many characters differ: inserted, removed or replaced (Levenshtein). */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return Infinity;
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const isSame = one[at - 1] === other[to - 1];
      next.push(Math.min((row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1, (row[to - 1] ?? 0) + (isSame ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? Infinity;
}
