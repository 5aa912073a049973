import type { CacheEntry } from './core/cache-entry';
import { bodyOf } from './answer-sender';
import { cacheFields } from './cache-headers';
import type { CacheAnswer } from './core/cache-request';
import { ageMs, freshForMs } from './core/freshness';

const LARGEST_TEXT_BYTES = 16_384;

/**
 * A fresh hit of one entry, made ready once: what differs between two deliveries is `Age`, `Cache-Status` (once a second) and
 * what the edge adds.
 */
export class PreparedHit {
  readonly body: Buffer;
  /** The body's bytes as latin1 text: node sends head and text in one write, head and bytes in two. Of small bodies only. */
  readonly text: string | undefined;
  readonly contentLength: string;
  readonly etag: string;
  readonly status: number;
  /** The kept header fields, name and value in turn. */
  readonly kept: readonly string[];
  private age = -1;
  private ttl = 0;
  private fields: readonly string[] = [];

  constructor(
    answer: CacheAnswer,
    private readonly key: string,
  ) {
    const { entry } = answer;
    this.body = bodyOf(answer, '');
    this.text = this.body.length <= LARGEST_TEXT_BYTES ? this.body.toString('latin1') : undefined;
    this.contentLength = String(this.body.length);
    this.etag = entry.etag;
    this.status = entry.status;
    this.kept = entry.headers.flat();
  }

  /** `Cache-Status`, `Age` and `X-Cache`, name and value in turn. */
  cacheFields(answer: CacheAnswer, now: number): readonly string[] {
    const age = Math.floor(ageMs(answer.entry, now) / 1000);
    const ttl = Math.floor(freshForMs(answer.entry, now) / 1000);
    if (age !== this.age || ttl !== this.ttl) {
      this.age = age;
      this.ttl = ttl;
      this.fields = Object.entries(cacheFields(answer, this.key, now)).flat() as string[];
    }
    return this.fields;
  }
}

/** The prepared hits of the entries in memory; they go with their entries. */
export class PreparedHits {
  private readonly hits = new WeakMap<CacheEntry, PreparedHit>();

  of(answer: CacheAnswer, key: string): PreparedHit {
    const known = this.hits.get(answer.entry);
    if (known) return known;
    const made = new PreparedHit(answer, key);
    this.hits.set(answer.entry, made);
    return made;
  }
}
