import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import type { Clock } from '../../kernel/clock';
import type { CacheStore, Found } from '../store/cache-store';
import { keptWith } from '../store/memory/resident-entry';
import type { HitPointer } from '../model/exchange';
import type { RequestPolicy } from '../law/request-policy';
import { reuseOf } from '../law/reuse';
import { looksLikeIndex } from '../model/resource-index';
import { applySoftPurge } from '../model/soft-purge';

/** Where the hit is, without the names of the fields that select it. */
type Pointer = Omit<HitPointer, 'selectedBy'>;

/** The number of variants remembered as absent. */
const MAX_ABSENT = 10_000;
/** Marks a read that found no entry. */
const ABSENT = {};

/** What the shared store had for a pointer: the index, or the response where there is none, and the latest of the variants. */
interface PointedEntries {
  readonly top: Found | undefined;
  readonly latest: Found | undefined;
}

/**
 * The result of following a pointer: a fresh hit; `slow-path` where an entry exists and the request needs more than it; or undefined
 * where memory cannot decide.
 */
export type PointedHit = Found | 'slow-path' | undefined;

/**
 * Follows hit pointers.
 *
 * Its one invariant: a pointer yields the entry that `HttpCache` would find for the request, or nothing. Every change or invalidation of a
 * resource's variants changes its index, which the pointer knows by its id. There is one exception: a variant that did not exist is stored
 * under a list that the index has already. So a variant counts as absent only from a read that found nothing until a change of its key is
 * published:
 *
 *   1. the read of an absent variant is sent; it is noted under the key
 *   2. another replica stores the variant; the change removes the note of 1
 *   3. the reply of 1 arrives, "nothing", and finds its note gone: the variant stays unknown, and is read again
 */
export class HitPointers {
  private readonly absent = new LRUCache<string, object>(atMost(MAX_ABSENT));
  /** The reads under way: callers of one pointer share one. A change forgets them all: a later caller may know of it. */
  private readonly reads = new Map<Pointer, Promise<PointedEntries>>();

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {
    store.onChange((change) => {
      this.reads.clear();
      if (change.kind === 'key' || change.kind === 'lease') this.absent.delete(change.key);
      else if (change.kind === 'everything') this.absent.clear();
    });
  }

  /** From this process's memory alone. */
  peek(pointer: Pointer, policy: RequestPolicy, now: number): PointedHit {
    const top = this.store.peek(pointer.key, now);
    if (!top) return undefined;
    if (pointer.indexId === undefined) return unindexedHit(top, policy, now);
    if (top.entry.id !== pointer.indexId) return undefined;
    let latest: Found | undefined;
    for (const key of pointer.variantKeys) {
      const variant = this.store.peek(key, now);
      if (variant) latest = laterOf(latest, variant);
      else if (this.absent.get(key) !== ABSENT) return undefined;
    }
    return hit(top, latest, policy, now);
  }

  /** Whether the shared store may have an entry that `peek` lacks. */
  mayBeFresh({ freshUntil }: Pointer, now: number): boolean {
    return now < freshUntil;
  }

  /** In every tier, in one round trip; the policies of callers that share it may differ. */
  find(pointer: Pointer): Promise<PointedEntries> {
    const shared = this.reads.get(pointer);
    if (shared) return shared;
    const read = this.read(pointer);
    this.reads.set(pointer, read);
    const forget = (): void => {
      if (this.reads.get(pointer) === read) this.reads.delete(pointer);
    };
    read.then(forget, forget);
    return read;
  }

  /** The response that a request with this policy gets. */
  hitIn({ top, latest }: PointedEntries, { indexId }: Pointer, policy: RequestPolicy): PointedHit {
    const now = this.clock.now();
    if (indexId === undefined) return top && unindexedHit(top, policy, now);
    return top?.entry.id === indexId ? hit(top, latest, policy, now) : undefined;
  }

  private async read({ key, indexId, variantKeys }: Pointer): Promise<PointedEntries> {
    // The index first: entries read after it are no older than it.
    const finding = this.store.find(key);
    if (indexId === undefined) return { top: await finding, latest: undefined };
    const variants = await Promise.all(variantKeys.map((one) => this.findVariant(one)));
    const latest = variants.reduce((one, other) => (other ? laterOf(one, other) : one), undefined);
    return { top: await finding, latest };
  }

  private async findVariant(key: string): Promise<Found | undefined> {
    const read = {};
    this.absent.set(key, read);
    const found = await this.store.find(key);
    if (this.absent.get(key) === read) {
      if (found) this.absent.delete(key);
      else this.absent.set(key, ABSENT);
    }
    return found;
  }
}

/** Under the key itself; an index of variants may be there by now. An entry with a prepared response is none. */
function unindexedHit(found: Found, policy: RequestPolicy, now: number): PointedHit {
  const isResponse = keptWith(found.entry) !== undefined || !looksLikeIndex(found.entry);
  return isResponse ? hit(undefined, found, policy, now) : undefined;
}

function hit(index: Found | undefined, found: Found | undefined, policy: RequestPolicy, now: number): PointedHit {
  if (!found || (index && now >= index.entry.freshUntil)) return undefined;
  const entry = applySoftPurge(found.entry, index?.entry);
  return reuseOf(entry, policy, now) === 'fresh' ? { entry, tier: found.tier } : 'slow-path';
}

/** RFC 9111 §4.1: "use the most recent" matching response. For equal ages the first list counts. */
function laterOf(one: Found | undefined, other: Found): Found {
  return one && one.entry.storedAt >= other.entry.storedAt ? one : other;
}
