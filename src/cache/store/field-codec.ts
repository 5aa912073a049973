import { MalformedBytesError, type ByteReader, type ByteWriter } from './bytes';
import type { Validators } from '../model/cache-entry';
import { STATIC_FIELDS, STATIC_NAMES } from './static-fields';

/**
 * Header fields in the stored format. A field, or a name, in the dictionary is one number, which later additions never change: fields have
 * odd numbers, names even ones. A value with a shorter form is stored in it:
 *
 *   field  = 0, name, value / 2 n + 1 for the n-th of STATIC_FIELDS / 2 n + 2 for the n-th of STATIC_NAMES, value
 *   value  = plain / form
 *   plain  = 2 × length, UTF-8
 *   form   = 2 × which + 1, then the form's data
 *
 * A form is used only if it restores the same text to the byte.
 */

const codeOfField = new Map(STATIC_FIELDS.map(([name, value], at) => [`${name}\n${value}`, 2 * at + 1]));
const codeOfName = new Map(STATIC_NAMES.map((name, at) => [name, 2 * at + 2]));

/** Part of the format: append only. */
const FORM = {
  /** An HTTP date (RFC 9110 §5.6.7): seconds since the epoch. */
  date: 1,
  /** A strong entity tag of 64 hexadecimal digits, as some APIs have them: 32 bytes. */
  strongHash: 2,
  /** As `strongHash`, weak. */
  weakHash: 3,
  /** A decimal number. */
  decimal: 4,
  /** The upstream's entity tag, which the entry contains anyway. */
  etag: 5,
  /** The upstream's `Last-Modified`, likewise. */
  lastModified: 6,
} as const;

const NO_VALIDATORS: Validators = {};
const HASH_BYTES = 32;
const HASH = /^(W\/)?"([0-9a-f]{64})"$/;
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;
const DATE_LENGTH = 'Tue, 24 Nov 2026 11:43:52 GMT'.length;
// RFC 9110 §5.5: no control characters in a field, even if another program wrote it into Redis.
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/;

export function writeField(writer: ByteWriter, name: string, value: string, known: Validators): void {
  const whole = codeOfField.get(`${name}\n${value}`);
  if (whole !== undefined) {
    writer.number(whole);
    return;
  }
  writeName(writer, name);
  writeValue(writer, value, known);
}

/** @throws MalformedBytesError */
export function readField(reader: ByteReader, known: Validators): [name: string, value: string] {
  const code = reader.number();
  if (code % 2 === 1) {
    const [name, value] = required(STATIC_FIELDS[(code - 1) / 2]);
    return [name, value];
  }
  return [nameOf(code, reader), readValue(reader, known)];
}

export function writeName(writer: ByteWriter, name: string): void {
  const code = codeOfName.get(name);
  if (code === undefined) writer.number(0).text(name);
  else writer.number(code);
}

/** @throws MalformedBytesError */
export function readName(reader: ByteReader): string {
  return nameOf(reader.number(), reader);
}

/** @param known the entry's validators, where they are written already */
export function writeValue(writer: ByteWriter, value: string, known: Validators = NO_VALIDATORS): void {
  const form = (which: number): ByteWriter => writer.number(2 * which + 1);
  if (value === known.etag) {
    form(FORM.etag);
    return;
  }
  if (value === known.lastModified) {
    form(FORM.lastModified);
    return;
  }
  const hash = HASH.exec(value);
  if (hash) {
    form(hash[1] === undefined ? FORM.strongHash : FORM.weakHash).raw(Buffer.from(hash[2] ?? '', 'hex'));
    return;
  }
  if (DECIMAL.test(value)) {
    form(FORM.decimal).number(Number(value));
    return;
  }
  const seconds = secondsOf(value);
  if (seconds !== undefined) form(FORM.date).number(seconds);
  else writer.number(2 * Buffer.byteLength(value)).utf8(value);
}

/** @throws MalformedBytesError */
export function readValue(reader: ByteReader, known: Validators = NO_VALIDATORS): string {
  const code = reader.number();
  if (code % 2 === 0) return sound(reader.utf8(code / 2));
  switch ((code - 1) / 2) {
    case FORM.date:
      return dateOf(reader.number());
    case FORM.strongHash:
      return `"${reader.raw(HASH_BYTES).toString('hex')}"`;
    case FORM.weakHash:
      return `W/"${reader.raw(HASH_BYTES).toString('hex')}"`;
    case FORM.decimal:
      return String(reader.number());
    case FORM.etag:
      return required(known.etag);
    case FORM.lastModified:
      return required(known.lastModified);
    default:
      throw new MalformedBytesError();
  }
}

/** @throws MalformedBytesError */
export function readText(reader: ByteReader): string {
  return sound(reader.text());
}

function nameOf(code: number, reader: ByteReader): string {
  return code === 0 ? readText(reader) : required(STATIC_NAMES[(code - 2) / 2]);
}

/** Undefined for a text that is not a date, or would be written differently. */
function secondsOf(value: string): number | undefined {
  if (value.length !== DATE_LENGTH || !value.endsWith(' GMT')) return undefined;
  const ms = Date.parse(value);
  return ms >= 0 && new Date(ms).toUTCString() === value ? ms / 1000 : undefined;
}

function dateOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new MalformedBytesError();
  return date.toUTCString();
}

function required<T>(known: T | undefined): T {
  if (known === undefined) throw new MalformedBytesError();
  return known;
}

function sound(text: string): string {
  if (FORBIDDEN.test(text)) throw new MalformedBytesError();
  return text;
}
