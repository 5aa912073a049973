import { gzipSync } from 'node:zlib';
import { BoundedMap } from '../../../kernel/bounded-map';
import { CODED_AS } from '../../law/content-coding';
import {
  validatorsFrom,
  type CacheEntry,
  type ContentCoding,
  type EntryMetadata,
  type HeaderList,
  type Validators,
} from '../../model/cache-entry';
import { packFields, textBytes, unpackFields, type PackedFields } from './packed-fields';

/**
 * The form of entries in memory, and its size.
 *
 * One class, so that all have one shape. A small body is a text, which costs less than a buffer and is what is sent; header fields are
 * packed; a gzip body that is served unpacked is kept unpacked alone. Its one invariant: the entry reads as it was put, and the counted
 * size is the growth of the process, within about 15 % (`benchmarks/entry-cost.ts` measures it, `test/e2e/memory.spec.ts` checks it).
 */

/** All fields of an entry, so that a new one cannot be forgotten here. */
type Complete = { readonly [Name in keyof Required<CacheEntry>]: CacheEntry[Name] };

/** A thing derived from an entry, and kept as long as the entry. */
export interface KeptWith {
  /** Its size in bytes. */
  readonly bytes: number;
}

/** Where entries are kept. */
export interface EntryHome {
  /** Counts what is kept with the entry; false if the entry is not there, or would be too large. */
  readonly resize: (key: string, entry: CacheEntry, extraBytes: number) => boolean;
}

/** Larger bodies are kept as bytes. */
export const MAX_TEXT_BYTES = 16_384;

class ResidentEntry implements Complete {
  declare readonly headers: HeaderList;
  declare readonly validators: Validators;
  declare readonly etag: string;
  declare readonly body: Buffer;

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
  readonly tags: readonly string[];
  readonly coding: ContentCoding;
  readonly hitFlagName: string | undefined;
  readonly indexMark: number | undefined;
  readonly softPurgeMark: number | undefined;

  readonly #key: string;
  readonly #home: EntryHome;
  readonly #shape: PackedFields['shape'];
  readonly #own: PackedFields['own'];
  /** Undefined: those of the header fields. */
  readonly #validators: Validators | undefined;
  /** Undefined: that of the header fields. */
  readonly #etag: string | undefined;
  #body: string | Buffer;
  /** For a `#body` without the coding, which gives the stored bytes again: their number; 0 for a body as it was put. */
  #packedBytes = 0;
  #keptWith: KeptWith | undefined = undefined;

  // Own and enumerable, so that a copy (`{ ...entry }`) has them; the same functions for all, so that they take no room in any.
  static readonly #ACCESSORS: PropertyDescriptorMap & ThisType<ResidentEntry> = {
    headers: {
      enumerable: true,
      get() {
        return unpackFields(this.#shape, this.#own);
      },
    },
    validators: {
      enumerable: true,
      get() {
        return this.#validators ?? validatorsIn(this.headers);
      },
    },
    etag: {
      enumerable: true,
      get() {
        return this.#etag ?? validatorsIn(this.headers).etag ?? '';
      },
    },
    body: {
      enumerable: true,
      get() {
        const body = typeof this.#body === 'string' ? Buffer.from(this.#body, 'latin1') : this.#body;
        return this.#packedBytes > 0 ? gzipSync(body, CODED_AS) : body;
      },
    },
  };

