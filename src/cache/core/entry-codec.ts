import type { CacheEntry, EntryMetadata, HeaderList } from './cache-entry';

/**
 * The version of the stored format, part of every Redis key. A change that an older reader would misread is a new version;
 * entries of other versions are never looked at and end by their own expiry.
 */
export const FORMAT_VERSION = 'v1';

const LONGEST_METADATA_BYTES = 262_144;

/** The fields of a stored entry: one Redis hash. `staledAt` is absent but after a soft purge. */
export interface StoredFields {
  readonly id: string;
  readonly metadata: string;
  readonly body: Buffer;
}

/** The metadata as stored. One-letter names, for a million entries repeat them. Part of the public format: see its snapshot. */
interface StoredMetadata {
  s: number; // status
  h: [string, string][]; // header fields
  e?: string; // the upstream's ETag
  l?: string; // the upstream's Last-Modified
  u: string; // upstream
  t: string[]; // tags
  a: number; // stored at, epoch ms
  f: number; // fresh until, epoch ms
  w: number; // stale-while-revalidate, ms
  i: number; // stale-if-error, ms
  r?: 1; // must revalidate
  d: number; // load duration, ms
  g: string; // the entity tag for clients
  k?: string; // marker
  n: number; // body length, bytes
}

export function encodeMetadata(entry: CacheEntry): string {
  const stored: StoredMetadata = {
    s: entry.status,
    h: entry.headers.map(([name, value]) => [name, value]),
    ...(entry.validators.etag === undefined ? {} : { e: entry.validators.etag }),
    ...(entry.validators.lastModified === undefined ? {} : { l: entry.validators.lastModified }),
    u: entry.upstream,
    t: [...entry.tags],
    a: Math.round(entry.storedAt),
    f: Math.round(entry.freshUntil),
    w: entry.swrMs,
    i: entry.sieMs,
    ...(entry.mustRevalidate ? { r: 1 as const } : {}),
    d: Math.round(entry.loadMs),
    g: entry.etag,
    ...(entry.marker === undefined ? {} : { k: entry.marker }),
    n: entry.body.length,
  };
  return JSON.stringify(stored);
}

/** The entry, or undefined for anything that we did not write: nothing in Redis is trusted to be ours. */
export function decodeEntry(
  id: string,
  metadata: Buffer,
  body: Buffer,
  staledAt: string | undefined,
): CacheEntry | undefined {
  const stored = decodeMetadata(id, metadata);
  if (!stored || stored.bodyLength !== body.length) return undefined;
  const entry = { ...stored.metadata, body };
  if (staledAt === undefined) return entry;
  const at = Number(staledAt);
  return Number.isFinite(at) ? { ...entry, staledAt: at } : undefined;
}

/** As `decodeEntry`, without the body: its length stands for it. */
export function decodeMetadata(
  id: string,
  metadata: Buffer,
): { readonly metadata: EntryMetadata; readonly bodyLength: number } | undefined {
  if (id === '' || id.length > 64 || metadata.length > LONGEST_METADATA_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(metadata.toString('utf8'));
  } catch {
    return undefined; // truncated or foreign: a miss, as said above
  }
  if (!isStoredMetadata(value)) return undefined;
  return { metadata: toMetadata(id, value), bodyLength: value.n };
}

function toMetadata(id: string, stored: StoredMetadata): EntryMetadata {
  return {
    id,
    status: stored.s,
    headers: stored.h,
    validators: {
      ...(stored.e === undefined ? {} : { etag: stored.e }),
      ...(stored.l === undefined ? {} : { lastModified: stored.l }),
    },
    upstream: stored.u,
    tags: stored.t,
    storedAt: stored.a,
    freshUntil: stored.f,
    swrMs: stored.w,
    sieMs: stored.i,
    mustRevalidate: stored.r === 1,
    loadMs: stored.d,
    etag: stored.g,
    ...(stored.k === undefined ? {} : { marker: stored.k }),
  };
}

function isStoredMetadata(value: unknown): value is StoredMetadata {
  if (typeof value !== 'object' || value === null) return false;
  const { s, h, e, l, u, t, a, f, w, i, d, g, k, n } = value as Record<string, unknown>;
  return (
    Number.isInteger(s) &&
    (s as number) >= 200 &&
    (s as number) <= 599 &&
    isHeaderList(h) &&
    isOptionalText(e) &&
    isOptionalText(l) &&
    isFieldText(u) &&
    Array.isArray(t) &&
    t.every(isFieldText) &&
    [a, f, w, i, d, n].every(isDuration) &&
    isFieldText(g) &&
    isOptionalText(k)
  );
}

function isHeaderList(value: unknown): value is HeaderList {
  return (
    Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isFieldText))
  );
}

// RFC 9110 §5.5: no control characters in a field, whoever wrote it into Redis.
function isFieldText(value: unknown): value is string {
  return typeof value === 'string' && !/[\x00-\x08\x0a-\x1f\x7f]/.test(value);
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isFieldText(value);
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
