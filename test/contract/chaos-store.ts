import {
  CacheStore,
  type EntryCount,
  type FindOptions,
  type Found,
  type InvalidationMode,
  type InvalidationTarget,
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
} from '../../src/cache/store/cache-store';
import type { CacheEntry } from '../../src/cache/model/cache-entry';

/** What a call to the store below goes through: awaited before it, so that it may delay or throw. */
export type Disturbance = (operation: keyof CacheStore) => Promise<void>;

/** Lets every operation of a store wait for a random number of turns: what the contract promises must not hang on order. */
export function randomTurns(random: () => number): Disturbance {
  return async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
}

/** A store in front of another that disturbs each of its operations; for tests of stores and of what stands on them. */
export class ChaosStore extends CacheStore {
  constructor(
    private readonly below: CacheStore,
    private readonly disturb: Disturbance,
  ) {
    super();
  }

  peek(key: string): Found | undefined {
    return this.below.peek(key);
  }

  async find(key: string, options?: FindOptions): Promise<Found | undefined> {
    await this.disturb('find');
    return this.below.find(key, options);
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    await this.disturb('acquire');
    return this.below.acquire(request);
  }

  async renew(lease: Lease, leaseMs: number): Promise<void> {
    await this.disturb('renew');
    await this.below.renew(lease, leaseMs);
  }

  async fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean> {
    await this.disturb('fill');
    return this.below.fill(lease, entry, linked);
  }

  async isStanding(lease: Lease): Promise<boolean> {
    await this.disturb('isStanding');
    return this.below.isStanding(lease);
  }

  async freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    await this.disturb('freshen');
    return this.below.freshen(lease, entry);
  }

  async release(lease: Lease): Promise<void> {
    await this.disturb('release');
    await this.below.release(lease);
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    await this.disturb('fail');
    await this.below.fail(lease, failure, pauseMs);
  }

  change(key: string, timeoutMs: number): Promise<void> {
    return this.below.change(key, timeoutMs);
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    await this.disturb('put');
    await this.below.put(key, entry);
  }

  async invalidate(target: InvalidationTarget, mode: InvalidationMode): Promise<number> {
    await this.disturb('invalidate');
    return this.below.invalidate(target, mode);
  }

  async claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    await this.disturb('claim');
    return this.below.claim(name, ttlMs, mode);
  }

  async compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    await this.disturb('compareAndSet');
    return this.below.compareAndSet(group, name, seen, text, ttlMs);
  }

  async readNote(group: string, name: string): Promise<string | undefined> {
    await this.disturb('readNote');
    return this.below.readNote(group, name);
  }

  async sharedValues(group: string): Promise<readonly SharedValue[]> {
    await this.disturb('sharedValues');
    return this.below.sharedValues(group);
  }

  async isClaimed(name: string): Promise<boolean> {
    await this.disturb('isClaimed');
    return this.below.isClaimed(name);
  }

  async inspect(key: string): Promise<ListedEntry | undefined> {
    await this.disturb('inspect');
    return this.below.inspect(key);
  }

  async list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    await this.disturb('list');
    return this.below.list(match, cursor, limit, tag);
  }

  async count(target: InvalidationTarget): Promise<EntryCount> {
    await this.disturb('count');
    return this.below.count(target);
  }

  async appendToLog(log: string, line: string): Promise<void> {
    await this.disturb('appendToLog');
    return this.below.appendToLog(log, line);
  }

  async readLog(log: string, limit: number): Promise<readonly string[]> {
    await this.disturb('readLog');
    return this.below.readLog(log, limit);
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.below.onChange(listener);
  }

  close(): Promise<void> {
    return this.below.close();
  }
}
