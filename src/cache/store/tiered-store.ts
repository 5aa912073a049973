import type { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import {
  CacheStore,
  type EntryCount,
  StoreUnavailableError,
  type FindOptions,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTarget,
  type InvalidationTargets,
  type KeyPage,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LinkedEntry,
  type ListedEntry,
  type LoadFailure,
  type SharedValue,
  type CompareAndSetResult,
  type SharedStore,
  type StoreChange,
} from './cache-store';
import { ChangeSignal } from './change-signal';
import { Epochs } from './epochs';
import { InvalidationLog } from './invalidation-log';
import { targetList } from './invalidation-target';
import { LeaseTable } from './lease-table';
import { MemoryTier, type MemoryLimits } from './memory/memory-tier';
import { newToken } from '../model/random-id';

const MAX_LOAD_MS = 300_000;

interface PrefetchedLease extends Pick<FindOptions, 'indexMark' | 'selection'> {
  readonly answer: LeaseAnswer;
}

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
 * While the shared store is down, leases and fills stay in this process ("unshared"); they are dropped when it is back.
 */
export class TieredStore extends CacheStore {
  private readonly l1: MemoryTier;
  private readonly localLeases: LeaseTable;
  private readonly localLog = new InvalidationLog(MAX_LOAD_MS);
  private readonly epochs = new Epochs();
  private readonly finds = new Map<string, Promise<Found | undefined>>();
  private readonly changes = new ChangeSignal();
  /**
   * The epoch at which each shared lease was granted: a fill that the shared store has no room for may stay here if the epoch is
   * unchanged.
   */
  private readonly leaseEpochs = new WeakMap<Lease, number>();
  /** The shared store's answer about the lease when it found no entry, kept until it is requested in the same turn of the event loop. */
  private readonly prefetched = new Map<string, PrefetchedLease>();

  constructor(
    limits: MemoryLimits,
    private readonly l2: SharedStore,
    private readonly clock: Clock,
  ) {
    super();
    this.l1 = new MemoryTier(limits);
    this.localLeases = new LeaseTable(clock, this.localLog);
    l2.onChange((change) => this.onChanged(change));
  }

  get l1Bytes(): number {
    return this.l1.bytes;
  }

  get l1PreparedBytes(): number {
    return this.l1.preparedBytes;
  }

  get l1Size(): number {
    return this.l1.size;
  }

  recentEntries(count: number): readonly CacheEntry[] {
    return this.l1.recent(count);
  }

  peek(key: string, now = this.clock.now()): Found | undefined {
    if (!this.l2.isCoherent) return undefined;
    const entry = this.l1.get(key, now);
    return entry && { entry, tier: 'l1' };
  }

  find(key: string, options: FindOptions = {}): Promise<Found | undefined> {
    const local = this.peek(key);
    if (local) return Promise.resolve(local);
    const underWay = this.finds.get(key);
    if (underWay) return underWay;
    const find = this.readThrough(key, options).finally(() => {
      if (this.finds.get(key) === find) this.finds.delete(key);
    });
    this.finds.set(key, find);
    return find;
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const prefetched = this.takeLease(request);
    if (prefetched) return prefetched;
    const epoch = this.epochs.of(request.key);
    try {
      const answer = await this.l2.acquire(request);
      if (answer.kind === 'granted') this.leaseEpochs.set(answer.lease, epoch);
      // The stored entry differs from the one that the caller saw: a copy that its push has not reached yet, or that was never shared.
      if (answer.kind === 'changed') this.dropKey(request.key);
      return answer;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      const id = this.l1.get(request.key, this.clock.now())?.id ?? '';
      if (id !== request.seenId) return { kind: 'changed' };
      return this.localLeases.acquire(request, 'local');
    }
  }

  async renew(lease: Lease, leaseMs: number): Promise<void> {
    if (lease.scope === 'local') this.localLeases.renew(lease, leaseMs);
    else await this.l2.renew(lease, leaseMs);
  }

  fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean> {
    return this.store(lease, entry, () => this.l2.fill(lease, entry, linked), linked);
  }

  async isStanding(lease: Lease): Promise<boolean> {
    if (lease.scope === 'shared') return this.l2.isStanding(lease);
    return this.localLeases.isHeldBy(lease) && !this.localLog.covers(lease.key, lease.tags, lease.sequence);
  }

  freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    return this.store(lease, entry, () => this.l2.freshen(lease, entry));
  }

  async release(lease: Lease): Promise<void> {
    if (lease.scope === 'shared') return this.l2.release(lease);
    this.localLeases.release(lease);
    this.changes.wake(lease.key);
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    if (lease.scope === 'shared') return this.l2.fail(lease, failure, pauseMs);
    this.localLeases.fail(lease, failure, pauseMs);
    this.changes.wake(lease.key);
  }

  async change(key: string, timeoutMs: number): Promise<void> {
    await Promise.race([this.l2.change(key, timeoutMs), this.changes.next(key, timeoutMs)]);
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    this.dropKey(key);
    await this.l2.put(key, entry);
    this.dropKey(key);
    this.changes.emit({ kind: 'key', key });
  }

  async invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    const all = targetList(targets);
    this.dropTargets(all);
    const count = await this.l2.invalidate(all, mode);
    this.dropTargets(all); // for entries that a read under way has promoted to L1 during the purge
    this.changes.emit({ kind: 'invalidation' });
    return count;
  }

  claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    return this.l2.claim(name, ttlMs, mode);
  }

  isClaimed(name: string): Promise<boolean> {
    return this.l2.isClaimed(name);
  }

  compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    return this.l2.compareAndSet(group, name, seen, text, ttlMs);
  }

  readNote(group: string, name: string): Promise<string | undefined> {
    return this.l2.readNote(group, name);
  }

  sharedValues(group: string): Promise<readonly SharedValue[]> {
    return this.l2.sharedValues(group);
  }

  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.l2.inspect(key);
  }

  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    return this.l2.list(match, cursor, limit, tag);
  }

  count(target: InvalidationTarget): Promise<EntryCount> {
    return this.l2.count(target);
  }

  appendToLog(log: string, line: string): Promise<void> {
    return this.l2.appendToLog(log, line);
  }

  readLog(log: string, limit: number): Promise<readonly string[]> {
    return this.l2.readLog(log, limit);
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  async close(): Promise<void> {
    this.l1.clear();
    await this.l2.close();
  }

  private async readThrough(key: string, options: FindOptions): Promise<Found | undefined> {
    const epoch = this.epochs.of(key);
    try {
      const looked = await this.look(key, options);
      const { found } = looked;
      if (!looked.found && looked.lease) this.keepLease(key, { ...options, answer: looked.lease }, epoch);
      if (!found || this.l1.isOff || !this.l2.isCoherent || this.epochs.of(key) !== epoch) return found;
      this.l1.put(key, found.entry, true);
      // The entry that later requests find in memory, and for which a response is prepared.
      return { ...found, entry: this.l1.get(key, this.clock.now()) ?? found.entry };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      const entry = this.l1.get(key, this.clock.now());
      return entry && { entry, tier: 'l1' };
    }
  }

  /** Without L1 each hit is a find: the simplest command serves it, and a miss costs a second one. */
  private async look(key: string, { leaseMs, indexMark = 0, selection }: FindOptions): Promise<FoundOrLease> {
    if (leaseMs === undefined || this.l1.isOff) {
      const found = await this.l2.find(key);
      return found ? { found } : {};
    }
    return this.l2.findOrAcquire({ key, token: newToken(), tags: [], seenId: '', leaseMs, indexMark, selection });
  }

  private keepLease(key: string, kept: PrefetchedLease, epoch: number): void {
    const { answer } = kept;
    if (answer.kind === 'granted') this.leaseEpochs.set(answer.lease, epoch);
    // Two finds of a key can be under way, because a change detaches the first: then one is granted and the other refused.
    if (answer.kind !== 'granted' && this.prefetched.get(key)?.answer.kind === 'granted') return;
    this.prefetched.set(key, kept);
    // Callers that waited for the find continue in this turn; a lease that remains after it has no taker.
    setImmediate(() => {
      if (this.prefetched.get(key) !== kept) return;
      this.prefetched.delete(key);
      if (answer.kind === 'granted') this.l2.release(answer.lease).catch(ignoreUnavailable);
    });
  }

  private takeLease({ key, seenId, tags, waitedFor, indexMark = 0, selection }: LeaseRequest): LeaseAnswer | undefined {
    const kept = this.prefetched.get(key);
    if (!kept || seenId !== '' || waitedFor !== undefined) return undefined;
    if ((kept.indexMark ?? 0) !== indexMark || kept.selection !== selection) return undefined;
    this.prefetched.delete(key);
    const { answer } = kept;
    // The find did not know the tags, and a load may have begun too early for its failure to be shared: the store is asked again with
    // them. If another load is under way, after the first wait.
    if (answer.kind === 'failed') return undefined;
    if (answer.kind !== 'granted') return answer;
    const lease = { ...answer.lease, tags };
    this.leaseEpochs.set(lease, this.leaseEpochs.get(answer.lease) ?? NaN);
    return { kind: 'granted', lease };
  }

  private async store(
    lease: Lease,
    entry: CacheEntry,
    share: () => Promise<boolean>,
    linked?: LinkedEntry,
  ): Promise<boolean> {
    if (lease.scope === 'local') return this.storeLocally(lease, entry, linked);
    const { key } = lease;
    try {
      const isStored = await share();
      if (isStored) this.l1.delete(key); // its push may arrive later than this answer
      return isStored;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      await this.l2.release(lease).catch(ignoreUnavailable);
      // The shared store has no room, or went away during the load: keep the entry here, if no invalidation has arrived since.
      if (this.leaseEpochs.get(lease) !== this.epochs.of(key)) return false;
      if (linked) this.l1.put(linked.key, linked.entry, false);
      this.l1.put(key, entry, false);
      return true;
    }
  }

  private storeLocally(lease: Lease, entry: CacheEntry, linked: LinkedEntry | undefined): boolean {
    const id = this.l1.get(lease.key, this.clock.now())?.id ?? '';
    if (lease.selection !== undefined && id !== lease.baseId) return false;
    const isRevoked = !this.localLeases.isHeldBy(lease) || this.localLog.covers(lease.key, entry.tags, lease.sequence);
    this.localLeases.release(lease);
    if (!isRevoked && linked) this.l1.put(linked.key, linked.entry, false);
    if (!isRevoked) this.l1.put(lease.key, entry, false);
    this.changes.wake(lease.key);
    return !isRevoked;
  }

  private onChanged(change: StoreChange): void {
    if (change.kind === 'key') {
      this.dropKey(change.key);
      this.localLeases.revoke(change.key);
    } else {
      this.epochs.bumpAll();
      this.localLeases.clear();
    }
    if (change.kind === 'invalidation') this.l1.deleteUnshared();
    if (change.kind === 'tag') for (const key of this.l1.keysOf(change)) this.l1.delete(key);
    if (change.kind === 'everything') {
      this.l1.clear();
      this.finds.clear();
    }
    this.changes.emit(change);
  }

  private dropKey(key: string): void {
    this.epochs.bump(key);
    this.finds.delete(key);
    this.l1.delete(key);
  }

  private dropTargets(targets: readonly InvalidationTarget[]): void {
    this.localLog.record(targets, this.clock.now());
    this.epochs.bumpAll();
    this.finds.clear();
    for (const target of targets) for (const key of this.l1.keysOf(target)) this.l1.delete(key);
    this.l1.deleteUnshared();
  }
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}
