import type { CacheTier } from './core/cache-outcome';
import { ageMs, freshForMs } from './core/freshness';
import type { CacheEntry, HeaderList } from './core/cache-entry';
import { bufferBytes, inOnePiece, textBytes } from './core/resident-entry';
import { areSound, linesOf, statusLine, tailOf, type FlatFields } from './head-text';

const LARGEST_TEXT_BYTES = 16_384;
/** The objects, and where they are found. */
const OVERHEAD_BYTES = 900;
/** What the head says beside the fields of the entry: what the cache and the edge add. */
const ADDED_HEAD_BYTES = 720;
/** A field's line end and its place in the list. */
const FIELD_BYTES = 12;

/** The head of a hit as text, but for what differs from one request to the next: it goes between the two. */
export interface HeadText {
  readonly front: string;
  readonly back: string;
}

/** What the head says beside the entry. */
export interface HeadContext {
  /** Fields that the edge adds to every answer. */
  readonly edge: FlatFields;
  /** Its `keepAliveTimeout`, in milliseconds, is told; 0 is no promise. */
  readonly server: { readonly keepAliveTimeout: number };
}

/** A hit, as far as its head tells of it. */
export interface Hit {
  readonly entry: CacheEntry;
  readonly tier: CacheTier;
}

/** An entry as it goes out: all that is the same from one answer to the next is made once. */
export abstract class PreparedAnswer<Answer extends Hit = Hit> {
  readonly status: number;
  readonly statusLine: string;
  readonly bodyBytes: number;
  /** The body's bytes as latin1 text: node sends head and text in one write, head and bytes in two. Of small bodies only. */
  readonly text: string | undefined;
  /** Of a body that is the stored one, or too large to be a text. */
  private readonly bytes: Buffer | undefined;
  private isSound: boolean | undefined;
  private age = -1;
  private ttl = 0;
  private second = 0;
  private keepAliveMs = 0;
  private tier: CacheTier = 'l1';
  private head: HeadText | undefined;
  private headNotModified: HeadText | undefined;

  constructor(
    { status, body: stored }: CacheEntry,
    body: Buffer,
    /** The fields of the entry as they go out. */
    readonly kept: HeaderList,
    /** As `kept`, of a 304. */
    readonly keptNotModified: HeaderList,
  ) {
    this.status = status;
    this.statusLine = statusLine(status);
    this.bodyBytes = body.length;
    this.text = body.length <= LARGEST_TEXT_BYTES ? body.toString('latin1') : undefined;
    this.bytes = this.text === undefined || body === stored ? body : undefined;
  }

  /** The bytes of a hit. */
  get body(): Buffer {
    return this.bytes ?? Buffer.from(this.text ?? '', 'latin1');
  }

  /** What it holds beside the entry, or in all where nobody else keeps that, in bytes. */
  bytesBeside(entry: CacheEntry | undefined): number {
    const body = this.bytes === undefined || this.bytes === entry?.body ? 0 : bufferBytes(this.bytes.length);
    const head = ADDED_HEAD_BYTES + linesBytes(this.kept);
    return OVERHEAD_BYTES + head + body + (this.text === undefined ? 0 : textBytes(this.text));
  }

  /** Whether the fields can be written as they are: what node would refuse is left to node to refuse. */
  get isWritable(): boolean {
    this.isSound ??= areSound(this.kept.flat());
    return this.isSound;
  }

  /**
   * The head that node would write for the same fields, from the stored ones to `X-Request-Id: ` in front, and from
   * `Content-Length` on behind. Made anew when a second has passed, or the server promises another time.
   */
  headText(answer: Answer, now: number, isNotModified: boolean, context: HeadContext): HeadText {
    const age = Math.floor(ageMs(answer.entry, now) / 1000);
    const ttl = Math.floor(freshForMs(answer.entry, now) / 1000);
    const second = Math.floor(Date.now() / 1000);
    const { tier } = answer;
    const keepAliveMs = context.server.keepAliveTimeout;
    const isSame = age === this.age && ttl === this.ttl && second === this.second;
    if (!isSame || tier !== this.tier || keepAliveMs !== this.keepAliveMs) {
      [this.age, this.ttl, this.second, this.tier, this.keepAliveMs] = [age, ttl, second, tier, keepAliveMs];
      this.head = this.headNotModified = undefined;
    }
    if (isNotModified) return (this.headNotModified ??= this.headOf(this.keptNotModified, '', answer, now, context));
    return (this.head ??= this.headOf(this.kept, `\r\ncontent-length: ${this.bodyBytes}`, answer, now, context));
  }

  /** What the cache has to say of the hit, at this instant. */
  protected abstract fieldsOf(answer: Answer, now: number): FlatFields;

  /** What the edge adds to the fields that are kept. */
  protected edgeFields(edge: FlatFields, _kept: HeaderList): FlatFields {
    return edge;
  }

  private headOf(kept: HeaderList, length: string, answer: Answer, now: number, { edge }: HeadContext): HeadText {
    const fields = [...kept.flat(), ...this.fieldsOf(answer, now), ...this.edgeFields(edge, kept)];
    return {
      front: inOnePiece(`${linesOf(fields)}x-request-id: `),
      back: inOnePiece(`${length}${tailOf(this.second, this.keepAliveMs, hasDate(kept))}`),
    };
  }
}

function linesBytes(fields: HeaderList): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + FIELD_BYTES, 0);
}

function hasDate(kept: HeaderList): boolean {
  return kept.some(([name]) => name === 'date');
}
