import type { Clock } from '../../kernel/clock';
import type { InvalidationTarget, Lease, LeaseAnswer, LeaseRequest, LoadFailure } from './cache-store';
import { isCovered } from './invalidation-target';

interface LeaseState {
  readonly token: string;
  readonly failures: number;
  /** The state that its load saw when it began. */
  readonly indexMark: number;
  readonly sequence: number;
  until: number;
  /** A failed load, kept for the requests that waited for it and for a pause. */
  readonly failed?: { readonly failure: LoadFailure; readonly pausedUntil: number };
}

type LeaseName = Pick<LeaseRequest, 'key' | 'selection'>;

/** How long a failure is remembered beyond its pause, so that the next one counts as repeated. */
export const FAILURE_MEMORY_MS = 10_000;
/** How many invalidations are remembered. A load that began before the oldest of them stores nothing. */
const MAX_INVALIDATIONS = 10_000;
const SWEEP_OVER = 10_000;

/**
 * The leases of one process, by the rules of the Redis scripts, and the recent invalidations: a load that began before an invalidation
 * stores nothing that the invalidation covers.
 */
export class LeaseTable {
  /** By key, then by selection. */
  private readonly leases = new Map<string, Map<string, LeaseState>>();
  private readonly invalidations: { readonly sequence: number; readonly target: InvalidationTarget }[] = [];
  private forgottenUntil = 0;
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly scope: Lease['scope'],
  ) {}

  /** The number of invalidations so far. */
  get sequence(): number {
    return this.count;
  }

  acquire(request: LeaseRequest): LeaseAnswer {
    const now = this.clock.now();
    const { sequence, scope } = this;
    const { key, selection, token, seenId: baseId, tags, indexMark = 0 } = request;
    // A load that began before a purge is not waited for after it, and its failure is not shared: its fill will find another lease.
    const there = this.current(request);
    const current = there && this.isOutdated(there, request) ? undefined : there;
    const first = request.firstLoad && this.current(request.firstLoad);
    if (first && !first.failed && !this.isOutdated(first, { ...request, ...request.firstLoad }))
      return { kind: 'held', holder: first.token };
    if (current && !current.failed && current.token !== token) return { kind: 'held', holder: current.token };
    if (current?.failed && (current.failed.pausedUntil > now || current.token === request.waitedFor)) {
      const { failure, pausedUntil } = current.failed;
      return { kind: 'failed', failure, remainingMs: Math.max(0, pausedUntil - now) };
    }
    const failures = current?.failures ?? 0;
    if (this.leases.size > SWEEP_OVER) this.sweep(now);
    this.set(request, { token, failures, indexMark, sequence, until: now + request.leaseMs });
    return { kind: 'granted', lease: { key, selection, token, baseId, sequence, indexMark, failures, tags, scope } };
  }

  /** Whether the lease is still its holder's, and neither its key nor one of the tags was invalidated since. */
  isStanding(lease: Lease, tags: readonly string[]): boolean {
    return this.heldBy(lease) !== undefined && !this.isCoveredSince(lease.sequence, lease.key, tags);
  }

  renew(lease: Lease, leaseMs: number): void {
    const held = this.heldBy(lease);
    if (held) held.until = this.clock.now() + leaseMs;
  }

  release(lease: Lease): void {
    if (this.heldBy(lease)) this.delete(lease);
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): void {
    const held = this.heldBy(lease);
    if (!held) return;
    const pausedUntil = this.clock.now() + pauseMs;
    const until = pausedUntil + FAILURE_MEMORY_MS;
    this.set(lease, { ...held, failures: lease.failures + 1, until, failed: { failure, pausedUntil } });
  }

  /** All leases of the key, including its selections'. */
  revoke(key: string): void {
    this.leases.delete(key);
  }

  clear(): void {
    this.leases.clear();
  }

  /** Counts one more invalidation, and revokes the leases that it covers by their key. */
  invalidate(targets: readonly InvalidationTarget[]): void {
    const sequence = ++this.count;
    for (const target of targets) {
      this.invalidations.push({ sequence, target });
      if (target.kind === 'key') this.revoke(target.key);
      else for (const key of [...this.leases.keys()]) if (isCovered(target, key, [])) this.revoke(key);
    }
    const tooMany = this.invalidations.length - MAX_INVALIDATIONS;
    if (tooMany > 0) this.forgottenUntil = this.invalidations.splice(0, tooMany).at(-1)?.sequence ?? 0;
  }

  /** Whether the load began before a soft purge that the caller has seen, or before an invalidation of the requested names. */
  private isOutdated({ indexMark, sequence }: LeaseState, request: LeaseRequest): boolean {
    return indexMark < (request.indexMark ?? 0) || this.isCoveredSince(sequence, request.key, request.tags);
  }

  private isCoveredSince(since: number, key: string, tags: readonly string[]): boolean {
    if (since < this.forgottenUntil) return true;
    const last = this.invalidations.findLastIndex(
      ({ sequence, target }) => sequence <= since || isCovered(target, key, tags),
    );
    return (this.invalidations[last]?.sequence ?? 0) > since;
  }

  /** Also after its time, until it is granted to another: a process that stood still could not renew it. */
  private heldBy({ key, selection = '', token }: Lease): LeaseState | undefined {
    const lease = this.leases.get(key)?.get(selection);
    return lease?.token === token && !lease.failed ? lease : undefined;
  }

  private current(name: LeaseName): LeaseState | undefined {
    const lease = this.leases.get(name.key)?.get(name.selection ?? '');
    if (!lease || lease.until > this.clock.now()) return lease;
    this.delete(name);
    return undefined;
  }

  private set({ key, selection = '' }: LeaseName, lease: LeaseState): void {
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
