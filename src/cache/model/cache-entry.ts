/** How the stored bytes of a body are coded (RFC 9110 §8.4.1). */
export type ContentCoding = 'identity' | 'gzip';

/** The stored header fields of the response, names in lower case, order and repetition as received. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** The validators of the response (RFC 9110 §8.8): the cache sends them to ask the upstream whether anything changed. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The validators that there are. */
export function validatorsFrom(etag: string | undefined, lastModified: string | undefined): Validators {
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
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
  /** How long after `freshUntil` it may be served during a background refresh (RFC 5861 §3). */
  readonly staleWhileRevalidateMs: number;
  /** How long after `freshUntil` it may be served when the upstream fails (RFC 5861 §4). */
  readonly staleIfErrorMs: number;
  /** How long after `freshUntil` it is kept for revalidation, whether it may be served stale or not. */
  readonly retainForRevalidationMs?: number | undefined;
  /** Whether any stale use requires validation (RFC 9111 §5.2.2.2). */
  readonly mustRevalidate: boolean;
  /** How long the load took: the delta of XFetch. */
  readonly loadDurationMs: number;
  /** The entity tag for clients, of the body without coding. */
  readonly etag: string;
  /** How the stored body is coded. */
  readonly coding: ContentCoding;
  /** For a variant or a projection: the soft-purge mark of its index when its load began; absent for none. */
  readonly indexMark?: number | undefined;
  /** The last member of a JSON object body that says `true` on a hit and `false` else, such as `cached`. */
  readonly hitFlagName?: string | undefined;
}

/** A stored response. */
export interface CacheEntry extends EntryMetadata {
  readonly body: Buffer;
  /**
   * Set by a soft purge: the entry counts as stale, whatever `freshUntil` says, and is only validated or served on errors. Each soft purge
   * of a key writes a greater number than the last. It is a count, not an instant: no clock is involved.
   */
  readonly softPurgeMark?: number | undefined;
}

/** The instant after which the entry may not be used at all and every store may drop it. */
export function endOfLife(entry: EntryMetadata): number {
  return (
    entry.freshUntil + Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs, entry.retainForRevalidationMs ?? 0)
  );
}
