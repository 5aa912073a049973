import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { ANONYMOUS } from '../gateway/partition';
import { isReserved, waitOf } from './credential-budget';
import type { Pacing } from './fair-queue';
import type { BudgetCounts, RateBudgetOptions, RateLimitedRequest } from './rate-limited-request';
import type { CompleteAdapter } from './rate-limit-adapter';
import type { SharedBudgets } from './shared-budgets';
import { SlidingWindow } from './sliding-window';

/** The name of the resource for requests that count against none. */
export const FREE = 'free';

/**
 * Whether a request may be sent now: not while a limit is spent or the credential is asked to slow down, and not beyond the points of a
 * minute. A background refresh leaves the reserve to requests with a waiting client.
 */
export class BudgetGate {
  private readonly pace: SlidingWindow | undefined;

  /** @param counts its member `heldBack` counts the refusals */
  constructor(
    private readonly options: RateBudgetOptions,
    private readonly adapter: CompleteAdapter,
    private readonly shared: SharedBudgets,
    private readonly clock: Clock,
    private readonly counts: BudgetCounts,
  ) {
    const { pointsPerMinute } = options;
    this.pace = pointsPerMinute > 0 ? new SlidingWindow(pointsPerMinute) : undefined;
  }

  /**
   * The pace that keeps a request within the points of a minute. Callers without a credential have fewer in an hour; an upstream without
   * announced limits (Enterprise Server, unless they are turned on) has no pace.
   */
  pacingOf({ credential, method }: RateLimitedRequest, resource: string | undefined): Pacing | undefined {
    const { pace, clock } = this;
    const points = this.adapter.pointsOf(method, resource);
    if (!pace || credential === ANONYMOUS || points === 0) return undefined;
    return {
      waitMs: () => (this.hasLimits(credential) ? pace.waitMs(credential, points, clock.now()) : 0),
      pass: () => pace.pass(credential, points, clock.now()),
    };
  }

  private hasLimits(credential: string): boolean {
    return Object.keys(this.shared.of(credential).resources).length > 0;
  }

  /** Refuses at once if the wait would be too long, or is for a background refresh. */
  requirePace(request: RateLimitedRequest, pacing: Pacing | undefined): void {
    const { upstream, reserve, deadlineMs, pointsPerMinute } = this.options;
    const waitMs = pacing?.waitMs() ?? 0;
    if (waitMs > deadlineMs) {
      this.counts.heldBack += 1;
      const seconds = Math.ceil(waitMs / 1_000);
      const message = `${upstream} takes ${pointsPerMinute} points a minute of a credential, and they are spent. It is asked again in ${seconds} s.`;
      throw new AppError('upstream-rate-limited', message, { retryAfterMs: waitMs });
    }
    const { credential, isBackground } = request;
    if (!isBackground || !pacing || !this.hasLimits(credential)) return;
    if (waitMs > 0 || (this.pace?.shareLeft(credential, this.clock.now()) ?? 1) <= reserve)
      this.keepForOthers('minute');
  }

  /** A free request waits for the end of a pause alone. */
  require({ credential, isBackground }: RateLimitedRequest, resources: readonly string[] = [FREE]): void {
    const now = this.clock.now();
    const budget = this.shared.of(credential);
    const waits = resources.map((resource) => ({ resource, waitMs: waitOf(budget, resource, now) }));
    const { resource, waitMs } = waits.reduce((longest, one) => (one.waitMs > longest.waitMs ? one : longest));
    const { upstream, title = upstream, reserve } = this.options;
    if (waitMs > 0) {
      this.counts.heldBack += 1;
      const seconds = Math.ceil(waitMs / 1_000);
      const isPaused = budget.pausedUntil > now + waitMs - 1;
      const reason = isPaused
        ? `${title} has asked this credential to slow down.`
        : `The rate limit of ${title} (${resource}) is spent for this credential.`;
      const message = `${reason} It is asked again in ${seconds} s.`;
      throw new AppError('upstream-rate-limited', message, { retryAfterMs: waitMs });
    }
    const reserved = isBackground ? resources.find((one) => isReserved(budget, one, reserve, now)) : undefined;
    if (reserved !== undefined) this.keepForOthers(reserved);
  }

  private keepForOthers(what: string): never {
    this.counts.heldBack += 1;
    const { upstream, title = upstream } = this.options;
    const message = `The remainder of the rate limit of ${title} (${what}) is reserved for requests with a waiting client.`;
    throw new AppError('upstream-rate-limited', message, { retryAfterMs: 1_000 });
  }
}
