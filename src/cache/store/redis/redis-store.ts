import type { Clock } from '../../../kernel/clock';
import type { KeyTracking } from '../../../redis/key-tracking';
import type { RedisLink } from '../../../redis/redis-link';
import { targetList } from '../invalidation-target';
import type { CacheEntry } from '../../model/cache-entry';
import {
  SharedStore,
  type EntryCount,
  StoreUnavailableError,
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
  type StoreChange,
} from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { refusalIn, RedisCommands } from './redis-commands';
import { PurgeLedger, RewoundError } from './purge-ledger';
import { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import { RedisLeases } from './redis-leases';
import { RedisListing } from './redis-listing';
import { RedisLogs } from './redis-logs';
import { RedisSharedValues } from './redis-shared-values';
import { RedisReads, type ReadsListener } from './redis-reads';
import { RedisRecovery, type RecoveryListener } from './redis-recovery';
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
export class RedisStore extends SharedStore {
  private readonly changes = new ChangeSignal();
  private readonly commands: RedisCommands;
  private readonly invalidation: RedisInvalidation;
  private readonly leases: RedisLeases;
  private readonly ledger: PurgeLedger;
  private readonly listing: RedisListing;
  private readonly logs: RedisLogs;
  private readonly noteBook: RedisSharedValues;
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
    super();
    this.commands = new RedisCommands(link, (reply) => listener.onRefused(reply));
    const forgetCopies = (): void => this.changes.emit({ kind: 'everything' });
    this.ledger = new PurgeLedger(this.commands, keys, {
      onRestored: forgetCopies,
      onLost: () => listener.onLedgerLost(),
    });
    this.invalidation = new RedisInvalidation(link, this.commands, keys, this.ledger);
    this.leases = new RedisLeases(this.commands, keys, this.ledger);
    this.reads = new RedisReads(this.commands, keys, this.ledger, this.leases, listener);
    this.listing = new RedisListing(link, this.commands, keys, clock);
    this.logs = new RedisLogs(this.commands, keys);
    this.noteBook = new RedisSharedValues(this.commands, keys);
    this.writes = new RedisWrites(this.commands, this.ledger, this.leases, keys, clock, (entry, bytes) =>
      listener.onStored(entry, bytes),
    );
    this.recovery = new RedisRecovery(link, this.leases, this.invalidation, this.ledger, {
      ...listener,
      onRecovered: forgetCopies,
    });
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

  peek(): undefined {
    return undefined;
  }

  find(key: string): Promise<Found | undefined> {
    return this.unlessRewound(async () => foundIn(await this.reads.find(key)));
  }

  /** One round trip. A Redis that refuses the script (a replica) may still find. */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    try {
      return await this.unlessRewound(async () => {
        const { entry, lease } = await this.reads.findOrAcquire(request);
        const found = foundIn(entry);
        return found ? { found } : { lease };
      });
    } catch (error) {
      if (!refusalIn(error)) throw error;
      const found = await this.find(request.key);
      return found ? { found } : {};
    }
  }

  acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    return this.unlessRewound(() => this.leases.acquire(request));
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    return this.leases.renew(lease, leaseMs);
  }

  fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean> {
    return this.writes.fill(lease, entry, linked);
  }

  freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    return this.writes.freshen(lease, entry);
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

  change(key: string, timeoutMs: number): Promise<void> {
    return this.changes.next(key, timeoutMs);
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

  async claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    await this.recovery.ready();
    const key = this.keys.claim(name);
    return (
      (await this.commands.send(key, ['SET', key, '1', ...(mode === 'renew' ? [] : ['NX']), 'PX', String(ttlMs)])) !==
      null
    );
  }

  async isClaimed(name: string): Promise<boolean> {
    await this.recovery.ready();
    const key = this.keys.claim(name);
    return (await this.commands.send(key, ['GET', key])) !== null;
  }

  async compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    await this.recovery.ready();
    return this.noteBook.write(group, name, seen, text, ttlMs);
  }

  async readNote(group: string, name: string): Promise<string | undefined> {
    await this.recovery.ready();
    return this.noteBook.read(group, name);
  }

  async sharedValues(group: string): Promise<readonly SharedValue[]> {
    await this.recovery.ready();
    return this.noteBook.readAll(group);
  }

  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.listing.inspect(key);
  }

  async list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    await this.recovery.ready();
    return tag === undefined
      ? this.listing.list(match, cursor, limit)
      : this.listing.listByTag(tag, match, cursor, limit);
  }

  async count(target: InvalidationTarget): Promise<EntryCount> {
    await this.recovery.ready();
    return this.listing.count(target);
  }

  appendToLog(log: string, line: string): Promise<void> {
    return this.logs.append(log, line);
  }

  readLog(log: string, limit: number): Promise<readonly string[]> {
    return this.logs.read(log, limit);
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
    if (parsed?.kind === 'entry') this.changes.emit({ kind: 'key', key: parsed.key });
    else if (parsed?.kind === 'tag') this.changes.emit({ kind: 'tag', tag: parsed.key });
    else if (parsed) this.changes.wake(parsed.key);
  }
}

function foundIn(entry: CacheEntry | undefined): Found | undefined {
  return entry && { entry, tier: 'l2' };
}
