import type { CachePolicy } from './cache-policy';

/**
 * The cache policy of a route. A route says *what*; the core decides *whether*. Members that are absent come from the configuration's
 * defaults.
 *
 * @typeParam Request the input of `key` and `tags`, an HTTP request in the interceptor
 */
export interface CacheRule<Request = unknown> extends Partial<FreshnessPolicy> {
  /**
   * The name of the upstream whose responses these are: the first word of the key, a tag, a label of metrics.
   *
   * @default `app`
   */
  readonly upstream?: string;
  /**
   * The entry's key, after the upstream's name, or a function of the request. It must include everything that can change the response, the
   * caller's identity too. Without it the key is method, host, version, path and query, and a request with credentials is not cached (RFC
   * 9111 §3.5). May throw an `AppError` to reject a request. Undefined leaves the request out of the cache; so does any other value that is
   * not a string, such as a promise, and a text with `[object Object]` or the like in it, with a warning.
   *
   * @default what leads to the handler
   */
  readonly key?: string | ((request: Request) => string | undefined);
  /**
   * Distinguishes callers that get different responses: an API key, a tenant, a language. The key contains a digest of it, never the
   * value itself. Without it, and without a `key`, a route with a guard or a request-scoped controller is not cached. Undefined leaves
   * the request out of the cache; so does a list, as of a parameter that is given twice.
   *
   * @default nothing: routes with a guard are not cached
   */
  readonly keyBy?: (request: Request) => string | readonly string[] | undefined;
  /**
   * Request fields that select the response, in addition to the fields in the handler's `Vary`: each value has its own stored response,
   * and `Vary` names them to clients.
   *
   * @default none beside the handler's `Vary`
   */
  readonly vary?: readonly string[];
  /**
   * Whether the route's QUERY requests are cached too: the key then includes a digest of their body, also if the rule has a `key`. A
   * request whose parsed body is not plain data is not cached.
   *
   * @default `false`
   */
  readonly hashBody?: boolean;
  /**
   * The resource that the response is derived from, by its key after the upstream's name, such as `-:/users/redis`. The response is then
   * stored as a projection of it, named by `key` or else by the handler and what it takes of the URL: removing the resource removes the
   * projection. `@ProjectionOf` of the kit sets it.
   *
   * @default none
   */
  readonly resource?: (request: Request) => string;
  /**
   * Tags to invalidate by, such as `account:redis`, or a function of the request.
   *
   * @default `upstream:` and its name
   */
  readonly tags?: readonly string[] | ((request: Request) => readonly string[]);
  /**
   * Freshness lifetime in milliseconds; 0 means without end, as in cache-manager and keyv, a negative value none. Without it the
   * handler's `Cache-Control` counts, otherwise the default.
   *
   * @default the handler's `Cache-Control`, else `policy.ttlMs`
   */
  readonly ttlMs?: number;
  /**
   * Freshness lifetime of a remembered "not found" (404, 410, 451), in milliseconds.
   *
   * @default none for exceptions; `policy.negativeTtlMs` for a projection of a resource, and for the service's own problems
   */
  readonly negativeTtlMs?: number;
  /**
   * How long a request waits for a load, in milliseconds; the load continues and is stored. Without it the configured deadline counts;
   * without that a request waits as long as the origin takes.
   *
   * @default `deadlineMs` of the module
   */
  readonly deadlineMs?: number;
  /**
   * `false` keeps hits of the route off the fast path.
   *
   * @default `true`
   */
  readonly fastPath?: boolean;
  /**
   * Whether `key` and `resource` read only the URL of the request. The fast path can then serve a hit before anything else of the
   * request is examined. Always true without a `key`.
   *
   * @default `false`; `true` without `key` and `resource`
   */
  readonly byUrl?: boolean;
  /**
   * Adds this last member to a JSON object body: `true` where the store answered, else `false`.
   *
   * @default none
   */
  readonly hitFlagName?: string;
}

/** The defaults where neither a rule nor a response says otherwise. */
export interface FreshnessPolicy {
  /** Lifetime; 0 is without end, a negative value none. */
  readonly ttlMs: number;
  /** Lifetime of a remembered "not found". */
  readonly negativeTtlMs: number;
  /** How long the old one is served while it is refreshed (RFC 5861 §3). */
  readonly staleWhileRevalidateMs: number;
  /** How long the old one is served when a load fails (RFC 5861 §4). */
  readonly staleIfErrorMs: number;
  /** The share of the lifetime, 0 to 1, by which it may be shortened at random. */
  readonly jitter: number;
  /** The beta of the probabilistic early refresh; 0 turns it off. */
  readonly earlyRefreshBeta: number;
}

/** The maximum of all times, and the meaning of Infinity: without end. */
export const ENDLESS_MS = 31_536_000_000;

/** A timer of a longer time would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The rule of a route as the policy of its responses: the rule overrides the response, and the response the defaults. */
export function toCachePolicy(
  rule: Partial<FreshnessPolicy> & { readonly deadlineMs?: number },
  defaults: FreshnessPolicy,
): CachePolicy {
  return {
    ttlMs: rule.ttlMs === 0 ? ENDLESS_MS : timeOf(rule.ttlMs),
    defaultTtlMs: timeOf(defaults.ttlMs),
    negativeTtlMs: timeOf(rule.negativeTtlMs) ?? timeOf(defaults.negativeTtlMs),
    staleWhileRevalidateMs: timeOf(rule.staleWhileRevalidateMs),
    defaultStaleWhileRevalidateMs: timeOf(defaults.staleWhileRevalidateMs),
    staleIfErrorMs: timeOf(rule.staleIfErrorMs),
    defaultStaleIfErrorMs: timeOf(defaults.staleIfErrorMs),
    jitter: shareOf(rule.jitter, defaults.jitter, 1),
    earlyRefreshBeta: shareOf(rule.earlyRefreshBeta, defaults.earlyRefreshBeta, Number.MAX_VALUE),
    isExplicit: true,
    ...(rule.deadlineMs === undefined ? {} : { deadlineMs: deadlineOf(rule.deadlineMs) }),
  };
}

/** A time to calculate with: negative values are 0, the maximum is "without end", and a value that is not a number is undefined. */
function timeOf(ms: number | undefined): number | undefined {
  if (typeof ms !== 'number' || Number.isNaN(ms)) return undefined;
  return Math.min(Math.max(ms, 0), ENDLESS_MS);
}

/** A valid delay of a timer; undefined for a value that is not a time. */
function deadlineOf(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_TIMER_MS) : undefined;
}

function shareOf(given: number | undefined, fallback: number, max: number): number {
  return typeof given === 'number' && given >= 0 ? Math.min(given, max) : fallback;
}
