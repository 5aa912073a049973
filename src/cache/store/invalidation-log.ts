import type { InvalidationTarget } from './cache-store';
import { isCovered } from './invalidation-target';

/**
 * The invalidations of this process that a load under way may have missed: if a load began before one of them, and it covers the load's
 * entry, the response may not be stored. Kept only as long as a load could be under way.
 */
export class InvalidationLog {
  private readonly log: { readonly sequence: number; readonly at: number; readonly target: InvalidationTarget }[] = [];
  private count = 0;

  constructor(private readonly keepMs: number) {}

  /** The number of invalidations so far; a load records it when it begins. */
  get sequence(): number {
    return this.count;
  }

  /** One more invalidation, of any number of targets. */
  record(targets: readonly InvalidationTarget[], now: number): void {
    while (this.log[0] && this.log[0].at + this.keepMs < now) this.log.shift();
    const sequence = ++this.count;
    for (const target of targets) this.log.push({ sequence, at: now, target });
  }

  covers(key: string, tags: readonly string[], since: number): boolean {
    return this.log.some(({ sequence, target }) => sequence > since && isCovered(target, key, tags));
  }
}
