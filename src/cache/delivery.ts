import type { CacheEntry, ContentCoding } from './core/cache-entry';
import { cacheFields } from './cache-headers';
import type { CacheAnswer } from './core/cache-request';
import { gzipTag } from './core/content-coding';
import { ageMs, freshForMs } from './core/freshness';
import { withLastMember } from './core/representation';
import { areSound, linesOf, statusLine, tailOf, type FlatFields } from './head-text';

const LARGEST_TEXT_BYTES = 16_384;
/** What the prepared head and the objects take, roughly. */
const OVERHEAD_BYTES = 2_048;

/** The head of a hit as text, but for what differs from one request to the next: it goes between the two. */
export interface HeadText {
  readonly front: string;
  readonly back: string;
}

/** What the head says beside the entry; all of it fixed for the life of a server. */
export interface HeadContext {
  /** Fields that the edge adds to every answer. */
  readonly edge: FlatFields;
  /** In milliseconds; 0 for no promise. */
  readonly keepAliveMs: number;
}

/**
 * An entry as it goes out in one coding. All that is the same from one delivery to the next is made once.
 *
 * Its one invariant: interceptor and lane send what this says, so that both send the same.
 */
export class Delivery {
  readonly status: number;
  readonly etag: string;
  readonly bodyBytes: number;
  /** The body's bytes as latin1 text: node sends head and text in one write, head and bytes in two. Of small bodies only. */
  readonly text: string | undefined;
  /** The stored header fields, and what the coding adds to them. */
  readonly kept: FlatFields;
  /** As `kept`, of a 304: without what describes a body. */
  readonly keptNotModified: FlatFields;
  readonly statusLine: string;
  /** Of a body that is the stored one, or too large to be a text. */
  private readonly bytes: Buffer | undefined;
  private isSound: boolean | undefined;
  private age = -1;
  private ttl = 0;
  private second = 0;
  private tier: CacheAnswer['tier'] = 'l1';
  private head: HeadText = { front: '', back: '' };
  private headNotModified: HeadText = { front: '', back: '' };

  constructor(
    entry: CacheEntry,
    private readonly key: string,
    readonly coding: ContentCoding,
    coded: Buffer,
  ) {
    this.status = entry.status;
    this.etag = coding === 'gzip' ? gzipTag(entry.etag) : entry.etag;
    const body = entry.marker === undefined ? coded : withLastMember(coded, entry.marker, 'true');
    this.bodyBytes = body.length;
    this.text = body.length <= LARGEST_TEXT_BYTES ? body.toString('latin1') : undefined;
    this.bytes = this.text === undefined || body === entry.body ? body : undefined;
    this.kept = keptFields(entry, coding);
    this.keptNotModified = withoutContent(this.kept);
    this.statusLine = statusLine(this.status);
  }

  /** The bytes of a hit, marker and all. */
  get body(): Buffer {
    return this.bytes ?? Buffer.from(this.text ?? '', 'latin1');
  }

  /** What it holds beside the entry, in bytes. */
  extraBytes(entry: CacheEntry): number {
    const body = this.bytes === undefined || this.bytes === entry.body ? 0 : this.bytes.length;
    return OVERHEAD_BYTES + body + (this.text?.length ?? 0);
  }

  /** Whether the fields can be written as they are: what node would refuse is left to node to refuse. */
  get isWritable(): boolean {
    this.isSound ??= areSound(this.kept);
    return this.isSound;
  }

  /**
   * The head that node would write for the same fields, from the stored ones to `X-Request-Id: ` in front, and from
   * `Content-Length` on behind. Made anew when a second has passed.
   */
  headText(answer: CacheAnswer, now: number, isNotModified: boolean, context: HeadContext): HeadText {
    const age = Math.floor(ageMs(answer.entry, now) / 1000);
    const ttl = Math.floor(freshForMs(answer.entry, now) / 1000);
    const second = Math.floor(Date.now() / 1000);
    if (age !== this.age || ttl !== this.ttl || second !== this.second || answer.tier !== this.tier) {
      [this.age, this.ttl, this.second, this.tier] = [age, ttl, second, answer.tier];
      const cached = Object.entries(cacheFields(answer, this.key, now)).flat() as string[];
      const ours = linesOf([...cached, 'etag', this.etag, ...context.edge]);
      const tail = tailOf(second, context.keepAliveMs);
      this.head = {
        front: `${linesOf(this.kept)}${ours}x-request-id: `,
        back: `\r\ncontent-length: ${this.bodyBytes}${tail}`,
      };
      this.headNotModified = { front: `${linesOf(this.keptNotModified)}${ours}x-request-id: `, back: tail };
    }
    return isNotModified ? this.headNotModified : this.head;
  }
}

/** Fields that a 304 does not repeat: they tell of a body that is not there (RFC 9110 §15.4.5). */
const CONTENT_FIELDS: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'content-language']);

function keptFields(entry: CacheEntry, coding: ContentCoding): FlatFields {
  const fields: string[] = [];
  const vary: string[] = [];
  for (const [name, value] of entry.headers) {
    if (name === 'vary') vary.push(value);
    else fields.push(name, value);
  }
  // Both forms of one entry say that there are two (RFC 9110 §12.5.5).
  if (entry.coding !== 'identity' && !/\baccept-encoding\b|\*/i.test(vary.join())) vary.push('Accept-Encoding');
  if (vary.length > 0) fields.push('vary', vary.join(', '));
  if (coding !== 'identity') fields.push('content-encoding', coding);
  return fields;
}

function withoutContent(fields: FlatFields): FlatFields {
  const left: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (!CONTENT_FIELDS.has(name)) left.push(name, fields[at + 1] ?? '');
  }
  return left;
}
