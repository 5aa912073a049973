import { LRUCache } from 'lru-cache';
import { endOfLife, type CacheEntry } from '../../model/cache-entry';
import { callerOfKey, upstreamOfTag } from '../../model/cache-key';
import type { InvalidationTarget } from '../cache-store';
import { hasPrefix, isOfUpstream } from '../invalidation-target';
import { CallerShares, OWNED_BYTES } from './caller-shares';
import { inOnePiece, keptWith, resident, type EntryHome } from './resident-entry';

export interface MemoryLimits {
  /** The memory for entries, in bytes. */
  readonly maxBytes: number;
  /** How many entries there may be. */
  readonly maxEntries: number;
  /**
   * The share of both, from 0 to 1, that the responses of one caller may take in a full memory: beyond it the caller's oldest ones make room
   * for its new ones, not those of others. Callers without a credential have no limit. Without a value there is none.
   */
  readonly maxCallerShare?: number;
}

/** Entries of this process, bounded by bytes and by number, evicted least recently used first, with an index by tag. */
export class MemoryTier implements EntryHome {
  private readonly entries: LRUCache<string, CacheEntry>;
  /** Most tags have one key: stored without a set, which costs as much as a small entry. */
  private readonly keysOfTag = new Map<string, string | Set<string>>();
  /** The entries that only this process has: the shared store publishes no change of them. */
  private readonly unshared = new Set<string>();
  private readonly shares: CallerShares;
  private readonly maxEntries: number;
  private readonly maxEntryBytes: number;
  private preparedBytesNow = 0;

  /** Whether it has no capacity. */
  readonly isOff: boolean;

  /** @param onEvicted called with the key of each evicted entry */
  constructor(
    limits: MemoryLimits,
    private readonly onEvicted?: (key: string) => void,
  ) {
    this.isOff = limits.maxBytes < 1;
    this.maxEntries = Math.max(1, limits.maxEntries);
    this.maxEntryBytes = Math.max(1, Math.floor(limits.maxBytes / 4));
    // Without the LRU's own `max`, which takes the memory of all of them at once.
    this.entries = new LRUCache<string, CacheEntry>({
      maxSize: Math.max(1, limits.maxBytes),
      maxEntrySize: this.maxEntryBytes,
      dispose: (entry, key, reason) => {
        this.forget(key, entry);
        if (reason === 'evict') onEvicted?.(key);
      },
    });
    const { maxCallerShare: share = 1 } = limits;
    this.shares = new CallerShares({ bytes: limits.maxBytes * share, entries: Math.max(1, this.maxEntries * share) });
  }

  get size(): number {
    return this.entries.size;
  }

  /** The size of the entries alone. */
  get bytes(): number {
    return this.entries.calculatedSize - this.preparedBytesNow;
  }

  /** The size of everything kept with the entries. */
  get preparedBytes(): number {
    return this.preparedBytesNow;
  }

  get(key: string, now: number): CacheEntry | undefined {
    const entry = this.entries.get(key);
    if (!entry || now < endOfLife(entry)) return entry;
    this.entries.delete(key);
    return undefined;
  }

  put(key: string, given: CacheEntry, shared: boolean): void {
    const { entry, bytes } = resident(inOnePiece(key), given, this);
    this.place(key, entry, callerOfKey(key, entry.upstream) === undefined ? bytes : bytes + OWNED_BYTES, shared);
  }

  resize(key: string, entry: CacheEntry, extraBytes: number): boolean {
    if (this.entries.peek(key) !== entry) return false;
    const before = keptWith(entry)?.bytes ?? 0;
    const bytes = (this.entries.info(key)?.size ?? 0) - before + extraBytes;
    if (bytes > this.maxEntryBytes) return false;
    this.place(key, entry, bytes, !this.unshared.has(key));
    if (!this.entries.has(key)) return false;
    this.preparedBytesNow += extraBytes;
    return true;
  }

  private place(key: string, entry: CacheEntry, bytes: number, shared: boolean): void {
    this.entries.delete(key);
    this.makeRoom(key, entry.upstream, bytes);
    this.entries.set(key, entry, { size: bytes });
    if (!this.entries.has(key)) return; // larger than the tier takes
    this.shares.add(key, entry.upstream, bytes);
    if (!shared) this.unshared.add(key);
    for (const tag of entry.tags) {
      const keys = this.keysOfTag.get(tag);
      if (keys === undefined) this.keysOfTag.set(tag, key);
      else if (typeof keys !== 'string') keys.add(key);
      else if (keys !== key) this.keysOfTag.set(tag, new Set([keys, key]));
    }
    while (this.entries.size > this.maxEntries) this.entries.pop();
  }

  delete(key: string): boolean {
    return this.entries.delete(key);
  }

  deleteUnshared(): void {
    for (const key of [...this.unshared]) this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }

  keysOf(target: InvalidationTarget): string[] {
    if (target.kind === 'key') return this.entries.has(target.key) ? [target.key] : [];
    if (target.kind === 'prefix') return this.keys().filter((key) => hasPrefix(key, target.prefix));
    const tagged = this.keysOfTag.get(target.tag) ?? [];
    const keys = new Set(typeof tagged === 'string' ? [tagged] : tagged);
    if (upstreamOfTag(target.tag) !== undefined)
      for (const key of this.entries.keys()) if (isOfUpstream(target.tag, key)) keys.add(key);
    return [...keys];
  }

  /** The most recently used ones, at most `count`. */
  recent(count: number): CacheEntry[] {
    const recent: CacheEntry[] = [];
    for (const entry of this.entries.values()) {
      if (recent.length >= count) break;
      recent.push(entry);
    }
    return recent;
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  /** In a full memory a caller over its share loses its own oldest entries; otherwise the least recently used ones go. */
  private makeRoom(key: string, upstream: string, bytes: number): void {
    const { entries } = this;
    if (bytes > this.maxEntryBytes) return;
    while (entries.calculatedSize + bytes > entries.maxSize || entries.size >= this.maxEntries) {
      const oldest = this.shares.oldestBeyond(key, upstream, bytes);
      if (oldest === undefined) return;
      entries.delete(oldest);
      this.onEvicted?.(oldest);
    }
  }

  private forget(key: string, entry: CacheEntry): void {
    this.shares.remove(key, entry.upstream);
    this.preparedBytesNow -= keptWith(entry)?.bytes ?? 0;
    this.unshared.delete(key);
    for (const tag of entry.tags) {
      const keys = this.keysOfTag.get(tag);
      if (typeof keys === 'object') keys.delete(key);
      if (keys === key || (typeof keys === 'object' && keys.size === 0)) this.keysOfTag.delete(tag);
    }
  }
}
