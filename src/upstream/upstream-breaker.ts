import { AppError } from '../kernel/app-error';
import type { UpstreamApi } from './upstream-api';
import { countsAsDown } from './upstream-failure';

/** `half-open`: a few requests are let through to see. */
export type BreakerState = 'closed' | 'half-open' | 'open';

export interface BreakerOptions {
  /** The upstream's name, for messages. */
  readonly name: string;
  /** The number of consecutive failures that opens it. */
  readonly failures: number;
  /** How long it then keeps requests from the upstream, in milliseconds. */
  readonly pauseMs: number;
}

/** A breaker for the upstream, for all its clients. */
export function breakerOf({ name, limits }: UpstreamApi): UpstreamBreaker {
  return new UpstreamBreaker({ name, failures: limits.breakerFailures, pauseMs: limits.breakerPauseMs });
}

/** Failures of fewer paths than these say something of the paths, not of the upstream. */
const MIN_PATHS = 3;
/** How many paths are tried at once after a pause. */
const MAX_PROBES = 5;

/**
 * Keeps requests from an upstream that is down.
 *
 * Its one invariant: it judges the upstream, not one path or one caller. A failure counts only
 *
 * - if no response has arrived since the request was sent: an upstream that still answers other requests is not down
 * - together with failures of other paths; a failed connection fails for every path alike
 *
 * After a pause it lets a few requests through, one for each path, so that a path which hangs does not take the place of the others. Any
 * response shows that the upstream is back.
 */
export class UpstreamBreaker {
  /** Failures in a row, and their paths. */
  private failures = 0;
  private readonly failedPaths = new Set<string>();
  private answeredAt = -Infinity;
  private pausedUntil: number | undefined;
  private readonly probes = new Set<string>();

  constructor(
    private readonly options: BreakerOptions,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Whether it keeps requests from the upstream now, except for probes. */
  get isPaused(): boolean {
    return this.pausedUntil !== undefined;
  }

  /** As operators see it: half-open when a few requests are let through to see. */
  get state(): BreakerState {
    if (this.pausedUntil === undefined) return 'closed';
    return this.now() < this.pausedUntil ? 'open' : 'half-open';
  }

  /**
   * Runs the call, if it may be sent.
   *
   * @param target the request's path; a query behind it does not count
   * @throws AppError `upstream-paused` if it is not sent; whatever the call throws
   */
  async run<T>(target: string, call: () => Promise<T>): Promise<T> {
    const [path = ''] = target.split('?', 1);
    const isProbe = this.isPaused;
    if (isProbe) this.probe(path);
    const sentAt = this.now();
    try {
      const result = await call();
      this.close();
      return result;
    } catch (error) {
      if (countsAsDown(error)) this.fail(path, sentAt, error);
      throw error;
    } finally {
      if (isProbe) this.probes.delete(path);
    }
  }

  private probe(path: string): void {
    const { name, pauseMs } = this.options;
    const waitMs = (this.pausedUntil ?? 0) - this.now();
    if (waitMs <= 0 && this.probes.size < MAX_PROBES && !this.probes.has(path)) {
      this.probes.add(path);
      return;
    }
    const message = `${name} failed several times in a row and is not asked for ${pauseMs / 1_000} s.`;
    throw new AppError('upstream-paused', message, { retryAfterMs: Math.max(1_000, waitMs) });
  }

  /** The upstream has answered. */
  private close(): void {
    this.answeredAt = this.now();
    this.failures = 0;
    this.failedPaths.clear();
    this.pausedUntil = undefined;
  }

  private fail(path: string, sentAt: number, error: unknown): void {
    if (sentAt <= this.answeredAt) return;
    const { failures, pauseMs } = this.options;
    const isOfAllPaths = error instanceof AppError && error.code === 'upstream-unreachable';
    this.failures += 1;
    if (this.failedPaths.size < MIN_PATHS) this.failedPaths.add(isOfAllPaths ? `* ${this.failures}` : path);
    if (this.isPaused) {
      this.pausedUntil = this.now() + pauseMs;
      return;
    }
    if (this.failures >= failures && this.failedPaths.size >= Math.min(failures, MIN_PATHS))
      this.pausedUntil = this.now() + pauseMs;
  }
}
