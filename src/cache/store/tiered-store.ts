import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import {
  StoreUnavailableError,
  type FillOptions,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTarget,
  type InvalidationTargets,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LoadFailure,
  type SharedStore,
  type StoreChange,
} from './cache-store';
import { Epochs } from './epochs';
import { ifAvailable } from './if-available';
import { targetList } from './invalidation-target';
import { MemoryStore } from './memory/memory-store';
import type { MemoryLimits } from './memory/memory-tier';

/**
 * L1 in this process over a shared L2.
 *
 * Its one invariant: while this process receives the changes of the shared store, L1 holds nothing that the shared store does not. An
 * entry enters L1 only by a read from L2 during which no change of it arrived:
 *
 *   1. `find` notes the epoch of the key, then sends the read
 *   2. another replica deletes the key; the push bumps the epoch
 *   3. the reply of 1 arrives with the old entry: it answers the reader of 1, and does not enter L1, because the epoch moved
 *
 * While the shared store is down, this process is a `MemoryStore` of its own: its leases are local, and its entries are dropped when the
 * shared store is back.
 */
export class TieredStore extends MemoryStore {
  private readonly epochs = new Epochs();
  /** The reads under way. A change detaches a read from later callers. */
  private readonly finds = new Map<string, Promise<FoundOrLease>>();
  /** The epoch at which each shared lease was granted: equal at its fill if no change of the key has arrived since. */
  private readonly leaseEpochs = new WeakMap<Lease, number>();

  constructor(
    limits: MemoryLimits,
    private readonly l2: SharedStore,
    clock: Clock,
  ) {
    super(limits, clock, l2);
    l2.onChange((change) => this.onChanged(change));
  }

  override peek(key: string, now = this.clock.now()): Found | undefined {
    if (!this.l2.isCoherent) return undefined;
    const entry = this.tier.get(key, now); // not by `inMemory`: every hit comes here
    return entry && { entry, tier: 'l1' };
  }

  override find(key: string): Promise<Found | undefined> {
    const found = this.peek(key);
    return found ? Promise.resolve(found) : this.readOnce(key).then((answer) => answer.found);
  }

  /** The first of concurrent callers gets the lease: the others join its load. */
  override findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    const found = this.peek(request.key);
    return found ? Promise.resolve({ found }) : this.readOnce(request.key, request);
  }

  override async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const epoch = this.epochs.of(request.key);
    try {
      const answer = await this.l2.acquire(request);
      this.noteEpoch(answer, epoch);
      // The stored entry differs from the one that the caller saw: a copy that its push has not reached yet, or that was never shared.
      if (answer.kind === 'changed') this.dropKey(request.key);
      return answer;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      return super.acquire(request);
    }
  }

  override renew(lease: Lease, leaseMs: number): Promise<void> {
    return lease.scope === 'local' ? super.renew(lease, leaseMs) : this.l2.renew(lease, leaseMs);
  }

  override isStanding(lease: Lease): Promise<boolean> {
    return lease.scope === 'local' ? super.isStanding(lease) : this.l2.isStanding(lease);
  }

  override release(lease: Lease): Promise<void> {
    return lease.scope === 'local' ? super.release(lease) : this.l2.release(lease);
  }

  override fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    return lease.scope === 'local' ? super.fail(lease, failure, pauseMs) : this.l2.fail(lease, failure, pauseMs);
  }

  override async fill(lease: Lease, entry: CacheEntry, options?: FillOptions): Promise<boolean> {
    if (lease.scope === 'local') return super.fill(lease, entry, options);
    const { key } = lease;
    try {
      const isStored = await this.l2.fill(lease, entry, options);
      // Stored or refused, something else is there than before, and its push may arrive later than this answer.
      this.tier.delete(key);
      this.finds.delete(key);
      this.changes.emit({ kind: 'lease', key });
      return isStored;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      await ifAvailable(() => this.l2.release(lease));
      // The shared store has no room, or went away during the load: keep the entry here, if no invalidation has arrived since.
      if (this.leaseEpochs.get(lease) !== this.epochs.of(key)) return false;
      this.keep(key, entry, options);
      return true;
    }
  }

  override async put(key: string, entry: CacheEntry): Promise<void> {
    this.dropKey(key);
    await this.l2.put(key, entry);
    this.dropKey(key);
    this.changes.emit({ kind: 'key', key });
  }

  override async invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    const all = targetList(targets);
    this.dropTargets(all);
    const count = await this.l2.invalidate(all, mode);
    this.dropTargets(all); // for entries that a read under way has promoted to L1 during the purge
    this.changes.emit({ kind: 'invalidation' });
    return count;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.l2.close();
  }

  /** It may refuse leases, as a replica of Redis does, and still be read. */
  protected override async isBehind(key: string, id: string): Promise<boolean> {
    return (await ifAvailable(async () => ((await this.l2.find(key))?.entry.id ?? '') === id)) ?? false;
  }

  /** One read of a key for concurrent callers. The promise of the first caller settles before those of the others. */
  private readOnce(key: string, request?: LeaseRequest): Promise<FoundOrLease> {
    const underWay = this.finds.get(key);
    if (underWay) return underWay.then(({ found }) => (found ? { found } : {}));
    const find = this.readThrough(key, request).finally(() => {
      if (this.finds.get(key) === find) this.finds.delete(key);
    });
    this.finds.set(key, find);
    return find;
  }

  private async readThrough(key: string, request: LeaseRequest | undefined): Promise<FoundOrLease> {
    const epoch = this.epochs.of(key);
    try {
      const answer = await this.readShared(key, request);
      if (!answer.found) {
        if (answer.lease) this.noteEpoch(answer.lease, epoch);
        return answer;
      }
      const { found } = answer;
      if (this.tier.isOff || !this.l2.isCoherent || this.epochs.of(key) !== epoch) return answer;
      this.tier.put(key, found.entry, true);
      // The entry that later requests find in memory, and for which a response is prepared.
      return { found: { ...found, entry: this.inMemory(key)?.entry ?? found.entry } };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      const found = this.inMemory(key);
      return found ? { found } : {};
    }
  }

  /** Without L1 each hit is a read: the simplest command serves it, and a miss costs a second one. */
  private async readShared(key: string, request: LeaseRequest | undefined): Promise<FoundOrLease> {
    if (request && !this.tier.isOff) return this.l2.findOrAcquire(request);
    const found = await this.l2.find(key);
    return found ? { found } : {};
  }

  private noteEpoch(answer: LeaseAnswer, epoch: number): void {
    if (answer.kind === 'granted') this.leaseEpochs.set(answer.lease, epoch);
  }

  private onChanged(change: StoreChange): void {
    if (change.kind === 'key') this.dropKey(change.key);
    else if (change.kind !== 'lease') {
      this.epochs.bumpAll();
      this.leases.clear();
    }
    if (change.kind === 'invalidation') this.tier.deleteUnshared();
    if (change.kind === 'tag') for (const key of this.tier.keysOf(change)) this.tier.delete(key);
    if (change.kind === 'everything') {
      this.tier.clear();
      this.finds.clear();
    }
    this.changes.emit(change);
  }

  private dropKey(key: string): void {
    this.epochs.bump(key);
    this.finds.delete(key);
    this.leases.revoke(key);
    this.tier.delete(key);
  }

  private dropTargets(targets: readonly InvalidationTarget[]): void {
    this.epochs.bumpAll();
    this.finds.clear();
    this.invalidateHere(targets, 'purge');
    this.tier.deleteUnshared();
  }
}
