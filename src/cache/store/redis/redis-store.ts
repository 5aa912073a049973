import type { Clock } from '../../../kernel/clock';
import type { KeyTracking } from '../../../redis/key-tracking';
import type { RedisLink } from '../../../redis/redis-link';
import type { CacheEntry } from '../../model/cache-entry';
import {
  StoreUnavailableError,
  type FillOptions,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTargets,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LoadFailure,
  type SharedStore,
  type StoreChange,
} from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { targetList } from '../invalidation-target';
import { PurgeLedger, RewoundError } from './purge-ledger';
import { refusalIn, RedisCommands } from './redis-commands';
import { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import { RedisLeases } from './redis-leases';
import { RedisListing } from './redis-listing';
import { RedisReads, type ReadsListener } from './redis-reads';
import { RedisRecovery, type RecoveryListener } from './redis-recovery';
import { RedisState } from './redis-state';
import { RedisWrites } from './redis-writes';

export interface RedisStoreListener extends Omit<RecoveryListener, 'onRecovered'>, ReadsListener {
  /** Redis answers with an error, such as OOM or READONLY. Called once for each kind. */
  readonly onRefused: (reply: string) => void;
  /** The ledger of invalidations was evicted or deleted; this replica has created a new one. */
  readonly onLedgerLost: () => void;
  /** The size of a whole stored value, head and body, in bytes. */
  readonly onStored: (entry: CacheEntry, bytes: number) => void;
}

/** Entries and leases in Redis. Its one invariant is that of the scripts: a fill under a revoked lease stores nothing. */
export class RedisStore implements SharedStore {
  readonly shared: RedisState;
  readonly listing: RedisListing;
  private readonly changes = new ChangeSignal();
  private readonly invalidation: RedisInvalidation;
  private readonly leases: RedisLeases;
  private readonly reads: RedisReads;
  private readonly recovery: RedisRecovery;
  private readonly writes: RedisWrites;
  private tracking: KeyTracking | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: RedisKeys,
    clock: Clock,
    listener: RedisStoreListener,
  ) {
    const forgetCopies = (): void => this.changes.emit({ kind: 'everything' });
    const ready = (): Promise<void> => this.recovery.ready();
    const commands = new RedisCommands(link, listener.onRefused);
    const ledger = new PurgeLedger(commands, keys, { onRestored: forgetCopies, onLost: listener.onLedgerLost });
    this.invalidation = new RedisInvalidation(link, commands, keys, ledger);
    this.leases = new RedisLeases(commands, keys, ledger);
    this.reads = new RedisReads(commands, keys, ledger, this.leases, listener);
    this.writes = new RedisWrites(commands, ledger, this.leases, keys, clock, listener.onStored);
    this.listing = new RedisListing(link, commands, keys, clock, ready);
    this.shared = new RedisState(commands, keys, ready);
    const onRecovered = { ...listener, onRecovered: forgetCopies };
    this.recovery = new RedisRecovery(link, this.leases, this.invalidation, ledger, onRecovered);
  }

  /** Connects the store to `KeyTracking`: tracking needs the store's listener, and the store needs to know whether it is tracking. */
  listen(track: (listener: { onKey: (key: string) => void; onGap: () => void }) => KeyTracking): void {
    this.tracking = track({
      onKey: (redisKey) => this.onInvalidated(redisKey),
      onGap: () => this.changes.emit({ kind: 'everything' }),
    });
  }

  get isCoherent(): boolean {
    return this.recovery.isRecovered && this.tracking !== undefined && this.tracking.isCoherent;
  }

  find(key: string): Promise<Found | undefined> {
    return this.unlessRewound(() => this.reads.find(key));
  }

  /** One round trip. A Redis that refuses the script (a replica) may still find. */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    try {
      return await this.unlessRewound(() => this.reads.findOrAcquire(request));
    } catch (error) {
      if (!refusalIn(error)) throw error;
      const found = await this.find(request.key);
      return found ? { found } : {};
    }
  }

  acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    return this.unlessRewound(() => this.reads.acquire(request));
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    return this.leases.renew(lease, leaseMs);
  }

  fill(lease: Lease, entry: CacheEntry, options?: FillOptions): Promise<boolean> {
    return this.writes.fill(lease, entry, options);
  }

  isStanding(lease: Lease): Promise<boolean> {
    return this.leases.isStanding(lease);
  }

  release(lease: Lease): Promise<void> {
    return this.leases.release(lease);
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    return this.leases.fail(lease, failure, pauseMs);
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    await this.recovery.ready();
    return this.writes.put(key, entry);
  }

  async invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    const all = targetList(targets);
    try {
      return await this.unlessRewound(() => this.invalidation.invalidate(all, mode));
    } catch (error) {
      if (error instanceof StoreUnavailableError) for (const target of all) this.recovery.enqueue(target, mode);
      throw error;
    }
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  async close(): Promise<void> {
    this.recovery.close();
    await this.tracking?.close();
    await this.link.close();
  }

  /** Unexpected data in Redis are removed first; then the call is repeated once. */
  private async unlessRewound<T>(call: () => Promise<T>): Promise<T> {
    await this.recovery.ready();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RewoundError)) throw error;
      this.recovery.rewind();
      await this.recovery.ready();
      return call();
    }
  }

  private onInvalidated(redisKey: string): void {
    if (redisKey === this.keys.ledger) {
      this.changes.emit({ kind: 'invalidation' });
      void this.invalidation.noteSequence();
      return;
    }
    const parsed = this.keys.parse(redisKey);
    if (parsed?.kind === 'tag') this.changes.emit({ kind: 'tag', tag: parsed.key });
    else if (parsed) this.changes.emit({ kind: parsed.kind === 'entry' ? 'key' : 'lease', key: parsed.key });
  }
}
