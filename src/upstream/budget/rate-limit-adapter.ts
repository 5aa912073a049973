import type { LimitReading, ResourceLimit } from './credential-budget';

/** How an upstream announces its rate limits. Every member but `read` is optional. */
export interface RateLimitAdapter {
  /** The limits that an answer announces. `assumed` is the name of the limit where the answer has none; `now` in milliseconds. */
  readonly read: (assumed: string, answer: LimitedAnswer, now: number) => readonly LimitReading[];
  /**
   * The limit, or limits, that a request counts against, as far as its path shows; undefined for a free request. By default one limit, `default`,
   * counts all.
   */
  readonly resourceOf?: (path: string, method: string) => string | readonly string[] | undefined;
  /** What paths have in common that count against the same limits, where answers name others than `resourceOf`. By default the first segment. */
  readonly shapeOf?: (path: string) => string;
  /** How many points of a minute a request costs; 0 for none. By default 1. */
  readonly pointsOf?: (method: string, resource: string | undefined) => number;
  /** How much of a body has to be read to know the limits, in bytes; 0 for nothing. By default 0: the head has it all. */
  readonly bodyBytesOf?: (answer: LimitedAnswer) => number;
  /** Whether a 304 to a request with a credential does not count. By default it counts. */
  readonly isNotModifiedFree?: boolean;
  /**
   * Header fields that describe a limit to clients: of refusals in the upstream's place, and of responses from the cache, which show the
   * limit as it is now. `now` in milliseconds. By default none.
   */
  readonly fieldsOf?: (resource: string, limit: DescribedLimit, now: number) => Readonly<Record<string, string>>;
  /** The fields that the upstream describes its limits with, in lower case: no stored one of them is sent. By default none. */
  readonly fieldNames?: readonly string[];
  /** The request whose answer shows all limits of a credential. By default there is none. */
  readonly overview?: LimitOverviewRules;
}

/** A free request that shows all limits of a credential: then it is answered from the budget where that knows them. */
export interface LimitOverviewRules {
  readonly path: string;
  /** The limit that the answer's header fields describe. */
  readonly mainLimit: string;
  /** The limits in the body, by their names; undefined for a body of another form. */
  readonly read: (json: unknown) => ReadonlyMap<string, ResourceLimit> | undefined;
  /** The body with other numbers. */
  readonly write: (json: unknown, limits: ReadonlyMap<string, ResourceLimit>) => unknown;
}

/** A limit in the form for clients. */
export interface DescribedLimit {
  /** Undefined where the upstream has not said. */
  readonly limit: number | undefined;
  readonly remaining: number;
  readonly resetAt: number;
}

/** An answer, as far as it may announce limits. */
export interface LimitedAnswer {
  readonly status: number;
  /** A header field by its name in lower case. */
  readonly field: (name: string) => string | undefined;
  /** The body, where it was read. */
  readonly text?: string | undefined;
  /** The adapter's `shapeOf` of the path that was asked for: for limits of one path alone, such as a `backoff`. */
  readonly shape?: string;
}

export type CompleteAdapter = Required<Omit<RateLimitAdapter, 'overview'>> & Pick<RateLimitAdapter, 'overview'>;

/** The default shape of a path. */
export function firstSegment(path: string): string {
  return path.split('/', 2).join('/');
}

/** An adapter with all defaults. */
export function completed(adapter: RateLimitAdapter): CompleteAdapter {
  return {
    resourceOf: () => 'default',
    shapeOf: firstSegment,
    pointsOf: () => 1,
    bodyBytesOf: () => 0,
    isNotModifiedFree: false,
    fieldsOf: () => ({}),
    fieldNames: [],
    ...adapter,
  };
}
