import type { Clock } from '../../../kernel/clock';
import { endOfLife, type CacheEntry } from '../../model/cache-entry';
import { softPurged } from '../../model/soft-purge';
import {
  CacheStore,
  type EntryListing,
  type FillOptions,
  type Found,
  type InvalidationMode,
  type InvalidationTarget,
  type InvalidationTargets,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LoadFailure,
  type SharedState,
  type StoreChange,
} from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { targetList } from '../invalidation-target';
import { LeaseTable } from '../lease-table';
import { MemoryListing } from './memory-listing';
import { MemoryState } from './memory-state';
import { MemoryTier, type MemoryLimits } from './memory-tier';

/**
 * The embedded store: everything in this process, nothing survives it. For one replica, for development and for tests; and what other
 * stores add to a store behind them: copies, and leases for the time in which that store is away.
 */
export class MemoryStore extends CacheStore {
  readonly shared: SharedState;
  readonly listing: EntryListing;
  protected readonly tier: MemoryTier;
  protected readonly leases: LeaseTable;
  protected readonly changes = new ChangeSignal();

  /** @param behind the store that replicas share, if there is one: entries and leases of this process alone are local then */
  constructor(
    limits: MemoryLimits,
    protected readonly clock: Clock,
    private readonly behind?: Pick<CacheStore, 'shared' | 'listing'>,
  ) {
    super();
    // Without a store behind it, other processes may hold copies of its entries that an invalidation would not reach.
    this.tier = new MemoryTier(limits, behind ? undefined : (key) => this.changes.emit({ kind: 'key', key }));
    this.leases = new LeaseTable(clock, behind ? 'local' : 'shared');
    this.shared = behind?.shared ?? new MemoryState();
    this.listing = behind?.listing ?? new MemoryListing(this.tier, clock);
  }

  get l1Bytes(): number {
    return this.tier.bytes;
  }

  get l1PreparedBytes(): number {
    return this.tier.preparedBytes;
  }

  get l1Size(): number {
    return this.tier.size;
  }

  recentEntries(count: number): readonly CacheEntry[] {
    return this.tier.recent(count);
  }

  peek(key: string, now?: number): Found | undefined {
    return this.inMemory(key, now);
  }

  find(key: string): Promise<Found | undefined> {
    return Promise.resolve(this.inMemory(key));
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const { key, seenId } = request;
    const entry = this.inMemory(key)?.entry;
    const isSame = (entry?.id ?? '') === seenId;
    if (!isSame) {
      // Memory may have had no room for the entry that the caller has read, or have a copy that is not used at present.
      if (!(await this.isBehind(key, seenId)) || this.inMemory(key)?.entry !== entry) return { kind: 'changed' };
      this.tier.delete(key);
    }
    const answer = this.leases.acquire(request);
    if (answer.kind !== 'granted' || seenId === '') return answer;
    return { ...answer, lease: { ...answer.lease, baseEndsAt: isSame && entry ? endOfLife(entry) : 0 } };
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    this.leases.renew(lease, leaseMs);
    return Promise.resolve();
  }

  fill(lease: Lease, entry: CacheEntry, options: FillOptions = {}): Promise<boolean> {
    const isStanding = this.leases.isStanding(lease, [...lease.tags, ...entry.tags]);
    const hasBase = this.hasBase(lease);
    if (isStanding && !hasBase && lease.selection !== undefined) return Promise.resolve(false);
    this.leases.release(lease);
    if (isStanding && hasBase) this.keep(lease.key, entry, options);
    this.changes.emit({ kind: 'key', key: lease.key });
    return Promise.resolve(isStanding && hasBase);
  }

  isStanding(lease: Lease): Promise<boolean> {
    return Promise.resolve(this.leases.isStanding(lease, lease.tags));
  }

  release(lease: Lease): Promise<void> {
    this.leases.release(lease);
    this.changes.emit({ kind: 'lease', key: lease.key });
    return Promise.resolve();
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    this.leases.fail(lease, failure, pauseMs);
    this.changes.emit({ kind: 'lease', key: lease.key });
    return Promise.resolve();
  }

  change(key: string, timeoutMs: number): Promise<void> {
    return this.changes.next(key, timeoutMs);
  }

  put(key: string, entry: CacheEntry): Promise<void> {
    this.leases.revoke(key);
    this.keep(key, entry);
    this.changes.emit({ kind: 'key', key });
    return Promise.resolve();
  }

  invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    const count = this.invalidateHere(targetList(targets), mode);
    this.changes.emit({ kind: 'invalidation' });
    return Promise.resolve(count);
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  close(): Promise<void> {
    this.tier.clear();
    return Promise.resolve();
  }

  /** Whether the store behind this one answers, and has exactly this entry under the key; an empty id for none. */
  protected isBehind(_key: string, _id: string): Promise<boolean> {
    return Promise.resolve(false);
  }

  protected inMemory(key: string, now = this.clock.now()): Found | undefined {
    const entry = this.tier.get(key, now);
    return entry && { entry, tier: 'l1' };
  }

  /** Keeps an entry of a load of this process; over a store behind it, one that only this process has. */
  protected keep(key: string, entry: CacheEntry, { linked }: FillOptions = {}): void {
    const isShared = this.behind === undefined;
    if (linked) this.tier.put(linked.key, linked.entry, isShared);
    this.tier.put(key, entry, isShared);
  }

  /** @returns the number of entries found */
  protected invalidateHere(targets: readonly InvalidationTarget[], mode: InvalidationMode): number {
    const now = this.clock.now();
    this.leases.invalidate(targets);
    const keys = new Set(targets.flatMap((target) => this.tier.keysOf(target)));
    for (const key of keys) {
      const entry = mode === 'stale' ? this.tier.get(key, now) : undefined;
      this.leases.revoke(key);
      this.tier.delete(key);
      if (entry) this.tier.put(key, softPurged(entry, this.leases.sequence), true);
      this.changes.emit({ kind: 'key', key });
    }
    return keys.size;
  }

  private hasBase({ key, baseId, baseEndsAt = Infinity }: Lease): boolean {
    const entry = this.inMemory(key)?.entry;
    return entry ? entry.id === baseId : baseId === '' || baseEndsAt <= this.clock.now();
  }
}
