import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { z } from 'zod';

/** The kinds of settings: the valid values of a variable, in words that complete "NAME …" in the message of a failed start. */

export const number = (min: number, max: number) =>
  z.coerce.number({ error: 'must be a number' }).min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);
export const whole = (min: number, max: number) => number(min, max).int('must be a whole number');
export const oneOf = <const Word extends string>(...words: readonly Word[]) =>
  z.enum(words, { error: `must be ${words.join(', ').replace(/, ([^,]+)$/, ' or $1')}` });
export const text = z.string({ error: 'is missing' }).trim().min(1);
export const pairs = text.regex(
  /^(?:[^\s=,]+\s*=[^,]*(?:,\s*|$))+$/,
  'must be name=value, with commas between several',
);
export const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((value) => value === 'true' || value === '1');
export const file = text.superRefine((path, context) => {
  const message = problemOfFile(path);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
/** A file in PEM (RFC 7468) with at least one block of this kind. */
const pem = (label: RegExp, what: string) =>
  file.superRefine((path, context) => {
    if (!holdsPem(path, label)) context.addIssue({ code: 'custom', message: `holds no ${what} in PEM` });
  });
export const certificate = pem(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/, 'certificate');
export const privateKey = pem(/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/, 'private key');
export const secret = text
  .min(8, 'must have at least 8 characters')
  .refine((value) => !/\s/.test(value), 'must not contain blanks');

export const httpUrl = text
  .refine(isHttpUrl, 'must be an http:// or https:// URL without query, fragment or credentials')
  .transform((value) => value.replace(/\/+$/, ''));

/** Why it cannot be read; undefined if it can. */
function problemOfFile(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return 'names a file that does not exist';
    if (stats.isDirectory()) return 'is a directory, not a file';
    if (!stats.isFile()) return 'is no regular file';
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return `names a file that this user cannot read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

function holdsPem(path: string, label: RegExp): boolean {
  try {
    return label.test(readFileSync(path, 'latin1'));
  } catch {
    return true; // reported already: it is not a file
  }
}

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, search, hash, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && search === '' && hash === '' && username === '' && password === '';
}
