import type { ListedEntry } from '../cache';
import { ageMs, freshForMs, isFresh, looksLikeIndex } from '../cache';

/**
 * What an entry is, as far as its key and head tell (docs/reference/redis-keys.md): by itself; a resource's index, or what is found
 * through one: a response, or what a route has made of it. What an index no longer leads to is listed as `unreachable` until the store forgets it.
 */
export type EntryKind = 'entry' | 'index' | 'variant' | 'part';

/** An entry as an operator sees it. Times in seconds, sizes in bytes. */
export interface EntryView {
  readonly key: string;
  readonly kind: EntryKind;
  readonly upstream: string;
  /** Who may share it: `-` for callers without a credential; empty where the key names none. */
  readonly partition: string;
  readonly status: number;
  readonly size: number;
  readonly age: number;
  /** What is left of freshness; negative once stale. */
  readonly ttl: number;
  /** What is left until the store forgets it, stale windows included. */
  readonly expiresIn: number;
  /** Whether a request gets it without the upstream. */
  readonly isFresh: boolean;
  readonly tags: readonly string[];
  readonly etag: string;
  readonly storedAt: string;
  /** By a soft purge it is only validated, or served when the upstream fails; absent else. */
  readonly softPurged?: true;
  /** Of a variant or a part: its index is gone or leads elsewhere, so that no request finds it; absent else. */
  readonly unreachable?: true;
  /** Of a resource: the keys of what is stored of it. The rest is told of the first. */
  readonly members?: readonly string[];
}

export function entryView(
  { key, metadata, bodyBytes, softPurgeMark, expiresInMs, members, isUnreachable }: ListedEntry,
  now: number,
): EntryView {
  const entry = { ...metadata, body: Buffer.alloc(0), ...(softPurgeMark === undefined ? {} : { softPurgeMark }) };
  return {
    key,
    kind: members === undefined ? kindOf(key, metadata) : 'index',
    upstream: metadata.upstream,
    partition: partitionOf(key),
    status: metadata.status,
    size: bodyBytes,
    age: Math.floor(ageMs(metadata, now) / 1000),
    ttl: isUnreachable ? 0 : Math.floor(freshForMs(entry, now) / 1000),
    expiresIn: Math.floor(expiresInMs / 1000),
    isFresh: isUnreachable !== true && isFresh(entry, now),
    tags: metadata.tags,
    etag: metadata.etag,
    storedAt: new Date(metadata.storedAt).toISOString(),
    ...(softPurgeMark === undefined ? {} : { softPurged: true }),
    ...(isUnreachable === undefined ? {} : { unreachable: isUnreachable }),
    ...(members === undefined ? {} : { members }),
  };
}

/** The second part of a key such as `acme:-:/users/redis`. */
function partitionOf(key: string): string {
  return /^[^:/?]+:([\w-]{1,64}):\//.exec(key)?.[1] ?? '';
}

/** What is found through an index has its generation in the key, and what it is selected by or called. */
function kindOf(key: string, metadata: ListedEntry['metadata']): EntryKind {
  const [, word] = /\|[\w-]{1,16}\|([^|]+)$/.exec(key) ?? [];
  if (word !== undefined) return word === '-' || /^[\w-]{22}$/.test(word) ? 'variant' : 'part';
  return looksLikeIndex(metadata) ? 'index' : 'entry';
}
