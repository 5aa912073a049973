import { LRUCache } from 'lru-cache';
import { atMost } from '../../../kernel/at-most';
import type { Clock } from '../../../kernel/clock';
import { endOfLife, type CacheEntry } from '../../model/cache-entry';
import {
  CacheStore,
  type EntryCount,
  type Found,
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
  MAX_LOG_LINES,
  MAX_SHARED_VALUE_TTL_MS,
  type SharedValue,
  type CompareAndSetResult,
  type StoreChange,
} from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { matchesGlob } from '../glob';
import { InvalidationLog } from '../invalidation-log';
import { isCovered, targetList } from '../invalidation-target';
import { LeaseTable } from '../lease-table';
import { MemoryTier, type MemoryLimits } from './memory-tier';
import { softPurged } from '../../model/soft-purge';

const MAX_LOAD_MS = 300_000;
const MAX_LEASES = 100_000;
const MAX_SHARED_VALUES = 10_000;

/** The embedded store: everything in this process, nothing survives it. For one replica, for development and for tests. */
export class MemoryStore extends CacheStore {
  private readonly tier: MemoryTier;
  private readonly leases: LeaseTable;
  private readonly log = new InvalidationLog(MAX_LOAD_MS);
  private readonly changes = new ChangeSignal();
  private readonly sharedTexts = new LRUCache<string, string>(atMost(MAX_SHARED_VALUES));
  private readonly logs = new Map<string, readonly string[]>();
  private readonly claims = new LRUCache<string, true>(atMost(MAX_LEASES));

  constructor(
    limits: MemoryLimits,
    private readonly clock: Clock,
  ) {
    super();
    // Other processes may hold copies that an invalidation would not reach.
    this.tier = new MemoryTier(limits, (key) => this.changes.emit({ kind: 'key', key }));
    this.leases = new LeaseTable(clock, this.log);
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
    return this.heldHere(key, now);
  }

  find(key: string): Promise<Found | undefined> {
    return Promise.resolve(this.heldHere(key));
  }

  /** What this process has under the key. */
  protected heldHere(key: string, now = this.clock.now()): Found | undefined {
    const entry = this.tier.get(key, now);
    return entry && { entry, tier: 'l1' };
  }

  /** Keeps a copy of what another replica has stored: loads under way go on, and find that the entry is another. */
  protected adopt(key: string, entry: CacheEntry): void {
    this.tier.put(key, entry, true);
  }

  protected drop(key: string): void {
    this.tier.delete(key);
  }

  acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const entry = this.heldHere(request.key)?.entry;
    if ((entry?.id ?? '') !== request.seenId) return Promise.resolve({ kind: 'changed' });
    const answer = this.leases.acquire(request, 'shared');
    if (answer.kind !== 'granted' || !entry) return Promise.resolve(answer);
    return Promise.resolve({ ...answer, lease: { ...answer.lease, baseEndsAt: endOfLife(entry) } });
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    this.leases.renew(lease, leaseMs);
    return Promise.resolve();
  }

  fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean> {
    const isStanding = this.stands(lease, [...lease.tags, ...entry.tags]);
    const hasBase = this.hasBase(lease);
    if (isStanding && !hasBase && lease.selection !== undefined) return Promise.resolve(false);
    this.leases.release(lease);
    if (isStanding && hasBase) {
      if (linked) this.tier.put(linked.key, linked.entry, true);
      this.tier.put(lease.key, entry, true);
    }
    this.changes.emit({ kind: 'key', key: lease.key });
    return Promise.resolve(isStanding && hasBase);
  }

  isStanding(lease: Lease): Promise<boolean> {
    return Promise.resolve(this.stands(lease, lease.tags));
  }

  freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    return this.fill(lease, entry);
  }

  release(lease: Lease): Promise<void> {
    this.leases.release(lease);
    this.changes.wake(lease.key);
    return Promise.resolve();
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    this.leases.fail(lease, failure, pauseMs);
    this.changes.wake(lease.key);
    return Promise.resolve();
  }

  change(key: string, timeoutMs: number): Promise<void> {
    return this.changes.next(key, timeoutMs);
  }

  put(key: string, entry: CacheEntry): Promise<void> {
    this.leases.revoke(key);
    this.tier.put(key, entry, true);
    this.changes.emit({ kind: 'key', key });
    return Promise.resolve();
  }

  invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    const now = this.clock.now();
    const all = targetList(targets);
    this.log.record(all, now);
    for (const target of all) {
      if (target.kind === 'key') this.leases.revoke(target.key);
      else for (const key of [...this.leases.keys()]) if (isCovered(target, key, [])) this.leases.revoke(key);
    }
    const keys = new Set(all.flatMap((target) => this.tier.keysOf(target)));
    for (const key of keys) this.invalidateKey(key, mode, now);
    this.changes.emit({ kind: 'invalidation' });
    return Promise.resolve(keys.size);
  }

  claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    const isFree = mode === 'renew' || !this.claims.has(name);
    if (isFree) this.claims.set(name, true, { ttl: ttlMs });
    return Promise.resolve(isFree);
  }

  isClaimed(name: string): Promise<boolean> {
    return Promise.resolve(this.claims.has(name));
  }

  compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    const key = `${group}\n${name}`;
    const there = this.sharedTexts.get(key);
    if (there !== seen) return Promise.resolve({ kind: 'conflict', text: there });
    this.sharedTexts.set(key, text, { ttl: Math.max(1, Math.min(ttlMs, MAX_SHARED_VALUE_TTL_MS)) });
    return Promise.resolve({ kind: 'stored' });
  }

  readNote(group: string, name: string): Promise<string | undefined> {
    return Promise.resolve(this.sharedTexts.get(`${group}\n${name}`));
  }

  sharedValues(group: string): Promise<readonly SharedValue[]> {
    const front = `${group}\n`;
    const all = [...this.sharedTexts.entries()].filter(([key]) => key.startsWith(front));
    return Promise.resolve(all.map(([key, text]) => [key.slice(front.length), text] as const));
  }

  inspect(key: string): Promise<ListedEntry | undefined> {
    const now = this.clock.now();
    const entry = this.tier.get(key, now);
    return Promise.resolve(entry && listed(key, entry, now));
  }

  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    const now = this.clock.now();
    const all = tag === undefined ? this.tier.keys() : this.tier.keysOf({ kind: 'tag', tag });
    const keys = all.filter((key) => matchesGlob(match, key)).sort();
    const start = cursor === undefined ? 0 : keys.findIndex((key) => key > cursor);
    const page = start < 0 ? [] : keys.slice(start, start + limit);
    const items = page.flatMap((key) => {
      const entry = this.tier.get(key, now);
      return entry ? [listed(key, entry, now)] : [];
    });
    const last = page.at(-1);
    return Promise.resolve(start + limit < keys.length && last !== undefined ? { items, cursor: last } : { items });
  }

  count(target: InvalidationTarget): Promise<EntryCount> {
    const now = this.clock.now();
    const keys = this.tier.keysOf(target).filter((key) => this.tier.get(key, now));
    return Promise.resolve({ count: keys.length, isExact: true });
  }

  appendToLog(log: string, line: string): Promise<void> {
    this.logs.set(log, [line, ...(this.logs.get(log) ?? [])].slice(0, MAX_LOG_LINES));
    return Promise.resolve();
  }

  readLog(log: string, limit: number): Promise<readonly string[]> {
    return Promise.resolve((this.logs.get(log) ?? []).slice(0, limit));
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  close(): Promise<void> {
    this.tier.clear();
    return Promise.resolve();
  }

  private hasBase({ key, baseId, baseEndsAt = Infinity }: Lease): boolean {
    const entry = this.heldHere(key)?.entry;
    return entry ? entry.id === baseId : baseId === '' || baseEndsAt <= this.clock.now();
  }

  private stands(lease: Lease, tags: readonly string[]): boolean {
    return this.leases.isHeldBy(lease) && !this.log.covers(lease.key, tags, lease.sequence);
  }

  private invalidateKey(key: string, mode: InvalidationMode, now: number): void {
    const entry = this.tier.get(key, now);
    this.leases.revoke(key);
    this.tier.delete(key);
    if (mode === 'stale' && entry) this.tier.put(key, softPurged(entry, this.log.sequence), true);
    this.changes.emit({ kind: 'key', key });
  }
}

function listed(key: string, { body, softPurgeMark, ...metadata }: CacheEntry, now: number): ListedEntry {
  const expiresInMs = endOfLife(metadata) - now;
  return {
    key,
    metadata,
    bodyBytes: body.length,
    expiresInMs,
    ...(softPurgeMark === undefined ? {} : { softPurgeMark }),
  };
}
