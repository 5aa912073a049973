import { BoundedMap } from '../../kernel/bounded-map';
import type { HeaderList } from '../model/cache-entry';
import { deltaSeconds, parseDirectives, type Directives } from './directives';
import { valuesOf } from './fields';

/** The cache directives of a request (RFC 9111 §5.2.1). Durations in milliseconds. */
export interface RequestPolicy {
  /** Nothing of the exchange is stored. */
  readonly isNoStore: boolean;
  /** Only after validation. */
  readonly isNoCache: boolean;
  /** From the store or 504. */
  readonly isOnlyIfCached: boolean;
  readonly maxAgeMs: number | undefined;
  readonly minFreshMs: number | undefined;
  /** Infinity for any staleness. */
  readonly maxStaleMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  /** Defined for responses alone, and sent by clients that take no stale response. */
  readonly isMustRevalidate: boolean;
}

/** A request without cache directives. */
export const PLAIN: RequestPolicy = {
  ...{ isNoStore: false, isNoCache: false, isOnlyIfCached: false, isMustRevalidate: false },
  ...{ maxAgeMs: undefined, minFreshMs: undefined, maxStaleMs: undefined, staleIfErrorMs: undefined },
};

/** The policies of recent field values: clients send the same few. */
const known = new BoundedMap<string, RequestPolicy>(500);
const MAX_KNOWN_LENGTH = 256;

export function requestPolicy(headers: HeaderList): RequestPolicy {
  if (!headers.some(([name]) => name === 'cache-control' || name === 'pragma')) return PLAIN;
  const lines = valuesOf(headers, 'cache-control');
  // §5.4: Pragma counts only where Cache-Control is absent.
  const pragmas = lines.length === 0 ? valuesOf(headers, 'pragma') : [];
  const text = lines.length === 0 ? `pragma\n${pragmas.join('\n')}` : lines.join('\n'); // no value has a line break
  let policy = known.get(text);
  if (policy) return policy;
  policy = parsePolicy(lines, pragmas);
  if (text.length <= MAX_KNOWN_LENGTH) known.set(text, policy);
  return policy;
}

function parsePolicy(lines: readonly string[], pragmas: readonly string[]): RequestPolicy {
  const directives = parseDirectives(lines);
  const isPragma = parseDirectives(pragmas).has('no-cache');
  return {
    isNoStore: directives.has('no-store'),
    isNoCache: directives.has('no-cache') || isPragma,
    isOnlyIfCached: directives.has('only-if-cached'),
    isMustRevalidate: directives.has('must-revalidate'),
    maxAgeMs: inMs(directives, 'max-age'),
    minFreshMs: inMs(directives, 'min-fresh'),
    maxStaleMs: directives.get('max-stale') === true ? Infinity : inMs(directives, 'max-stale'),
    staleIfErrorMs: inMs(directives, 'stale-if-error'),
  };
}

function inMs(directives: Directives, name: string): number | undefined {
  const seconds = deltaSeconds(directives, name);
  return seconds === undefined ? undefined : seconds * 1_000;
}
