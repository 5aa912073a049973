/** How long this process goes on after its last viewer has left, so that a reconnect finds no gap, in milliseconds. */
const LINGER_MS = 60_000;
/** How long one notice of a viewer holds, in milliseconds. It is repeated once a second. */
const LEASE_MS = 5_000;

/** Whether a client watches, here or at another replica: a lease that ends by itself. Times come from a monotonic clock. */
export class Watch {
  private viewers = 0;
  private admins = 0;
  private lastLeftAt = -Infinity;
  private watchedUntil = -Infinity;
  private eventsWatchedUntil = -Infinity;

  enter(isAdmin: boolean): void {
    this.viewers += 1;
    if (isAdmin) this.admins += 1;
  }

  leave(isAdmin: boolean, now: number): void {
    this.viewers -= 1;
    if (isAdmin) this.admins -= 1;
    this.lastLeftAt = now;
  }

  /** Extends the lease for a viewer elsewhere. */
  extend(forMs: number, wantsEvents: boolean, now: number): void {
    const until = now + Math.min(forMs, LINGER_MS);
    this.watchedUntil = Math.max(this.watchedUntil, until);
    if (wantsEvents) this.eventsWatchedUntil = Math.max(this.eventsWatchedUntil, until);
  }

  /** The notice for the other processes; undefined where this process has no viewer, and had none recently. */
  lease(now: number): { readonly forMs: number; readonly wantsEvents: boolean } | undefined {
    const isWanted = this.viewers > 0 || now - this.lastLeftAt < LINGER_MS;
    return isWanted ? { forMs: LEASE_MS, wantsEvents: this.admins > 0 } : undefined;
  }

  isOn(now: number): boolean {
    return this.lease(now) !== undefined || now < this.watchedUntil;
  }

  wantsEvents(now: number): boolean {
    return this.admins > 0 || now < this.eventsWatchedUntil;
  }
}
