import type { ListedEntry } from '../cache';
import { looksLikeIndex } from '../cache';
import { ageMs, freshForMs, isFresh } from '../cache/law';

/**
 * The kind of an entry, as far as its key and head reveal it (docs/reference/redis-keys.md): a plain entry; a resource's index, or one of
 * its members: a variant, or a projection. A member that its index no longer names is listed as `unreachable` until the store forgets it.
 */
export type EntryKind = 'entry' | 'index' | 'variant' | 'part';

/** An entry as an operator sees it. Times in seconds, sizes in bytes. */
export interface EntryView {
  readonly key: string;
  readonly kind: EntryKind;
  readonly upstream: string;
  /** The callers who may share it: `-` for callers without a credential; empty where the key names none. */
  readonly partition: string;
  readonly status: number;
  readonly size: number;
  readonly age: number;
  /** The remaining freshness; negative once stale. */
  readonly ttl: number;
  /** The remaining time until the store forgets it, stale windows included. */
  readonly expiresIn: number;
  /** Whether a request gets it without a request upstream. */
  readonly isFresh: boolean;
  readonly tags: readonly string[];
  readonly etag: string;
  readonly storedAt: string;
  /** After a soft purge: it is only validated, or served when the upstream fails; otherwise absent. */
  readonly softPurged?: true;
  /** For a variant or a projection: its index is gone or does not name it, so that no request finds it; otherwise absent. */
  readonly unreachable?: true;
  /** For a resource: the keys of its members. The other members describe the first of them. */
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

/** A member of an index has the generation in its key, and its selection or name. */
function kindOf(key: string, metadata: ListedEntry['metadata']): EntryKind {
  const [, word] = /\|[\w-]{1,16}\|([^|]+)$/.exec(key) ?? [];
  if (word !== undefined) return word === '-' || /^[\w-]{22}$/.test(word) ? 'variant' : 'part';
  return looksLikeIndex(metadata) ? 'index' : 'entry';
}
