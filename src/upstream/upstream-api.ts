/** One third-party API as its sockets see it: a definition with its settings. */
export interface UpstreamApi {
  /** A short word: of keys, tags, labels and messages. */
  readonly name: string;
  /** Where it is, without a trailing slash; may have a path. */
  readonly baseUrl: string;
  /**
   * Paths that are not below it, and where they are: a path of the same origin, or the base URL of another. A path that ends in `/*` stands
   * for all below it, which is added to the other.
   */
  readonly beside?: ReadonlyMap<string, string>;
  /** Sent with every request of the service's own, without credentials; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly limits: UpstreamLimits;
}

export interface UpstreamLimits {
  readonly connectTimeoutMs: number;
  /** From the request to the last byte of the answer. */
  readonly timeoutMs: number;
  /** After decompression. */
  readonly maxResponseBytes: number;
  /** The number of consecutive failures that opens the breaker. */
  readonly breakerFailures: number;
  /** How long an open breaker waits before it lets one request through to see. */
  readonly breakerPauseMs: number;
}

/** Fields with their names in lower case, so that one takes the place of another however both are written. */
export function inLowerCase(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
}
