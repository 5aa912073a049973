import type { CacheEntry, ContentCoding, HeaderList, Validators } from '../../model/cache-entry';

/**
 * The form of entries in memory, and its size.
 *
 * One class, so that all have one shape; bytes of their own; texts shared by many entries are stored once. Its one invariant: the counted
 * size is the growth of the process, within about 20 % (`benchmarks/entry-cost.ts` measures it, `test/e2e/memory.spec.ts`
 * checks it).
 */

/** All fields of an entry, so that a new one cannot be forgotten here. */
type Complete = { readonly [Name in keyof Required<CacheEntry>]: CacheEntry[Name] };

class ResidentEntry implements Complete {
  readonly id: string;
  readonly status: number;
  readonly upstream: string;
  readonly storedAt: number;
  readonly freshUntil: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly retainForRevalidationMs: number | undefined;
  readonly mustRevalidate: boolean;
  readonly loadDurationMs: number;
  readonly etag: string;
  readonly coding: ContentCoding;
  readonly hitFlagName: string | undefined;
  readonly indexMark: number | undefined;
  readonly softPurgeMark: number | undefined;

  constructor(
    entry: CacheEntry,
    readonly headers: HeaderList,
    readonly validators: Validators,
    readonly tags: readonly string[],
    readonly body: Buffer,
  ) {
    this.id = entry.id;
    this.status = entry.status;
    this.upstream = sharedText(':upstream', entry.upstream);
    this.storedAt = entry.storedAt;
    this.freshUntil = entry.freshUntil;
    this.staleWhileRevalidateMs = entry.staleWhileRevalidateMs;
    this.staleIfErrorMs = entry.staleIfErrorMs;
    this.retainForRevalidationMs = entry.retainForRevalidationMs;
    this.mustRevalidate = entry.mustRevalidate;
    this.loadDurationMs = entry.loadDurationMs;
    this.etag = entry.etag;
    this.coding = entry.coding;
    this.hitFlagName = entry.hitFlagName;
    this.indexMark = entry.indexMark;
    this.softPurgeMark = entry.softPurgeMark;
  }
}

export interface Resident {
  readonly entry: CacheEntry;
  /** The bytes that the entry and its key occupy in the process. */
  readonly bytes: number;
}

type Field = HeaderList[number];

/** The entry itself, its numbers and its id, its place in the table of entries. */
const OBJECT_BYTES = 390;
/** V8's overhead for bytes outside of its heap. */
const BUFFER_BYTES = 280;
/** An array with its references. */
const ARRAY_BYTES = 48;
const REFERENCE_BYTES = 8;
/** A name and a value as a pair, without the texts. */
const FIELD_BYTES = 64;
/** A table's row, such as that of a tag. */
const ROW_BYTES = 56;
/** An index is also kept parsed. */
const PARSED_INDEX_BYTES = 420;
/** V8 keeps such small typed arrays on its heap, at far less cost than a buffer outside. */
const ON_HEAP_BYTES = 64;
/** The minimum size of an entry. */
export const MIN_RESIDENT_BYTES = OBJECT_BYTES;
const NOTHING: readonly never[] = [];
const NO_VALIDATORS: Validators = {};

/** The bytes of a string: V8 keeps a header and, for Latin-1, a byte for each character. */
export function textBytes(text: string): number {
  return 16 + ((text.length + 7) & ~7);
}

/** A copy of the entry in the form of memory, under the key. */
export function resident(key: string, entry: CacheEntry): Resident {
  let bytes = OBJECT_BYTES + textBytes(key);
  const headers =
    entry.headers.length === 0
      ? NOTHING
      : entry.headers.map((field) => {
          const shared = sharedField(field);
          if (shared) return shared;
          bytes += FIELD_BYTES + textBytes(field[1]);
          return ownField(field);
        });
  const tags = entry.tags.length === 0 ? NOTHING : entry.tags.map((tag) => sharedText(':tag', tag));
  for (const tag of tags) bytes += REFERENCE_BYTES + 2 * ROW_BYTES + textBytes(tag);
  const { etag, lastModified } = entry.validators;
  const validators = etag === undefined && lastModified === undefined ? NO_VALIDATORS : entry.validators;
  if (headers.length > 0) bytes += ARRAY_BYTES + REFERENCE_BYTES * headers.length;
  if (headers.length === 0 && entry.etag === '') bytes += PARSED_INDEX_BYTES;
  if (validators !== NO_VALIDATORS) bytes += ARRAY_BYTES;
  if (entry.etag !== etag && entry.etag !== '') bytes += textBytes(entry.etag);
  bytes += bufferBytes(entry.body.length);
  return { entry: new ResidentEntry(entry, headers, validators, tags, ownBytes(entry.body)), bytes };
}

/** The bytes of a buffer with its own memory. */
export function bufferBytes(length: number): number {
  return length <= ON_HEAP_BYTES ? 128 + length : BUFFER_BYTES + length;
}

/** A slice of a pool, or of a socket's read buffer, would keep all of that alive as long as the entry. */
function ownBytes(body: Buffer): Buffer {
  if (body.length > ON_HEAP_BYTES && body.buffer.byteLength === body.length) return body;
  const own = Buffer.allocUnsafeSlow(body.length);
  body.copy(own);
  return own;
}

/** The number of latest values known for one name. */
const VALUES_PER_NAME = 4;
const MAX_NAMES = 256;
/** Longer values are not shared. */
const MAX_SHARED_LENGTH = 1_024;

/** The latest field lines, by name: most fields of an API's responses have the same value each time. */
const recent = new Map<string, Field[]>();

/** The same field line in another entry; undefined if no entry had it recently. A value that repeats moves ahead of values that do not. */
function sharedField([name, value]: Field): Field | undefined {
  const known = recent.get(name);
  const at = known?.findIndex((one) => one[1] === value) ?? -1;
  const found = known?.[at];
  const ahead = known?.[at - 1];
  if (known && found && ahead) [known[at - 1], known[at]] = [found, ahead];
  return found;
}

/** The field line of the first entry that has it; later ones may share it. */
function ownField([name, value]: Field): Field {
  const known = recent.get(name);
  const field: Field = [known?.[0]?.[0] ?? name, value];
  if (value.length > MAX_SHARED_LENGTH) return field;
  if (known) {
    known[Math.min(known.length, VALUES_PER_NAME - 1)] = field;
    return field;
  }
  if (recent.size >= MAX_NAMES) recent.clear();
  recent.set(name, [field]);
  return field;
}

/** A text that is not a field's, kept under a name that no field has. */
function sharedText(kind: ':tag' | ':upstream', text: string): string {
  const field: Field = [kind, text];
  return (sharedField(field) ?? ownField(field))[1];
}

/** In a form that the compiler cannot optimise away. */
const lastRead = { number: 0 };

/** The text as one piece: V8 keeps a concatenated text as pieces until the whole text is read. */
export function inOnePiece(text: string): string {
  lastRead.number = Number(text);
  return text;
}
