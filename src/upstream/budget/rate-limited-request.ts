import type { RateLimitAdapter } from './rate-limit-adapter';

export interface RateBudgetOptions {
  readonly upstream: string;
  /** The upstream's name in sentences. By default `upstream`. */
  readonly title?: string;
  readonly adapter: RateLimitAdapter;
  /** The share of a limit, 0 to 1, that background refreshes leave to waiting requests. */
  readonly reserve: number;
  /** How many requests of this process may be under way at once, to the last byte of their answers. */
  readonly maxConcurrency: number;
  /** How long an answer counts as under way from its head on, in milliseconds: its reader may be slow. */
  readonly bodyMs: number;
  /** How many points a credential may spend in a minute, of this process; 0 for any number. */
  readonly pointsPerMinute: number;
  /** How long a request may wait for its turn, in milliseconds. */
  readonly deadlineMs: number;
}

/** A request that would be sent. */
export interface RateLimitedRequest {
  /** The credential whose limits it counts against; the id of a partition, never a token. */
  readonly credential: string;
  /** The client's address; absent where the service itself asks. */
  readonly address?: string;
  /** The client's `User-Agent`; absent where the service itself asks. */
  readonly userAgent?: string | undefined;
  readonly method: string;
  readonly path: string;
  /** Whether it is a background refresh: no client waits for it. */
  readonly isBackground: boolean;
  /** Aborts when no request needs the answer any more. */
  readonly signal?: AbortSignal;
}

/** The facts that decide which limit a request counts against. */
export type LimitedRequest = Pick<RateLimitedRequest, 'credential' | 'method' | 'path'>;

export interface BudgetCounts {
  /** Requests sent. */
  sent: number;
  /** Answered 304 with a credential: the upstream does not count them. */
  notModified: number;
  /** Requests not sent, for the limit was spent or reserved. */
  heldBack: number;
}
