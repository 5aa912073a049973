import type { Clock } from '../../kernel/clock';
import type { KeyTracking } from '../../redis/key-tracking';
import type { RedisLink, RedisReply } from '../../redis/redis-link';
import type { CacheEntry } from '../core/cache-entry';
import {
  SharedStore,
  type Beside,
  type EntryCount,
  StoreUnavailableError,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTarget,
  type KeyPage,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type ListedEntry,
  type LoadFailure,
  type Note,
  type NoteAnswer,
  type StoreChange,
} from '../core/cache-store';
import { ChangeSignal } from '../core/change-signal';
import { decodeEntry } from '../core/entry-codec';
import { refusalIn, RedisCommands } from './redis-commands';
import { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import { RedisLeases } from './redis-leases';
import { RedisListing } from './redis-listing';
import { RedisLogs } from './redis-logs';
import { RedisNotes } from './redis-notes';
import { RedisRecovery, type RecoveryListener } from './redis-recovery';
import { RedisWrites } from './redis-writes';

export interface RedisStoreListener extends Omit<RecoveryListener, 'onRecovered'> {
  /** Something under an entry's key was not written by us; it is removed. Told once for each key. */
  readonly onGarbage: (redisKey: string) => void;
  /** Redis answers with an error, such as OOM or READONLY. Told once for each kind. */
  readonly onRefused: (reply: string) => void;
  /** A whole value was stored for the entry, head and body: so many bytes. */
  readonly onStored: (entry: CacheEntry, bytes: number) => void;
}

/**
 * Entries and leases in Redis. Its one invariant is that of the scripts: a fill under a void lease stores nothing.
 */
export class RedisStore extends SharedStore {
  private readonly changes = new ChangeSignal();
  private readonly commands: RedisCommands;
  private readonly invalidation: RedisInvalidation;
  private readonly leases: RedisLeases;
  private readonly listing: RedisListing;
  private readonly logs: RedisLogs;
  private readonly noteBook: RedisNotes;
  private readonly recovery: RedisRecovery;
  private readonly writes: RedisWrites;
  private readonly garbageTold = new Set<string>();
  private tracking: KeyTracking | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: RedisKeys,
    clock: Clock,
    private readonly listener: RedisStoreListener,
  ) {
    super();
    this.commands = new RedisCommands(link, (reply) => listener.onRefused(reply));
    this.invalidation = new RedisInvalidation(link, this.commands, keys, clock);
    this.leases = new RedisLeases(this.commands, this.invalidation, keys);
    this.listing = new RedisListing(link, this.commands, keys, clock);
    this.logs = new RedisLogs(this.commands, keys);
    this.noteBook = new RedisNotes(this.commands, keys, clock);
    this.writes = new RedisWrites(this.commands, this.invalidation, this.leases, keys, clock, (entry, bytes) =>
      listener.onStored(entry, bytes),
    );
    this.recovery = new RedisRecovery(link, this.leases, this.invalidation, {
      ...listener,
      onRecovered: () => this.changes.emit({ kind: 'everything' }),
    });
  }

  /** Gives the store its ears: `KeyTracking` needs the store's listener, and the store needs to know whether it hears. */
  listen(track: (listener: { onKey: (key: string) => void; onGap: () => void }) => KeyTracking): void {
    this.tracking = track({
      onKey: (redisKey) => this.hear(redisKey),
      onGap: () => this.changes.emit({ kind: 'everything' }),
    });
  }

  get isCoherent(): boolean {
    return this.recovery.isRecovered && this.tracking !== undefined && this.tracking.isCoherent;
  }

  peek(): undefined {
    return undefined;
  }

  async find(key: string): Promise<Found | undefined> {
    await this.recovery.ready();
    const redisKey = this.keys.entry(key);
    const value = await this.commands.sendOrReply(redisKey, ['GET', redisKey]);
    if (value === null) return undefined;
    return this.foundIn(value, redisKey);
  }

  /** One round trip. A Redis that refuses the script (a replica) may still find. */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    await this.recovery.ready();
    try {
      const answer = await this.leases.findOrAcquire(request);
      if ('lease' in answer) return answer;
      const found = await this.foundIn(answer.value, this.keys.entry(request.key));
      return found ? { found } : {};
    } catch (error) {
      if (!refusalIn(error)) throw error;
      const found = await this.find(request.key);
      return found ? { found } : {};
    }
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    await this.recovery.ready();
    return this.leases.acquire(request);
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    return this.leases.renew(lease, leaseMs);
  }

  fill(lease: Lease, entry: CacheEntry, beside?: Beside): Promise<boolean> {
    return this.writes.fill(lease, entry, beside);
  }

  freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    return this.writes.freshen(lease, entry);
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

  async invalidate(target: InvalidationTarget, mode: InvalidationMode): Promise<number> {
    try {
      await this.recovery.ready();
      return await this.invalidation.invalidate(target, mode);
    } catch (error) {
      if (error instanceof StoreUnavailableError) this.recovery.owe(target, mode);
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

  async note(group: string, name: string, seen: string | undefined, text: string, ttlMs: number): Promise<NoteAnswer> {
    await this.recovery.ready();
    return this.noteBook.write(group, name, seen, text, ttlMs);
  }

  async readNote(group: string, name: string): Promise<string | undefined> {
    await this.recovery.ready();
    return this.noteBook.read(group, name);
  }

  async notes(group: string): Promise<readonly Note[]> {
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

  private async foundIn(value: RedisReply | undefined, redisKey: string): Promise<Found | undefined> {
    const entry = Buffer.isBuffer(value) ? decodeEntry(value, this.keys.source) : undefined;
    if (entry) return { entry, tier: 'l2' };
    await this.discard(redisKey);
    return undefined;
  }

  private async discard(redisKey: string): Promise<void> {
    if (!this.garbageTold.has(redisKey)) {
      if (this.garbageTold.size >= 1000) this.garbageTold.clear();
      this.garbageTold.add(redisKey);
      this.listener.onGarbage(redisKey);
    }
    await this.commands.send(redisKey, ['UNLINK', redisKey]);
  }

  private hear(redisKey: string): void {
    if (redisKey === this.keys.sequence) {
      this.changes.emit({ kind: 'invalidation' });
      void this.invalidation.noteSequence();
      return;
    }
    const parsed = this.keys.parse(redisKey);
    if (parsed?.kind === 'entry') this.changes.emit({ kind: 'key', key: parsed.key });
    else if (parsed) this.changes.wake(parsed.key);
  }
}
