import type { Clock } from '../../kernel/clock';
import type { Lease, LeaseAnswer, LeaseRequest, LoadFailure } from './cache-store';

interface HeldLease {
  readonly kind: 'held';
  readonly token: string;
  readonly failures: number;
  until: number;
}

interface FailedLease {
  readonly kind: 'failed';
  readonly token: string;
  readonly failures: number;
  readonly failure: LoadFailure;
  readonly pausedUntil: number;
  readonly until: number;
}

/** How long a failure is remembered beyond its pause, so that the next one counts as repeated. */
export const FAILURE_MEMORY_MS = 10_000;

const SWEEP_OVER = 10_000;

/** The leases of one process: the same rules as the Redis scripts, for a store in memory and for days without Redis. */
export class LeaseTable {
  private readonly leases = new Map<string, HeldLease | FailedLease>();

  constructor(private readonly clock: Clock) {}

  acquire(request: LeaseRequest, sequence: number, scope: Lease['scope']): LeaseAnswer {
    const now = this.clock.now();
    const current = this.current(request.key, now);
    if (current?.kind === 'held') return { kind: 'held', holder: current.token };
    if (current?.kind === 'failed' && (current.pausedUntil > now || current.token === request.waitedFor)) {
      return { kind: 'failed', failure: current.failure, remainingMs: Math.max(0, current.pausedUntil - now) };
    }
    const failures = current?.failures ?? 0;
    if (this.leases.size > SWEEP_OVER) this.sweep(now);
    this.leases.set(request.key, { kind: 'held', token: request.token, failures, until: now + request.leaseMs });
    const { key, token, seenId: baseId, tags } = request;
    return { kind: 'granted', lease: { key, token, baseId, sequence, failures, tags, scope } };
  }

  isHeldBy(lease: Lease): boolean {
    const current = this.current(lease.key, this.clock.now());
    return current?.kind === 'held' && current.token === lease.token;
  }

  renew(lease: Lease, leaseMs: number): void {
    const current = this.current(lease.key, this.clock.now());
    if (current?.kind === 'held' && current.token === lease.token) current.until = this.clock.now() + leaseMs;
  }

  release(lease: Lease): void {
    if (this.isHeldBy(lease)) this.leases.delete(lease.key);
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): void {
    if (!this.isHeldBy(lease)) return;
    const pausedUntil = this.clock.now() + pauseMs;
    const failures = lease.failures + 1;
    const until = pausedUntil + FAILURE_MEMORY_MS;
    this.leases.set(lease.key, { kind: 'failed', token: lease.token, failures, failure, pausedUntil, until });
  }

  void(key: string): void {
    this.leases.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.leases.keys();
  }

  clear(): void {
    this.leases.clear();
  }

  private current(key: string, now: number): HeldLease | FailedLease | undefined {
    const lease = this.leases.get(key);
    if (lease && lease.until <= now) {
      this.leases.delete(key);
      return undefined;
    }
    return lease;
  }

  private sweep(now: number): void {
    for (const [key, lease] of this.leases) if (lease.until <= now) this.leases.delete(key);
  }
}
