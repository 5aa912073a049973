import { jittered } from '../law/freshness';
import { validatorsFrom, type CacheEntry, type HeaderList, type Validators } from '../model/cache-entry';
import { codedForStorage } from '../law/content-coding';
import { newEntryId } from '../model/random-id';
import { valueOf } from '../law/fields';
import type { OriginResponse } from '../model/exchange';
import type { ResponsePolicy } from '../law/response-policy';
import { sharedFields } from '../law/shared-fields';
import { updatedHeaders } from '../law/update';
import type { HttpCacheOptions } from './http-cache.options';

/** With the soft-purge mark of the index when the load began, 0 for none. */
export type EntryOptions = Pick<HttpCacheOptions, 'retainForRevalidationMs' | 'keepsEveryField' | 'random'> & {
  readonly indexMark: number;
};

/** The members of an entry that do not come from the response. */
export interface EntrySubject {
  readonly upstream: string;
  /** For an entry without an index; a member has its index's tags. */
  readonly tags: readonly string[];
  readonly hitFlagName?: string | undefined;
}

/** The entry of a whole response, its body as received. Fields of one delivery (`Age`) and fields that must not be reused are removed. */
export function httpEntry(
  response: Omit<OriginResponse, 'body'>,
  body: Buffer,
  policy: ResponsePolicy,
  { upstream, tags, hitFlagName }: EntrySubject,
  options: EntryOptions,
): CacheEntry {
  const { status, requestedAt, receivedAt } = response;
  const { indexMark } = options;
  const headers = storedHeaders(response.headers, policy, options.keepsEveryField);
  const validators = response.validators ?? validatorsFrom(valueOf(headers, 'etag'), valueOf(headers, 'last-modified'));
  return {
    ...{ id: newEntryId(), status, headers, validators, upstream, tags },
    ...timesOf(policy, validators, options),
    loadDurationMs: receivedAt - requestedAt,
    etag: response.etag ?? valueOf(headers, 'etag') ?? '',
    ...{ body, coding: 'identity' },
    ...(hitFlagName === undefined ? {} : { hitFlagName }),
    ...(indexMark === 0 ? {} : { indexMark }),
  };
}

/** The entry as it is stored: compressed where that saves enough. With a hit flag the body stays uncompressed. */
export async function compressed(entry: CacheEntry): Promise<CacheEntry> {
  return entry.hitFlagName === undefined ? { ...entry, ...(await codedForStorage(entry.body, entry.headers)) } : entry;
}

/** The stored entry after a 304: its fields updated, its lifetime restarted (RFC 9111 §4.3.4). */
export function validatedEntry(
  base: CacheEntry,
  { headers, requestedAt, receivedAt }: Omit<OriginResponse, 'body'>,
  policy: ResponsePolicy,
  options: EntryOptions,
): CacheEntry {
  const { softPurgeMark, retainForRevalidationMs: keptMs, indexMark: lastMark, ...kept } = base;
  const { indexMark, keepsEveryField } = options;
  return {
    ...kept,
    id: newEntryId(),
    headers: storedHeaders(updatedHeaders(base.headers, headers), policy, keepsEveryField),
    ...timesOf(policy, base.validators, options),
    loadDurationMs: receivedAt - requestedAt,
    ...(indexMark === 0 ? {} : { indexMark }),
  };
}

/** Kept beyond its freshness only if useful: for validation, or for clients that accept it stale. */
function timesOf(
  policy: ResponsePolicy,
  { etag, lastModified }: Validators,
  { retainForRevalidationMs, random = Math.random }: EntryOptions,
) {
  const mustRevalidate = policy.revalidation !== 'none';
  const isOfUse = etag !== undefined || lastModified !== undefined || (policy.lifetimeMs > 0 && !mustRevalidate);
  return {
    storedAt: policy.generatedAt,
    freshUntil: policy.generatedAt + jittered(policy.lifetimeMs, policy.jitter, random()),
    staleWhileRevalidateMs: mustRevalidate ? 0 : (policy.staleWhileRevalidateMs ?? 0),
    staleIfErrorMs: mustRevalidate ? 0 : (policy.staleIfErrorMs ?? 0),
    mustRevalidate,
    ...(isOfUse && retainForRevalidationMs > 0 ? { retainForRevalidationMs } : {}),
  };
}

function storedHeaders(headers: HeaderList, policy: ResponsePolicy, keepsEveryField = false): HeaderList {
  const kept = headers.filter(([name]) => name !== 'age');
  return fieldsForOthers(kept, policy, keepsEveryField);
}

/** The fields for requests other than the load's own, from the store or by waiting. */
export function fieldsForOthers(
  headers: HeaderList,
  { strippedHeaders }: Pick<ResponsePolicy, 'strippedHeaders'>,
  keepsEveryField = false,
): HeaderList {
  const kept = strippedHeaders.length === 0 ? headers : headers.filter(([name]) => !strippedHeaders.includes(name));
  return keepsEveryField ? kept : sharedFields(kept);
}
