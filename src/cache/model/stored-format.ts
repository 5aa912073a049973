import type { Validators } from './cache-entry';
import { STATIC_FIELDS, STATIC_NAMES } from './static-fields';

/*
 * The primitives of the stored format: whole numbers in unsigned LEB128, texts in UTF-8 behind their length, and header fields. A field, or
 * a name, in the dictionary is one number, which later additions never change: fields have odd numbers, names even ones. A value with a
 * shorter form is stored in it, if the form restores the same text to the byte:
 *
 *   field  = 0, name, value / 2 n + 1 for the n-th of STATIC_FIELDS / 2 n + 2 for the n-th of STATIC_NAMES, value
 *   value  = plain / form
 *   plain  = 2 × length, UTF-8
 *   form   = 2 × which + 1, then the form's data
 */

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

const codeOfField = new Map(STATIC_FIELDS.map(([name, value], at) => [`${name}\n${value}`, 2 * at + 1]));
const codeOfName = new Map(STATIC_NAMES.map((name, at) => [name, 2 * at + 2]));

const NO_VALIDATORS: Validators = {};
const MAX_NUMBER_BYTES = 8;
const HASH_BYTES = 32;
const HASH = /^(W\/)?"([0-9a-f]{64})"$/;
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;
const DATE_LENGTH = 'Tue, 24 Nov 2026 11:43:52 GMT'.length;
// RFC 9110 §5.5: no control characters in a field, even if another program wrote it into Redis.
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/;

/** The bytes were not written by a `FormatWriter`. */
export class MalformedBytesError extends Error {
  constructor() {
    super('The bytes are not of the stored format.');
    this.name = 'MalformedBytesError';
  }
}

/** Appends to a buffer that grows. */
export class FormatWriter {
  private bytes = Buffer.allocUnsafe(256);
  private at = 0;

  /** A whole number. A negative one, from a clock that was set back, is written as zero. @throws RangeError */
  number(value: number): this {
    let rest = Math.max(0, Math.round(value));
    if (!Number.isSafeInteger(rest)) throw new RangeError(`${value} is no number that can be stored.`);
    this.room(MAX_NUMBER_BYTES);
    while (rest >= 128) {
      this.bytes[this.at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
    return this;
  }

  text(value: string): this {
    return this.number(Buffer.byteLength(value)).utf8(value);
  }

  raw(bytes: Buffer): this {
    this.room(bytes.length);
    this.at += bytes.copy(this.bytes, this.at);
    return this;
  }

  /** @param known the entry's validators, where they are written already */
  field(name: string, value: string, known: Validators): this {
    const whole = codeOfField.get(`${name}\n${value}`);
    return whole === undefined ? this.name(name).value(value, known) : this.number(whole);
  }

  name(name: string): this {
    const code = codeOfName.get(name);
    return code === undefined ? this.number(0).text(name) : this.number(code);
  }

  /** @param known as in `field` */
  value(value: string, known: Validators = NO_VALIDATORS): this {
    if (value === known.etag) return this.form(FORM.etag);
    if (value === known.lastModified) return this.form(FORM.lastModified);
    const hash = HASH.exec(value);
    if (hash) {
      const bytes = Buffer.from(hash[2] ?? '', 'hex');
      return this.form(hash[1] === undefined ? FORM.strongHash : FORM.weakHash).raw(bytes);
    }
    if (DECIMAL.test(value)) return this.form(FORM.decimal).number(Number(value));
    const seconds = secondsOf(value);
    if (seconds !== undefined) return this.form(FORM.date).number(seconds);
    return this.number(2 * Buffer.byteLength(value)).utf8(value);
  }

  /** The bytes written so far. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at));
  }

  private form(which: number): this {
    return this.number(2 * which + 1);
  }

  private utf8(value: string): this {
    this.room(Buffer.byteLength(value));
    this.at += this.bytes.write(value, this.at);
    return this;
  }

  private room(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}

/** Reads bytes of a `FormatWriter`, and validates all of them: every method throws `MalformedBytesError` for others. */
export class FormatReader {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  number(): number {
    let value = 0;
    let factor = 1;
    for (let read = 0; read < MAX_NUMBER_BYTES; read++) {
      if (this.at >= this.end) throw new MalformedBytesError();
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBytesError();
        return value;
      }
      factor *= 128;
    }
    throw new MalformedBytesError();
  }

  text(): string {
    return this.utf8(this.number());
  }

  /** As many items as the number in front of them says. */
  list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.number(); left > 0; left--) items.push(read());
    return items;
  }

  field(known: Validators): readonly [name: string, value: string] {
    const code = this.number();
    if (code % 2 === 1) return required(STATIC_FIELDS[(code - 1) / 2]);
    return [this.nameOf(code), this.value(known)];
  }

  name(): string {
    return this.nameOf(this.number());
  }

  value(known: Validators = NO_VALIDATORS): string {
    const code = this.number();
    if (code % 2 === 0) return this.utf8(code / 2);
    switch ((code - 1) / 2) {
      case FORM.date:
        return dateOf(this.number());
      case FORM.strongHash:
        return `"${this.hash()}"`;
      case FORM.weakHash:
        return `W/"${this.hash()}"`;
      case FORM.decimal:
        return String(this.number());
      case FORM.etag:
        return required(known.etag);
      case FORM.lastModified:
        return required(known.lastModified);
      default:
        throw new MalformedBytesError();
    }
  }

  private nameOf(code: number): string {
    return code === 0 ? this.text() : required(STATIC_NAMES[(code - 2) / 2]);
  }

  private hash(): string {
    return this.bytes.toString('hex', this.take(HASH_BYTES), this.at);
  }

  private utf8(length: number): string {
    const text = this.bytes.toString('utf8', this.take(length), this.at);
    if (FORBIDDEN.test(text)) throw new MalformedBytesError();
    return text;
  }

  private take(length: number): number {
    if (length > this.end - this.at) throw new MalformedBytesError();
    const from = this.at;
    this.at += length;
    return from;
  }
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
