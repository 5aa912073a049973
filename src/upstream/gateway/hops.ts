import type { HeaderList } from '../../cache';
import { endToEnd, splitList, toHeaderList, valueOf, valuesOf } from '../../cache/law';
import type { FlatFields } from '../../cache/fast-path';
import { AppError } from '../../kernel/app-error';
import type { RelayedResponse } from '../upstream-relay';

/** The fields that an HTTP hop adds to and counts in every message. */

const PSEUDONYM = 'larder';
/** Replaces the name of an earlier hop (RFC 9110 §7.6.3): the real name could change a response that others get. */
const UNNAMED = 'unnamed';
const HOP = /^((?:HTTP\/)?\d\.\d)[ \t]+\S/i;
const MAX_HOPS = 10;
/** The registered transfer codings that transform the body, `chunked` therefore not among them. */
const CODINGS: ReadonlySet<string> = new Set(['compress', 'deflate', 'gzip', 'x-compress', 'x-gzip']);
/** Methods that `Max-Forwards` is for (RFC 9110 §7.6.2). */
const COUNTED: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE']);

/** The `Via` field of this hop (RFC 9110 §7.6.3), by the version in which the message came. */
export function viaField(httpVersion: string): readonly ['via', string] {
  return ['via', `${httpVersion} ${PSEUDONYM}`];
}

/**
 * The `Via` of a request.
 *
 * @param isShared whether others may get the response: then the hops are counted, not named
 */
export function inboundVia(received: HeaderList, isShared: boolean): FlatFields {
  const lines = valuesOf(received, 'via');
  if (!isShared) return lines.flatMap((line) => ['via', line]);
  const hops = lines.flatMap((line) => splitList(line)).flatMap((hop) => HOP.exec(hop)?.[1] ?? []);
  if (hops.length === 0) return [];
  return [
    'via',
    hops
      .slice(-MAX_HOPS)
      .map((version) => `${version.toUpperCase()} ${UNNAMED}`)
      .join(', '),
  ];
}

/** The fields of a request with one forward less, where they are counted (RFC 9110 §7.6.2); undefined if it may not go on. */
export function decrementMaxForwards(method: string, headers: HeaderList): HeaderList | undefined {
  const left = COUNTED.has(method) ? valueOf(headers, 'max-forwards') : undefined;
  if (left === undefined || !/^\d{1,9}$/.test(left)) return headers;
  if (Number(left) === 0) return undefined;
  return [...headers.filter(([name]) => name !== 'max-forwards'), ['max-forwards', String(Number(left) - 1)]];
}

/** Whether the body has other bytes than the content (RFC 9112 §7): an unknown word changes nothing. */
function changesBody(coding: string): boolean {
  const codings = splitList(coding.toLowerCase());
  return codings.some((one) => CODINGS.has(one)) || codings.filter((one) => one === 'chunked').length > 1;
}

/** Fields of every response of this service: an upstream's own, of another cache or server, are about another delivery. */
const OF_THIS_SERVICE: ReadonlySet<string> = new Set(['x-cache', 'x-from-cache', 'x-request-id', 'x-response-time']);

/**
 * The end-to-end fields of an upstream's response, without those that this service sets itself, with `Via`, and with the time of its arrival as `Date` where it has none (RFC 9110
 * §6.6.1): so every copy has the same date, and its age grows.
 *
 * @throws AppError `upstream-invalid` for a body in an unexpected transfer coding (RFC 9112 §7)
 */
export function receivedFields({ rawHeaders, receivedAt, body }: RelayedResponse): HeaderList {
  const all = toHeaderList(rawHeaders);
  const coding = valueOf(all, 'transfer-encoding');
  if (coding !== undefined && changesBody(coding)) {
    body.destroy();
    throw new AppError('upstream-invalid', 'The answer of the upstream has an unexpected transfer coding.', {
      retryAfterMs: 1_000,
    });
  }
  const fields = endToEnd(all).filter(([name]) => !OF_THIS_SERVICE.has(name));
  const hasDate = valueOf(fields, 'date') !== undefined;
  return [
    ...fields,
    ...(hasDate ? [] : [['date', new Date(receivedAt).toUTCString()] as const]),
    viaField(body.httpVersion),
  ];
}
