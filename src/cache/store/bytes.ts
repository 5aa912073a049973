/*
 * The primitives of the stored format: unsigned LEB128 numbers and length-prefixed UTF-8 texts.
 */

const MAX_NUMBER_BYTES = 8;

/** Appends to a buffer that grows. */
export class ByteWriter {
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

  /** The text alone, without its length: the reader must know it. */
  utf8(value: string): this {
    this.room(Buffer.byteLength(value));
    this.at += this.bytes.write(value, this.at);
    return this;
  }

  raw(bytes: Buffer): this {
    this.room(bytes.length);
    this.at += bytes.copy(this.bytes, this.at);
    return this;
  }

  /** The bytes written so far. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at));
  }

  private room(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}

/** The bytes were not written by a `ByteWriter`. */
export class MalformedBytesError extends Error {
  constructor() {
    super('The bytes are not of the stored format.');
    this.name = 'MalformedBytesError';
  }
}

/** Reads bytes of a `ByteWriter`, and validates all of them. */
export class ByteReader {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** @throws MalformedBytesError */
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

  /** @throws MalformedBytesError */
  text(): string {
    return this.utf8(this.number());
  }

  /** @throws MalformedBytesError */
  utf8(length: number): string {
    const from = this.take(length);
    return this.bytes.toString('utf8', from, this.at);
  }

  /** A view. @throws MalformedBytesError */
  raw(length: number): Buffer {
    const from = this.take(length);
    return this.bytes.subarray(from, this.at);
  }

  private take(length: number): number {
    if (length > this.end - this.at) throw new MalformedBytesError();
    const from = this.at;
    this.at += length;
    return from;
  }
}
