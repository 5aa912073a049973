import { parseDictionary, Token } from 'structured-headers';
import type { HeaderList } from '../model/cache-entry';
import {
  deltaSeconds,
  isUnqualified,
  parseDirectives,
  qualifiedFields,
  RESTRICTIVE,
  splitList,
  type Directives,
} from './directives';
import { valueOf, valuesOf } from './fields';
import { parseHttpDate } from './http-date';

/** How a cache may use a response: RFC 9111 §3 and §4.2 as pure functions. */

/** The facts about a response. Instants in milliseconds since the epoch. */
export interface ResponseFacts {
  readonly status: number;
  readonly headers: HeaderList;
  /** When its request was sent, and when its head arrived. */
  readonly requestedAt: number;
  readonly receivedAt: number;
}

/** The facts about a request that decide whether its response may be stored. */
interface RequestFacts {
  readonly hasAuthorization: boolean;
  readonly isNoStore: boolean;
  /** Whether a rule states the lifetime of a 2xx. */
  readonly isExplicit?: boolean | undefined;
}

/** A cache shared by all callers, or one for a single partition, which counts as one caller. */
export type CacheKind = 'shared' | 'private';

export interface ResponsePolicy {
  /** Whether it may be stored at all. */
  readonly isStorable: boolean;
  /** Fields that must not be stored (`private="…"`) or reused without validation (`no-cache="…"`). */
  readonly strippedHeaders: readonly string[];
  /** Freshness lifetime, in milliseconds; 0 where each use needs validation. */
  readonly lifetimeMs: number;
  /** The instant at which its age was zero. */
  readonly generatedAt: number;
  /** Undefined where the response does not state it. */
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  /** `no-cache` requires validation before any use, `must-revalidate` before stale use; `s-maxage` implies the latter (RFC 9111 §5.2.2.10). */
  readonly revalidation: 'always' | 'when-stale' | 'when-stale-implied' | 'none';
  /** Whether the lifetime is heuristic (§4.2.2), because the response states none. */
  readonly isHeuristic: boolean;
  /** The share of the lifetime by which it may be shortened at random. */
  readonly jitter: number;
}

// RFC 9110 §15.1; RFC 7725 §3: a 451 is "cacheable by default"
const HEURISTICALLY_CACHEABLE: ReadonlySet<number> = new Set([
  ...[200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501],
]);
/** A range and a validation are not complete responses to store (RFC 9111 §3.3, §4.3.4). */
const NOT_WHOLE: ReadonlySet<number> = new Set([206, 304]);
/** RFC 9110 §15: a larger status is invalid, and treated as a 5xx. */
const LAST_STATUS = 599;
/** Statuses that this cache understands: those of RFC 9110 §15 and of the IANA registry. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...[200, 201, 202, 203, 204, 205, 207, 208, 226, 300, 301, 302, 303, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424],
  ...[425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]);
/** The name of this cache in `Surrogate-Control`. */
export const SURROGATE = 'larder';
const HEURISTIC_SHARE = 0.1;
const MAX_HEURISTIC_MS = 604_800_000;

export function responsePolicy(response: ResponseFacts, kind: CacheKind, request: RequestFacts): ResponsePolicy {
  const { headers } = response;
  const { directives, isTargeted } = applicableDirectives(headers, kind);
  const lifetime = freshnessLifetime(response, directives, kind, isTargeted);
  const revalidation = revalidationOf(directives, kind);
  return {
    isStorable: isStorable(response, directives, kind, request, isTargeted),
    strippedHeaders: [
      ...(qualifiedFields(directives, 'no-cache') ?? []),
      ...(kind === 'shared' ? (qualifiedFields(directives, 'private') ?? []) : []),
    ],
    lifetimeMs: revalidation === 'always' ? 0 : lifetime.ms,
    generatedAt: generatedAt(response),
    staleWhileRevalidateMs: inMs(deltaSeconds(directives, 'stale-while-revalidate')),
    staleIfErrorMs: inMs(deltaSeconds(directives, 'stale-if-error')),
    revalidation,
    isHeuristic: lifetime.isHeuristic,
    jitter: 0,
  };
}

function revalidationOf(directives: Directives, kind: CacheKind): ResponsePolicy['revalidation'] {
  if (isUnqualified(directives, 'no-cache')) return 'always';
  if (forbidsStale(directives, kind)) return 'when-stale';
  return impliesRevalidation(directives, kind) ? 'when-stale-implied' : 'none';
}

/** The effective directives: from a valid targeted field for shared caches, else from `Cache-Control` (RFC 9213 §2.2). */
function applicableDirectives(
  headers: HeaderList,
  kind: CacheKind,
): { readonly directives: Directives; readonly isTargeted: boolean } {
  if (kind === 'shared') {
    const targeted =
      surrogateDirectives(valuesOf(headers, 'surrogate-control')) ??
      targetedDirectives(valuesOf(headers, 'cdn-cache-control'));
    if (targeted) return { directives: targeted, isTargeted: true };
  }
  return { directives: parseDirectives(valuesOf(headers, 'cache-control')), isTargeted: false };
}

/**
 * A targeted field is a structured dictionary (RFC 9213 §2.1); an invalid or empty one is ignored. So is a value of a type that its
 * directive does not have, except for restrictions: their argument is unknown then, and they apply to the whole response.
 */
