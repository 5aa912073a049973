import type { Clock } from '../../../kernel/clock';
import { endOfLife } from '../../model/cache-entry';
import type { EntryCount, EntryListing, InvalidationTarget, KeyPage, ListedEntry } from '../cache-store';
import { matchesGlob } from '../glob';
import type { MemoryTier } from './memory-tier';
import { bodyBytesOf, metadataOf } from './resident-entry';

/** The entries of one process, for operators, without their bodies. */
export class MemoryListing implements EntryListing {
  constructor(
    private readonly tier: MemoryTier,
    private readonly clock: Clock,
  ) {}

  inspect(key: string): Promise<ListedEntry | undefined> {
    return Promise.resolve(this.listed(key));
  }

  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    const all = tag === undefined ? this.tier.keys() : this.tier.keysOf({ kind: 'tag', tag });
    const keys = all.filter((key) => matchesGlob(match, key)).sort();
    const start = cursor === undefined ? 0 : keys.findIndex((key) => key > cursor);
    const page = start < 0 ? [] : keys.slice(start, start + limit);
    const items = page.flatMap((key) => this.listed(key) ?? []);
    const last = page.at(-1);
    return Promise.resolve(start + limit < keys.length && last !== undefined ? { items, cursor: last } : { items });
  }

  count(target: InvalidationTarget): Promise<EntryCount> {
    const now = this.clock.now();
    const keys = this.tier.keysOf(target).filter((key) => this.tier.get(key, now));
    return Promise.resolve({ count: keys.length, isExact: true });
  }

  private listed(key: string): ListedEntry | undefined {
    const now = this.clock.now();
    const entry = this.tier.get(key, now);
    if (!entry) return undefined;
    const { softPurgeMark } = entry;
    const expiresInMs = endOfLife(entry) - now;
    return {
      key,
      metadata: metadataOf(entry),
      bodyBytes: bodyBytesOf(entry),
      expiresInMs,
      ...(softPurgeMark && { softPurgeMark }),
    };
  }
}
