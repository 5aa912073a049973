import { randomBytes } from 'node:crypto';
import type { CacheEntry, HeaderList, Validators } from '../cache-entry';
import { storedForm } from '../content-coding';
import { valueOf } from './fields';
import type { OriginResponse } from './exchange';
import type { ResponsePolicy } from './response-policy';
import { updatedHeaders } from './update';

/** What the operator adds to what responses say. Durations in milliseconds. */
export interface StaleAllowance {
  /** Stale-if-error where the response says nothing of it. */
  readonly sieMs: number;
  /** How long a response with a validator is kept to be validated. */
  readonly keepMs: number;
}

/** The entry of a whole response. Fields of one delivery (`Age`) and those that must not be reused stay out. */
export async function httpEntry(
  { status, headers, requestedAt, receivedAt }: Omit<OriginResponse, 'body'>,
  body: Buffer,
  policy: ResponsePolicy,
  { upstream, allowance }: { readonly upstream: string; readonly allowance: StaleAllowance },
): Promise<CacheEntry> {
  const kept = storedHeaders(headers, policy);
  const validators = validatorsOf(kept);
  return {
    ...{ id: newId(), status, headers: kept, validators, upstream, tags: [] },
    ...timesOf(policy, validators, allowance),
    loadMs: receivedAt - requestedAt,
    etag: valueOf(kept, 'etag') ?? '',
    ...(await storedForm(body, kept)),
  };
}

/** The stored entry after a 304: its fields updated, its life anew (RFC 9111 §4.3.4). */
export function validatedEntry(
  base: CacheEntry,
  { headers, requestedAt, receivedAt }: Omit<OriginResponse, 'body'>,
  policy: ResponsePolicy,
  allowance: StaleAllowance,
): CacheEntry {
  const { staledAt, keepMs, ...kept } = base;
  return {
    ...kept,
    id: newId(),
    headers: updatedHeaders(base.headers, storedHeaders(headers, policy)),
    ...timesOf(policy, base.validators, allowance),
    loadMs: receivedAt - requestedAt,
  };
}

export function validatorsOf(headers: HeaderList): Validators {
  const etag = valueOf(headers, 'etag');
  const lastModified = valueOf(headers, 'last-modified');
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
}

function timesOf(policy: ResponsePolicy, { etag, lastModified }: Validators, allowance: StaleAllowance) {
  const hasValidator = etag !== undefined || lastModified !== undefined;
  return {
    storedAt: policy.bornAt,
    freshUntil: policy.bornAt + policy.lifetimeMs,
    swrMs: policy.mustRevalidate ? 0 : policy.swrMs,
    sieMs: policy.mustRevalidate ? 0 : (policy.sieMs ?? allowance.sieMs),
    mustRevalidate: policy.mustRevalidate,
    ...(hasValidator ? { keepMs: allowance.keepMs } : {}),
  };
}

function storedHeaders(headers: HeaderList, { leftOut }: ResponsePolicy): HeaderList {
  return headers.filter(([name]) => name !== 'age' && !leftOut.includes(name));
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}
