import type { Clock } from '../../kernel/clock';
import type { InvalidationLog } from './invalidation-log';
import type { Lease, LeaseAnswer, LeaseRequest, LoadFailure } from './cache-store';

/** The state that a load saw when it began. */
interface Since {
  readonly indexMark: number;
  readonly sequence: number;
}

interface HeldLease extends Since {
  readonly kind: 'held';
  readonly token: string;
  readonly failures: number;
  until: number;
}

interface FailedLease extends Since {
  readonly kind: 'failed';
  readonly token: string;
  readonly failures: number;
  readonly failure: LoadFailure;
  readonly pausedUntil: number;
  readonly until: number;
}

type LeaseName = Pick<LeaseRequest, 'key' | 'selection'>;

/** How long a failure is remembered beyond its pause, so that the next one counts as repeated. */
export const FAILURE_MEMORY_MS = 10_000;

const SWEEP_OVER = 10_000;

/** The leases of one process, by the rules of the Redis scripts: for a memory store, and for times without Redis. */
export class LeaseTable {
  /** By key, then by selection. */
  private readonly leases = new Map<string, Map<string, HeldLease | FailedLease>>();

  /** @param log the invalidations of the same store */
  constructor(
    private readonly clock: Clock,
    private readonly log: InvalidationLog,
  ) {}

  acquire(request: LeaseRequest, scope: Lease['scope']): LeaseAnswer {
    const now = this.clock.now();
    const { sequence } = this.log;
    const { key, selection, token, seenId: baseId, tags, indexMark = 0 } = request;
    // A load that began before a purge is not waited for after it, and its failure is not shared: its fill will find another lease.
    const there = this.current(request, now);
    const current = there && this.isOutdated(there, request) ? undefined : there;
    if (current?.kind === 'held') return { kind: 'held', holder: current.token };
    if (current?.kind === 'failed' && (current.pausedUntil > now || current.token === request.waitedFor)) {
      return { kind: 'failed', failure: current.failure, remainingMs: Math.max(0, current.pausedUntil - now) };
    }
    const failures = current?.failures ?? 0;
    if (this.leases.size > SWEEP_OVER) this.sweep(now);
    this.set(request, { kind: 'held', token, failures, indexMark, sequence, until: now + request.leaseMs });
    const lease = { key, token, baseId, sequence, indexMark, failures, tags, scope };
    return { kind: 'granted', lease: selection === undefined ? lease : { ...lease, selection } };
  }

  isHeldBy(lease: Lease): boolean {
    const current = this.current(lease, this.clock.now());
    return current?.kind === 'held' && current.token === lease.token;
  }

  renew(lease: Lease, leaseMs: number): void {
    const current = this.current(lease, this.clock.now());
    if (current?.kind === 'held' && current.token === lease.token) current.until = this.clock.now() + leaseMs;
  }

  release(lease: Lease): void {
    if (this.isHeldBy(lease)) this.delete(lease);
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): void {
    if (!this.isHeldBy(lease)) return;
    const pausedUntil = this.clock.now() + pauseMs;
    const failures = lease.failures + 1;
    const until = pausedUntil + FAILURE_MEMORY_MS;
    const { token, sequence, indexMark = 0 } = lease;
    this.set(lease, { kind: 'failed', token, failures, failure, indexMark, sequence, pausedUntil, until });
  }

  /** All leases of the key, including its selections'. */
  revoke(key: string): void {
    this.leases.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.leases.keys();
  }

  clear(): void {
    this.leases.clear();
  }

  /** Whether the load began before a soft purge that the caller has seen, or before an invalidation of the requested names. */
  private isOutdated({ indexMark, sequence }: Since, request: LeaseRequest): boolean {
    return indexMark < (request.indexMark ?? 0) || this.log.covers(request.key, request.tags, sequence);
  }

  private current(name: LeaseName, now: number): HeldLease | FailedLease | undefined {
    const lease = this.leases.get(name.key)?.get(name.selection ?? '');
    if (lease && lease.until <= now) {
      this.delete(name);
      return undefined;
    }
    return lease;
  }

  private set({ key, selection = '' }: LeaseName, lease: HeldLease | FailedLease): void {
    const leases = this.leases.get(key);
    if (leases) leases.set(selection, lease);
    else this.leases.set(key, new Map([[selection, lease]]));
  }

  private delete({ key, selection = '' }: LeaseName): void {
    const leases = this.leases.get(key);
    leases?.delete(selection);
    if (leases?.size === 0) this.leases.delete(key);
  }

  private sweep(now: number): void {
    for (const [key, leases] of this.leases)
      for (const [selection, lease] of leases) if (lease.until <= now) this.delete({ key, selection });
  }
}