function targetedDirectives(values: readonly string[]): Directives | undefined {
  if (values.length === 0) return undefined;
  try {
    const directives = new Map<string, string | true>();
    for (const [name, [value]] of parseDictionary(values.join(', '))) {
      if (value === false) continue;
      if (RESTRICTIVE.has(name)) directives.set(name, isText(value) ? String(value) : true);
      else if (value === true) directives.set(name, true);
      else if (Number.isInteger(value)) directives.set(name, String(value));
    }
    return directives.size === 0 ? undefined : directives;
  } catch {
    return undefined; // RFC 9213 §2.2: as if it were absent
  }
}

/** A string, or one field's name as a token. */
function isText(value: unknown): value is string | Token {
  return typeof value === 'string' || value instanceof Token;
}

/**
 * `Surrogate-Control` (https://www.w3.org/TR/edge-arch): directives for every surrogate, or for a named one: the named ones take
 * precedence.
 */
function surrogateDirectives(values: readonly string[]): Directives | undefined {
  const parts = splitList(values.join(',')).map((part) => {
    const [directive = '', target] = part.split(';', 2).map((word) => word.trim());
    return { directive, target };
  });
  const named = parts.filter(({ target }) => target === SURROGATE);
  const unnamed = parts.filter(({ target }) => target === undefined);
  const directives = parseDirectives([...named, ...unnamed].map(({ directive }) => directive));
  return ['max-age', 'no-store'].some((name) => directives.has(name)) ? directives : undefined;
}

// RFC 9111 §3
function isStorable(
  { status, headers }: ResponseFacts,
  directives: Directives,
  kind: CacheKind,
  request: RequestFacts,
  isTargeted: boolean,
): boolean {
  if (status < 200 || status > LAST_STATUS || NOT_WHOLE.has(status) || request.isNoStore) return false;
  // §5.2.2.3: stored only if the status is understood, and then regardless of no-store
  if (directives.has('must-understand')) {
    if (!UNDERSTOOD.has(status)) return false;
  } else if (directives.has('no-store')) return false;
  if (kind === 'shared' && isUnqualified(directives, 'private')) return false;
  if (valueOf(headers, 'vary')?.includes('*') === true) return false;
  // §3.5
  const mayShare = ['public', 's-maxage', 'must-revalidate'].some((name) => directives.has(name));
  if (kind === 'shared' && request.hasAuthorization && !mayShare) return false;
  const isExplicit =
    (request.isExplicit === true && isSuccess(status)) ||
    directives.has('public') ||
    directives.has('max-age') ||
    (kind === 'shared' && directives.has('s-maxage')) ||
    (kind === 'private' && directives.has('private')) ||
    (!isTargeted && valueOf(headers, 'expires') !== undefined);
  return isExplicit || directives.has('no-cache') || HEURISTICALLY_CACHEABLE.has(status);
}

// RFC 9111 §4.2.1
function freshnessLifetime(
  { status, headers, receivedAt }: ResponseFacts,
  directives: Directives,
  kind: CacheKind,
  isTargeted: boolean,
): { readonly ms: number; readonly isHeuristic: boolean } {
  const shared = kind === 'shared' ? deltaSeconds(directives, 's-maxage') : undefined;
  const explicit = shared ?? deltaSeconds(directives, 'max-age');
  if (explicit !== undefined) return { ms: explicit * 1_000, isHeuristic: false };
  const date = dateOf(headers, receivedAt) ?? receivedAt;
  const expires = isTargeted ? [] : valuesOf(headers, 'expires');
  if (expires.length > 0) {
    // §5.3: an invalid date, especially "0", is in the past
    const until = parseHttpDate((expires[0] ?? '').trim(), receivedAt) ?? 0;
    return { ms: Math.max(0, until - date), isHeuristic: false };
  }
  // §4.2.2: only without explicit freshness, and if the status or `public` allows it
  if (!HEURISTICALLY_CACHEABLE.has(status) && !directives.has('public')) return { ms: 0, isHeuristic: true };
  const lastModified = parseHttpDate((valueOf(headers, 'last-modified') ?? '').trim(), receivedAt);
  if (lastModified === undefined || lastModified > date) return { ms: 0, isHeuristic: true };
  return { ms: Math.min((date - lastModified) * HEURISTIC_SHARE, MAX_HEURISTIC_MS), isHeuristic: true };
}

// RFC 9111 §4.2.4
function forbidsStale(directives: Directives, kind: CacheKind): boolean {
  if (directives.has('must-revalidate')) return true;
  return kind === 'shared' && directives.has('proxy-revalidate');
}

// RFC 9111 §5.2.2.10: s-maxage "incorporates the semantics of the proxy-revalidate response directive".
function impliesRevalidation(directives: Directives, kind: CacheKind): boolean {
  return kind === 'shared' && directives.has('s-maxage');
}

/** RFC 9111 §4.2.3: the instant from which the age is counted. */
function generatedAt({ headers, requestedAt, receivedAt }: ResponseFacts): number {
  const date = dateOf(headers, receivedAt);
  // Date has whole seconds: the lost fraction is not an age.
  const apparentAgeMs = date === undefined ? 0 : Math.max(0, Math.floor(receivedAt / 1_000) * 1_000 - date);
  const correctedAgeMs = ageField(headers) * 1_000 + (receivedAt - requestedAt);
  return receivedAt - Math.max(apparentAgeMs, correctedAgeMs);
}

/** RFC 9111 §5.1: the first value counts, an invalid one does not count. */
function ageField(headers: HeaderList): number {
  const first = (valuesOf(headers, 'age')[0] ?? '').split(',', 1)[0]?.trim() ?? '';
  return /^\d+$/.test(first) ? Math.min(Number(first), 2_147_483_648) : 0;
}

function dateOf(headers: HeaderList, now: number): number | undefined {
  return parseHttpDate((valuesOf(headers, 'date')[0] ?? '').trim(), now);
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
