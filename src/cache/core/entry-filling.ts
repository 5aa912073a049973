import type { CacheEntry, HeaderList } from './cache-entry';
import { tagOfUpstream } from './cache-key';
import type { CacheRequest } from './cache-request';
import { jittered } from './freshness';
import type { LoadedResponse } from './load';
import { newEntryId } from './random-id';

/** What an entry is made of beside the response. */
export interface Filling {
  readonly request: CacheRequest;
  readonly now: number;
  readonly loadMs: number;
  /** Uniform in [0, 1). */
  readonly random: number;
}

// RFC 9111 §4.2.2 leaves it to the cache to remember these without an explicit lifetime; ours is the policy's negative one.
const NEGATIVE_STATUSES: ReadonlySet<number> = new Set([404, 410, 451]);

/** The entry of a response just received. */
export function filledEntry(loaded: LoadedResponse, { request, now, loadMs, random }: Filling): CacheEntry {
  const { policy } = request;
  const isNegative = NEGATIVE_STATUSES.has(loaded.status);
  const bornAt = loaded.bornAt ?? now;
  const ttlMs = loaded.ttlMs ?? (isNegative ? policy.negativeTtlMs : policy.ttlMs);
  return {
    id: newEntryId(),
    status: loaded.status,
    headers: loaded.headers,
    validators: loaded.validators,
    upstream: request.upstream,
    tags: [...new Set([tagOfUpstream(request.upstream), ...request.tags, ...loaded.tags])],
    storedAt: bornAt,
    freshUntil: bornAt + jittered(ttlMs, policy.jitter, random),
    swrMs: isNegative ? 0 : policy.swrMs,
    sieMs: isNegative ? 0 : policy.sieMs,
    mustRevalidate: false,
    loadMs,
    etag: loaded.etag,
    coding: 'identity',
    body: loaded.body,
    ...(request.marker === undefined ? {} : { marker: request.marker }),
    ...underMark(request),
  };
}

/**
 * The stored entry with the header fields of a 304 over its own, and a new life (RFC 9111 §3.2, §4.3.4). The body, and so
 * the entity tag that clients see, stay.
 */
export function freshenedEntry(
  base: CacheEntry,
  headers: HeaderList,
  { request, now, loadMs, random }: Filling,
): CacheEntry {
  const { policy } = request;
  const isNegative = NEGATIVE_STATUSES.has(base.status);
  const updated = new Set(headers.map(([name]) => name));
  const { softPurgeMark, indexMark, ...kept } = base;
  return {
    ...kept,
    id: newEntryId(),
    headers: [...base.headers.filter(([name]) => !updated.has(name)), ...headers],
    storedAt: now,
    freshUntil: now + jittered(isNegative ? policy.negativeTtlMs : policy.ttlMs, policy.jitter, random),
    swrMs: isNegative ? 0 : policy.swrMs,
    sieMs: isNegative ? 0 : policy.sieMs,
    loadMs,
    ...underMark(request),
  };
}

function underMark({ indexMark = 0 }: CacheRequest): Pick<CacheEntry, 'indexMark'> {
  return indexMark === 0 ? {} : { indexMark };
}
