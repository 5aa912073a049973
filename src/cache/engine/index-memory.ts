import { LRUCache } from 'lru-cache';
import type { CacheStore, Found, FoundOrLease, LeaseAnswer } from '../store/cache-store';
import { readIndex, type ResourceIndex } from '../model/resource-index';
import { textBytes } from '../store/memory/packed-fields';

/** The parts of an index that locate its variants and projections. */
type KnownMembers = Pick<ResourceIndex, 'generation' | 'lists'>;

export interface FoundIndex {
  readonly found: Found | undefined;
  /** Where nothing is stored, as far as it was requested. */
  readonly lease?: LeaseAnswer | undefined;
  /** The entries requested together with the index, by key. Useless if the index now names others. */
  readonly prefetched: ReadonlyMap<string, Promise<Found | undefined>>;
}

/** The memory for remembered indexes. */
const MAX_BYTES = 2_097_152;
/** The overhead of objects, in addition to the texts. */
const ROW_BYTES = 350;
const NOTHING_PREFETCHED: FoundIndex['prefetched'] = new Map();

/**
 * Remembers what each index named when it was last seen: an entry that is not in memory is requested together with its index, in one round
 * trip instead of two.
 *
 * Its one invariant: it decides nothing. An entry requested early is used only if the current index names it.
 */
export class IndexMemory {
  private readonly seen = new LRUCache<string, KnownMembers>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ lists }, key) =>
      ROW_BYTES + textBytes(key) + lists.flat().reduce((sum, name) => sum + textBytes(name), 0),
  });

  /**
   * @param look requests the index where it is not in memory
   * @param keysOf the keys of the members that the caller needs, from the index
   */
  async find(
    store: CacheStore,
    key: string,
    look: () => Promise<FoundOrLease>,
    keysOf: (index: KnownMembers) => readonly string[],
  ): Promise<FoundIndex> {
    const local = store.peek(key);
    if (local) return { found: local, prefetched: NOTHING_PREFETCHED };
    const last = this.seen.get(key);
    // The index first: entries read after it are no older than it.
    const finding = look();
    const prefetched = new Map(last && keysOf(last).map((one) => [one, this.prefetch(store, one)]));
    const answer = await finding;
    const { found } = answer;
    const index = found && readIndex(found.entry);
    if (index) this.seen.set(key, { generation: index.generation, lists: index.lists });
    else this.seen.delete(key);
    return { found: undefined, ...answer, prefetched };
  }

  /** The caller gets the failure when it requests the entry itself. */
  private prefetch(store: CacheStore, key: string): Promise<Found | undefined> {
    const local = store.peek(key);
    return local ? Promise.resolve(local) : store.find(key).catch(() => undefined);
  }
}
