/** How the stored bytes of a body are coded (RFC 9110 §8.4.1). */
export type ContentCoding = 'identity' | 'gzip';

/** The response's header fields worth keeping, names in lower case, order and repetition as received. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** The validators of the response (RFC 9110 §8.8): the cache sends them to ask the upstream whether anything changed. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** A stored response without its body. Instants are milliseconds since the epoch, durations milliseconds. */
export interface EntryMetadata {
  /** One random word for each fill or freshening: two entries with the same id are the same bytes. */
  readonly id: string;
  readonly status: number;
  readonly headers: HeaderList;
  readonly validators: Validators;
  /** The upstream's name, such as `acme`. */
  readonly upstream: string;
  readonly tags: readonly string[];
  /** When the response was received, or last validated: the zero of `Age`. */
  readonly storedAt: number;
  /** The end of freshness (RFC 9111 §4.2). */
  readonly freshUntil: number;
  /** How long after `freshUntil` it may be served while a refresh runs behind (RFC 5861 §3). */
  readonly staleWhileRevalidateMs: number;
  /** How long after `freshUntil` it may be served when the upstream fails (RFC 5861 §4). */
  readonly staleIfErrorMs: number;
  /** How long after `freshUntil` it is kept to be validated, whether it may be served stale or not. */
  readonly retainForRevalidationMs?: number;
  /** No stale use of any kind without validation (RFC 9111 §5.2.2.2). */
  readonly mustRevalidate: boolean;
  /** How long the load took: the delta of XFetch. */
  readonly loadDurationMs: number;
  /** The entity tag that clients of Larder see, of the body without coding. */
  readonly etag: string;
  /** How the stored body is coded. */
  readonly coding: ContentCoding;
  /** For a variant or a projection: the soft-purge mark of its index when its load began; absent for none. */
  readonly indexMark?: number;
  /** The last member of a JSON object body that says `true` on a hit and `false` else, such as `cached`. */
  readonly hitFlagName?: string;
}

/** A stored response. */
export interface CacheEntry extends EntryMetadata {
  readonly body: Buffer;
  /**
   * Set by a soft purge: the entry counts as stale, whatever `freshUntil` says, and is only validated or served on errors. Each soft
   * purge of a key writes a greater number than the one before. It is a count, not an instant: no clock takes part.
   */
  readonly softPurgeMark?: number;
}

/** The instant after which no use of the entry is allowed and every store may forget it. */
export function endOfLife(entry: EntryMetadata): number {
  return (
    entry.freshUntil + Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs, entry.retainForRevalidationMs ?? 0)
  );
}
