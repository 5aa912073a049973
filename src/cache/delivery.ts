import type { CacheEntry, ContentCoding, HeaderList } from './core/cache-entry';
import { cacheFields } from './cache-headers';
import type { CacheAnswer } from './core/cache-request';
import { gzipTag } from './core/content-coding';
import { withLastMember } from './core/representation';
import type { FlatFields } from './head-text';
import { PreparedAnswer } from './prepared-answer';

/**
 * An entry as it goes out in one coding.
 *
 * Its one invariant: interceptor and lane send what this says, so that both send the same.
 */
export class Delivery extends PreparedAnswer<CacheAnswer> {
  readonly etag: string;

  constructor(
    entry: CacheEntry,
    private readonly key: string,
    readonly coding: ContentCoding,
    coded: Buffer,
  ) {
    const kept = keptFields(entry, coding);
    const body = entry.marker === undefined ? coded : withLastMember(coded, entry.marker, 'true');
    super(entry, body, kept, withoutContent(kept));
    this.etag = coding === 'gzip' ? gzipTag(entry.etag) : entry.etag;
  }

  protected fieldsOf(answer: CacheAnswer, now: number): FlatFields {
    const fields = Object.entries(cacheFields(answer, this.key, now)).flat() as string[];
    return [...fields, 'etag', this.etag];
  }
}

/** Fields that a 304 does not repeat: they tell of a body that is not there (RFC 9110 §15.4.5). */
const CONTENT_FIELDS: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'content-language']);

function keptFields(entry: CacheEntry, coding: ContentCoding): HeaderList {
  const fields: [string, string][] = [];
  const vary: string[] = [];
  for (const [name, value] of entry.headers) {
    if (name === 'vary') vary.push(value);
    else fields.push([name, value]);
  }
  // Both forms of one entry say that there are two (RFC 9110 §12.5.5).
  if (entry.coding !== 'identity' && !/\baccept-encoding\b|\*/i.test(vary.join())) vary.push('Accept-Encoding');
  if (vary.length > 0) fields.push(['vary', vary.join(', ')]);
  if (coding !== 'identity') fields.push(['content-encoding', coding]);
  return fields;
}

function withoutContent(fields: HeaderList): HeaderList {
  return fields.filter(([name]) => !CONTENT_FIELDS.has(name));
}
