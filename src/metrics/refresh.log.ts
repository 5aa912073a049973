import { Injectable, Logger } from '@nestjs/common';
import { CacheEvents, type RefreshReport } from '../cache';
import { Clock } from '../kernel/clock';

/** An outage is over when a refresh succeeds and none has failed for so long. */
const QUIET_MS = 10_000;

interface Outage {
  failures: number;
  lastFailureAt: number;
}

/**
 * Logs failed background refreshes, which no request reports. One line when the refreshes of an upstream begin to fail and one when they
 * work again: at most two in ten seconds, however many fail, or fail and succeed in turn.
 */
@Injectable()
export class RefreshLog {
  private readonly logger = new Logger('Cache');
  private readonly outages = new Map<string, Outage>();

  constructor(
    events: CacheEvents,
    private readonly clock: Clock,
  ) {
    events.onRefreshed((report) => this.write(report));
  }

  private write({ upstream, failure }: RefreshReport): void {
    const outage = this.outages.get(upstream);
    const now = this.clock.now();
    if (failure !== undefined) {
      if (outage) {
        outage.failures += 1;
        outage.lastFailureAt = now;
        return;
      }
      this.outages.set(upstream, { failures: 1, lastFailureAt: now });
      this.logger.warn(`Refreshes of ${upstream} fail (${failure}); stale responses are served instead.`);
    } else if (outage && now - outage.lastFailureAt >= QUIET_MS) {
      this.outages.delete(upstream);
      this.logger.log(`Refreshes of ${upstream} work again; ${outage.failures} failed.`);
    }
  }
}