  constructor(key: string, home: EntryHome, entry: CacheEntry, { shape, own }: PackedFields) {
    this.id = entry.id;
    this.status = entry.status;
    this.upstream = sharedText(entry.upstream);
    this.storedAt = entry.storedAt;
    this.freshUntil = entry.freshUntil;
    this.staleWhileRevalidateMs = entry.staleWhileRevalidateMs;
    this.staleIfErrorMs = entry.staleIfErrorMs;
    this.retainForRevalidationMs = entry.retainForRevalidationMs;
    this.mustRevalidate = entry.mustRevalidate;
    this.loadDurationMs = entry.loadDurationMs;
    this.tags = entry.tags.length === 0 ? NOTHING : entry.tags.map(sharedText);
    this.coding = entry.coding;
    this.hitFlagName = entry.hitFlagName;
    this.indexMark = entry.indexMark;
    this.softPurgeMark = entry.softPurgeMark;
    this.#key = key;
    this.#home = home;
    this.#shape = shape;
    this.#own = own;
    const inFields = validatorsIn(entry.headers);
    const { etag, lastModified } = entry.validators;
    const isInFields = inFields.etag === etag && inFields.lastModified === lastModified;
    this.#validators = isInFields ? undefined : { ...entry.validators };
    this.#etag = entry.etag === (inFields.etag ?? '') ? undefined : entry.etag;
    this.#body = entry.body.length <= MAX_TEXT_BYTES ? entry.body.toString('latin1') : ownBytes(entry.body);
    Object.defineProperties(this, ResidentEntry.#ACCESSORS);
  }

  /** Its own bytes, without the key. */
  static bytesOf(entry: ResidentEntry): number {
    const { etag, lastModified } = entry.#validators ?? NO_VALIDATORS;
    const texts = [etag, lastModified, entry.#etag].reduce((sum, text) => sum + (text ? textBytes(text) : 0), 0);
    return OBJECT_BYTES + texts + (entry.#validators ? OBJECT_IN_ENTRY_BYTES : 0) + sizeOf(entry.#body);
  }

  // The following accept any entry. An entry that is not memory's own has nothing kept with it.

  /** The thing kept with the entry; undefined for nothing, or for an entry that is not memory's own. */
  static readonly keptWith = (entry: CacheEntry): KeptWith | undefined =>
    #keptWith in entry ? entry.#keptWith : undefined;

  /** Keeps something with the entry, in place of the last; false where memory has not the entry (any more), or no room for both. */
  static readonly keepWith = (entry: CacheEntry, made: KeptWith): boolean => {
    if (!(#keptWith in entry) || !entry.#home.resize(entry.#key, entry, made.bytes)) return false;
    entry.#keptWith = made;
    return true;
  };

  /** The key itself, or the equal one that the entry is kept under. */
  static readonly keyIn = (entry: CacheEntry, key: string): string =>
    #key in entry && entry.#key === key ? entry.#key : key;

  /** The text itself, or the equal one that the entry has already. */
  static readonly textIn = (entry: CacheEntry, text: string): string =>
    #body in entry && entry.#body === text ? entry.#body : text;

  /** Whether the entry's body is kept as this text. */
  static readonly hasText = (entry: CacheEntry, text: string): boolean => #body in entry && entry.#body === text;

  /** The size of the stored body, without making it again from the kept form. */
  static readonly bodyBytesOf = (entry: CacheEntry): number =>
    #body in entry ? entry.#packedBytes || entry.#body.length : entry.body.length;

  /**
   * Keeps the unpacked body in place of its gzip form, if that form can be made of it again to the byte.
   *
   * @param text as latin1
   * @returns by how many bytes the entry grows
   */
  static readonly keepUnpacked = (entry: CacheEntry, text: string): number => {
    if (!(#body in entry) || entry.#packedBytes > 0 || entry.coding !== 'gzip' || typeof entry.#body !== 'string')
      return 0;
    if (gzipSync(Buffer.from(text, 'latin1'), CODED_AS).toString('latin1') !== entry.#body) return 0;
    const added = textBytes(text) - textBytes(entry.#body);
    entry.#packedBytes = entry.#body.length;
    entry.#body = text;
    return added;
  };
}

export const { keptWith, keepWith, keyIn, textIn, hasText, bodyBytesOf, keepUnpacked } = ResidentEntry;

export interface Resident {
  readonly entry: CacheEntry;
  /** The bytes that the entry and its key occupy in the process. */
  readonly bytes: number;
}

/** The entry itself, its numbers and its id, its place in the table of entries. */
const OBJECT_BYTES = 400;
const OBJECT_IN_ENTRY_BYTES = 40;
/** V8's overhead for bytes outside of its heap. */
const BUFFER_BYTES = 280;
const REFERENCE_BYTES = 8;
/** A table's row, such as that of a tag. */
const ROW_BYTES = 56;
/** V8 keeps such small typed arrays on its heap, at far less cost than a buffer outside. */
const ON_HEAP_BYTES = 64;
const NOTHING: readonly never[] = [];
const NO_VALIDATORS: Validators = {};

/** A copy of the entry in the form of memory, under the key. */
export function resident(key: string, given: CacheEntry, home: EntryHome): Resident {
  const [fields, fieldBytes] = packFields(given.headers);
  const entry = new ResidentEntry(key, home, given, fields);
  let bytes = ResidentEntry.bytesOf(entry) + textBytes(key) + fieldBytes;
  for (const tag of entry.tags) bytes += REFERENCE_BYTES + ROW_BYTES + textBytes(tag);
  return { entry, bytes };
}

/** A copy without the body. */
export function metadataOf(entry: CacheEntry): EntryMetadata {
  const names = Object.keys(entry) as (keyof CacheEntry)[];
  const own = names.filter((name) => name !== 'body' && name !== 'softPurgeMark');
  return Object.fromEntries(own.map((name) => [name, entry[name]])) as unknown as EntryMetadata;
}

/** The bytes of a buffer with its own memory. */
export function bufferBytes(length: number): number {
  return length <= ON_HEAP_BYTES ? 128 + length : BUFFER_BYTES + length;
}

function sizeOf(body: string | Buffer): number {
  return typeof body === 'string' ? textBytes(body) : bufferBytes(body.length);
}

function validatorsIn(headers: HeaderList): Validators {
  const valueOf = (field: string): string | undefined => headers.find(([name]) => name === field)?.[1];
  return validatorsFrom(valueOf('etag'), valueOf('last-modified'));
}

/** A slice of a pool, or of a socket's read buffer, would keep all of that alive as long as the entry. */
function ownBytes(body: Buffer): Buffer {
  if (body.buffer.byteLength === body.length) return body;
  const own = Buffer.allocUnsafeSlow(body.length);
  body.copy(own);
  return own;
}

/** The latest tags and names of upstreams, by themselves: many entries have the same. */
const texts = new BoundedMap<string, string>(1_024);

function sharedText(text: string): string {
  return texts.getOrMake(text, inOnePiece);
}

/** In a form that the compiler cannot optimise away. */
const lastRead = { number: 0 };

/** The text as one piece: V8 keeps a concatenated text as pieces until the whole text is read. */
export function inOnePiece(text: string): string {
  lastRead.number = Number(text);
  return text;
}
