import type { CacheEntry, HeaderList, Validators } from '../cache-entry';
import { storedForm } from '../content-coding';
import { newEntryId } from '../random-id';
import { valueOf } from './fields';
import type { OriginResponse } from './exchange';
import type { ResponsePolicy } from './response-policy';
import { sharedFields } from './shared-fields';
import { updatedHeaders } from './update';

export interface EntryOptions {
  /** How long after it is stale a response is kept, to be validated or asked for by `max-stale`, in milliseconds. */
  readonly keepMs: number;
  /** Whether fields that are meant for one client are stored like others, as RFC 9111 §3.1 has it. */
  readonly keepsEveryField?: boolean | undefined;
}

/** With the soft-purge mark of the index when the load began, 0 for none. */
type OptionsUnderMark = EntryOptions & { readonly indexMark: number };

/** The entry of a whole response. Fields of one delivery (`Age`) and those that must not be reused stay out. */
export async function httpEntry(
  { status, headers, requestedAt, receivedAt }: Omit<OriginResponse, 'body'>,
  body: Buffer,
  policy: ResponsePolicy,
  upstream: string,
  { keepMs, keepsEveryField, indexMark }: OptionsUnderMark,
): Promise<CacheEntry> {
  const kept = storedHeaders(headers, policy, keepsEveryField);
  const validators = validatorsOf(kept);
  return {
    ...{ id: newEntryId(), status, headers: kept, validators, upstream, tags: [] },
    ...timesOf(policy, validators, keepMs),
    loadMs: receivedAt - requestedAt,
    etag: valueOf(kept, 'etag') ?? '',
    ...(await storedForm(body, kept)),
    ...(indexMark === 0 ? {} : { indexMark }),
  };
}

/** The stored entry after a 304: its fields updated, its life anew (RFC 9111 §4.3.4). */
export function validatedEntry(
  base: CacheEntry,
  { headers, requestedAt, receivedAt }: Omit<OriginResponse, 'body'>,
  policy: ResponsePolicy,
  { keepMs, keepsEveryField, indexMark }: OptionsUnderMark,
): CacheEntry {
  const { softPurgeMark, keepMs: keptMs, indexMark: lastMark, ...kept } = base;
  return {
    ...kept,
    id: newEntryId(),
    headers: storedHeaders(updatedHeaders(base.headers, headers), policy, keepsEveryField),
    ...timesOf(policy, base.validators, keepMs),
    loadMs: receivedAt - requestedAt,
    ...(indexMark === 0 ? {} : { indexMark }),
  };
}

export function validatorsOf(headers: HeaderList): Validators {
  const etag = valueOf(headers, 'etag');
  const lastModified = valueOf(headers, 'last-modified');
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
}

/** @param keepMs how long it is kept once it is stale, where that is of any use: to be validated, or for who takes it stale */
function timesOf(policy: ResponsePolicy, { etag, lastModified }: Validators, keepMs: number) {
  const isOfUse = etag !== undefined || lastModified !== undefined || (policy.lifetimeMs > 0 && !policy.mustRevalidate);
  return {
    storedAt: policy.bornAt,
    freshUntil: policy.bornAt + policy.lifetimeMs,
    swrMs: policy.mustRevalidate ? 0 : policy.swrMs,
    sieMs: policy.mustRevalidate ? 0 : (policy.sieMs ?? 0),
    mustRevalidate: policy.mustRevalidate,
    ...(isOfUse ? { keepMs } : {}),
  };
}

function storedHeaders(headers: HeaderList, policy: ResponsePolicy, keepsEveryField = false): HeaderList {
  const kept = headers.filter(([name]) => name !== 'age');
  return fieldsForOthers(kept, policy, keepsEveryField);
}

/** The fields that go to other requests than the one that loaded them, whether they are stored for them or they waited for it. */
export function fieldsForOthers(
  headers: HeaderList,
  { leftOut }: Pick<ResponsePolicy, 'leftOut'>,
  keepsEveryField = false,
): HeaderList {
  const kept = leftOut.length === 0 ? headers : headers.filter(([name]) => !leftOut.includes(name));
  return keepsEveryField ? kept : sharedFields(kept);
}
