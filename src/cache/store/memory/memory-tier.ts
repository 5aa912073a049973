import { LRUCache } from 'lru-cache';
import { endOfLife, type CacheEntry } from '../../model/cache-entry';
import { callerOfKey, upstreamOfTag } from '../../model/cache-key';
import type { InvalidationTarget } from '../cache-store';
import { hasPrefix, isOfUpstream } from '../invalidation-target';
import { CallerShares, OWNED_BYTES } from './caller-shares';
import { inOnePiece, MIN_RESIDENT_BYTES, resident } from './resident-entry';

export interface MemoryLimits {
  /** What the entries may take, in bytes. */
  readonly maxBytes: number;
  /** How many entries there may be. */
  readonly maxEntries: number;
  /**
   * The share of both, from 0 to 1, that the responses of one caller may take in a full memory: beyond it the caller's oldest ones make room
   * for its new ones, not those of others. Callers without a credential have no limit. Without a value there is none.
   */
  readonly maxCallerShare?: number;
}

interface Kept {
  readonly entry: CacheEntry;
  /** Whether the shared store has the entry as well and so publishes its changes. */
  readonly shared: boolean;
}

/** Entries of this process, bounded by bytes and by number, evicted least recently used first, with an index by tag. */
export class MemoryTier {
  private readonly entries: LRUCache<string, Kept>;
  /** Most tags have one key: stored without a set, which costs as much as a small entry. */
  private readonly keysOfTag = new Map<string, string | Set<string>>();
  private readonly unshared = new Set<string>();
  private readonly shares: CallerShares;

  /** Whether it has no capacity. */
  readonly isOff: boolean;

  /** @param onEvicted called with the key of each evicted entry */
  constructor(
    limits: MemoryLimits,
    private readonly onEvicted?: (key: string) => void,
  ) {
    this.isOff = limits.maxBytes < 1;
    this.entries = new LRUCache<string, Kept>({
      // The table has its full length from the beginning: no longer than its bytes allow.
      max: Math.max(1, Math.min(limits.maxEntries, Math.ceil(limits.maxBytes / MIN_RESIDENT_BYTES))),
      maxSize: Math.max(1, limits.maxBytes),
      maxEntrySize: Math.max(1, Math.floor(limits.maxBytes / 4)),
      dispose: ({ entry }, key, reason) => {
        this.forget(key, entry);
        if (reason === 'evict') onEvicted?.(key);
      },
    });
    const { maxCallerShare: share = 1 } = limits;
    this.shares = new CallerShares({ bytes: limits.maxBytes * share, entries: Math.max(1, this.entries.max * share) });
  }

  get size(): number {
    return this.entries.size;
  }

  get bytes(): number {
    return this.entries.calculatedSize;
  }

  get(key: string, now: number): CacheEntry | undefined {
    const kept = this.entries.get(key);
    if (!kept) return undefined;
    if (now < endOfLife(kept.entry)) return kept.entry;
    this.entries.delete(key);
    return undefined;
  }

  put(key: string, given: CacheEntry, shared: boolean): void {
    this.entries.delete(key);
    const { entry, bytes } = resident(inOnePiece(key), given);
    const size = callerOfKey(key, entry.upstream) === undefined ? bytes : bytes + OWNED_BYTES;
    this.makeRoom(key, entry.upstream, size);
    this.entries.set(key, { entry, shared }, { size });
    if (!this.entries.has(key)) return; // larger than the tier takes
    this.shares.add(key, entry.upstream, size);
    if (!shared) this.unshared.add(key);
    for (const tag of entry.tags) {
      const keys = this.keysOfTag.get(tag);
      if (keys === undefined) this.keysOfTag.set(tag, key);
      else if (typeof keys !== 'string') keys.add(key);
      else if (keys !== key) this.keysOfTag.set(tag, new Set([keys, key]));
    }
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
    for (const { entry } of this.entries.values()) {
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
    if (bytes > entries.maxEntrySize) return;
    while (entries.calculatedSize + bytes > entries.maxSize || entries.size >= entries.max) {
      const oldest = this.shares.oldestBeyond(key, upstream, bytes);
      if (oldest === undefined) return;
      entries.delete(oldest);
      this.onEvicted?.(oldest);
    }
  }

  private forget(key: string, entry: CacheEntry): void {
    this.shares.remove(key, entry.upstream);
    this.unshared.delete(key);
    for (const tag of entry.tags) {
      const keys = this.keysOfTag.get(tag);
      if (typeof keys === 'object') keys.delete(key);
      if (keys === key || (typeof keys === 'object' && keys.size === 0)) this.keysOfTag.delete(tag);
    }
  }
}
