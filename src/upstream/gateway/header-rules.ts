import { SURROGATE, type HeaderList } from '../../cache';

/** The methods whose answers may be stored (RFC 9110 §9.2.3). */
export const CACHEABLE: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** Fields that may change an answer and so go upstream and into the selection of a stored one, where they are sent. */
const SELECTING = ['accept', 'accept-encoding', 'accept-language', 'x-github-api-version'] as const;
/** Fields that the cache obeys and that go no further with a GET or HEAD: an answer that reflects them may become others'. */
const ENDING_HERE: ReadonlySet<string> = new Set(['cache-control', 'pragma']);
/** Fields that the cache heeds and leaves out where the answer may be stored. */
const HEEDED = [
  ...ENDING_HERE,
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
];
/** Fields of a request's body, for methods that have one. */
const OF_CONTENT = [
  ...['content-encoding', 'content-language', 'content-length', 'content-type', 'expect', 'user-agent'],
  'max-forwards',
];

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

/** @param more names to forward beside the usual ones; `*` for all end-to-end fields */
export function headerRules(more: readonly string[]): HeaderRules {
  // Credentials are the partition's, which adds them itself; a cookie is one as well, and nobody shares another's answers.
  if (more.includes('*'))
    return {
      ...ALL_FIELDS,
      forwards: (name) => name !== 'authorization',
      selecting: ['cookie', ...SELECTING].sort(),
      endingHere: ENDING_HERE,
      announces: [],
    };
  const selecting = [...new Set([...SELECTING, ...more.map((name) => name.toLowerCase())])].sort();
  const always: ReadonlySet<string> = new Set([...selecting, ...HEEDED]);
  const withContent: ReadonlySet<string> = new Set(OF_CONTENT);
  return {
    forwards: (name, isCacheable) => always.has(name) || (!isCacheable && withContent.has(name)),
    selecting,
    reducesCodings: true,
    endingHere: ENDING_HERE,
    announces: [],
  };
}

/** The client's fields as they go upstream. */
export function forwardedHeaders(headers: HeaderList, rules: HeaderRules, isCacheable: boolean): HeaderList {
  return headers.flatMap(([name, value]): HeaderList => {
    if (name === 'host' || !rules.forwards(name, isCacheable)) return [];
    if (name !== 'accept-encoding' || !rules.reducesCodings || !isCacheable) return [[name, value]];
    return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*$|\s*,))/i.test(value) ? [[name, 'gzip']] : [];
  });
}
