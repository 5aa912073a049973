import type { ListedEntry } from '../cache';
import { looksLikeIndex } from '../cache';
import type { EntryDocument, EntryKind } from './entry.documents';
import { ageMs, freshForMs, isFresh } from '../cache/law';

/** An entry for operators: what its head and its key say. */
export function entryView(
  { key, metadata, bodyBytes, softPurgeMark, expiresInMs, members, isUnreachable }: ListedEntry,
  now: number,
): EntryDocument {
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
