import type { HeaderList } from '../../cache';
import { acceptsGzip, EVERY_FIELD, SURROGATE, toHeaderList, valueOf } from '../../cache/law';
import { isCredentialLike } from './credentials';
import { inboundVia } from './hops';

/** The methods whose answers may be stored (RFC 9110 §9.2.3). */
export const CACHEABLE: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** Fields that may change an answer, and so go upstream and select the stored one. */
const SELECTING = ['accept', 'accept-encoding', 'accept-language'] as const;
/** Fields that the cache obeys and that go no further with a GET or HEAD: an answer that reflects them may become others'. */
const ENDING_HERE: ReadonlySet<string> = new Set(['cache-control', 'pragma']);
/** Fields that the cache handles itself and does not forward where the response may be stored. */
const VARYING = [
  ...ENDING_HERE,
  ...['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'],
];
/** Fields that are left out of reads and that a write needs: they describe the write, not the way that it came. */
const OF_WRITES: ReadonlySet<string> = new Set(['idempotency-key', 'max-forwards', 'user-agent']);

/**
 * Fields that `*` does not forward with a GET or HEAD: they differ between clients, hops or requests, so that selecting by them would make
 * each request a variant of its own, and not selecting by them would let one client change the response of others. With `*` they go
 * upstream with all other methods, without it only `OF_WRITES`. An API that needs one of them gets it by its name. Listed in docs/reference/headers.md.
 */
const LEFT_OUT_OF_READS: ReadonlySet<string> = new Set([
  // the client
  ...['dnt', 'from', 'origin', 'priority', 'referer', 'save-data', 'upgrade-insecure-requests', 'user-agent'],
  // the hops before
  ...['cdn-loop', 'client-ip', 'fastly-client-ip', 'forwarded', 'max-forwards', 'true-client-ip', 'via', 'x-client-ip'],
  ...['x-cluster-client-ip', 'x-host', 'x-real-ip', 'x-rewrite-url'],
  // the request
  ...['baggage', 'b3', 'correlation-id', 'date', 'elastic-apm-traceparent', 'idempotency-key', 'newrelic'],
  ...['request-id', 'sentry-trace', 'traceparent', 'tracestate', 'uber-trace-id'],
  ...['x-amzn-trace-id', 'x-cloud-trace-context'],
  ...['x-correlation-id', 'x-request-id', 'x-request-start', 'x-trace-id'],
]);
const LEFT_OUT_PREFIXES = [
  ...['cf-', 'ot-tracer-', 'sec-', 'x-b3-', 'x-datadog-', 'x-envoy-', 'x-forwarded-', 'x-original-'],
];
/** Would make another method of a GET, and a write of a read: they go with no GET or HEAD, even by their name. */
const CHANGES_METHOD: ReadonlySet<string> = new Set(['x-http-method', 'x-http-method-override', 'x-method-override']);

export interface HeaderRules {
  /** Whether a field of the client goes upstream. */
  readonly forwards: (name: string, isCacheable: boolean) => boolean;
  /** Fields that every stored answer is selected by, beside those that `Vary` names. */
  readonly selecting: readonly string[];
  /** Whether `Accept-Encoding` is reduced to gzip or nothing, so that clients share what they can. */
  readonly reducesCodings: boolean;
  /** Fields that are for the cache alone: they do not go upstream with a GET or HEAD. */
  readonly endingHere: ReadonlySet<string>;
  /** Fields that every request goes upstream with, name and value in turn. */
  readonly announces: readonly string[];
}

/** Every end-to-end field, and stored answers selected by what their `Vary` says alone. */
export const ALL_FIELDS: HeaderRules = {
  forwards: () => true,
  selecting: [],
  reducesCodings: false,
  endingHere: new Set(),
  announces: ['surrogate-capability', `${SURROGATE}="Surrogate/1.0"`],
};

/**
 * The fields that go upstream, besides the credentials, which the partition adds itself. The rule: a field forwarded with a GET or HEAD,
 * whose response may be stored, selects that response.
 *
 * @param more names that the operator forwards in addition; `*` for all end-to-end fields
 * @param own names that the upstream knows
 * @param credentials header fields that carry a caller's identity, in lower case
 * @param ofWrites names that the upstream knows with writes, though they look like credentials
 */
export function headerRules(
  more: readonly string[],
  own: readonly string[] = [],
  credentials: readonly string[] = [],
  ofWrites: readonly string[] = [],
): HeaderRules {
  const added: ReadonlySet<string> = new Set(['authorization', ...credentials]);
  if (more.includes('*'))
    return {
      ...ALL_FIELDS,
      forwards: (name, isCacheable) => !added.has(name) && !(isCacheable && isLeftOutOfReads(name)),
      selecting: [EVERY_FIELD],
      endingHere: ENDING_HERE,
      announces: [],
    };
  const varying: ReadonlySet<string> = new Set(VARYING);
  const withWrites: ReadonlySet<string> = new Set(ofWrites.map((name) => name.toLowerCase()));
  const named = [...own, ...more]
    .map((name) => name.toLowerCase())
    .filter((name) => !varying.has(name) && !added.has(name));
  const selecting = [...new Set([...SELECTING, 'via', ...named])].sort();
  const always: ReadonlySet<string> = new Set([...SELECTING, ...named, ...VARYING]);
  return {
    forwards: (name, isCacheable) =>
      isCacheable
        ? always.has(name) && !CHANGES_METHOD.has(name)
        : always.has(name) || withWrites.has(name) || (!added.has(name) && goesWithWrites(name)),
    selecting,
    reducesCodings: true,
    endingHere: ENDING_HERE,
    announces: [],
  };
}

/**
 * Writes are not stored, so that all their end-to-end fields go upstream, except fields that describe the client, its browser and the
 * earlier hops, and fields that look like a credential of another API.
 */
function goesWithWrites(name: string): boolean {
  return OF_WRITES.has(name) || (!isLeftOutOfReads(name) && !isCredentialLike(name));
}

function isLeftOutOfReads(name: string): boolean {
  if (LEFT_OUT_OF_READS.has(name) || CHANGES_METHOD.has(name)) return true;
  return LEFT_OUT_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The client's fields as they go upstream, and as they select what is stored. */
export function forwardedHeaders(headers: HeaderList, rules: HeaderRules, isCacheable: boolean): HeaderList {
  const isReduced = rules.reducesCodings && isCacheable;
  const forwarded = headers.filter(
    ([name]) => name !== 'host' && rules.forwards(name, isCacheable) && !(isReduced && name === 'accept-encoding'),
  );
  if (isReduced && acceptsGzip(valueOf(headers, 'accept-encoding'))) forwarded.push(['accept-encoding', 'gzip']);
  if (rules.forwards('via', isCacheable)) return forwarded;
  return [...forwarded, ...toHeaderList(inboundVia(headers, isCacheable))];
}
