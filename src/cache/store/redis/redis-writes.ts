import type { Clock } from '../../../kernel/clock';
import type { RedisReply } from '../../../redis/redis-link';
import { endOfLife, type CacheEntry, type EntryMetadata } from '../../model/cache-entry';
import { prefixOfUpstream, tagOfUpstream } from '../../model/cache-key';
import type { FillOptions, Lease, LinkedEntry } from '../cache-store';
import { encodeEntry, encodeHead } from '../entry-codec';
import type { RedisCommands } from './redis-commands';
import type { PurgeLedger } from './purge-ledger';
import type { RedisKeys } from './redis-keys';
import type { RedisLeases } from './redis-leases';
import { DISCARD, FILL, FILL_TAGGED, FRESHEN, FRESHEN_TAGGED, INDEX, PUT } from './entry-scripts';
import type { Script } from './lua';

/**
 * Writes entries to Redis. Its one invariant is that of the scripts: a fill under a revoked lease stores nothing.
 *
 * On one node a fill is one instant. On a Cluster tags and the ledger may be in other slots than the entry, so that a fill meets an
 * invalidation by tag in this order:
 *
 *   fill                                        invalidation
 *   a. read the ledger: an invalidation since   1. record it in the ledger
 *      the lease was granted: do not store      2. for each indexed key: unlink lease, unlink entry
 *   b. index the key under each tag
 *   c. read the ledger again, as in a
 *   d. store, if the lease is still valid
 *
 * If c does not see what 1 has recorded, then b was before 2, and 2 finds the key: lease gone before d, or entry gone after it. If the
 * index is evicted between b and 2, the entry of d is not in it, and counts as a miss.
 */
export class RedisWrites {
  /** @param onStored called with the size of each whole value, head and body, in bytes */
  constructor(
    private readonly commands: RedisCommands,
    private readonly ledger: PurgeLedger,
    private readonly leases: RedisLeases,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
    private readonly onStored: (entry: CacheEntry, bytes: number) => void,
  ) {}

  async fill(lease: Lease, entry: CacheEntry, { linked, keepsBody = false }: FillOptions = {}): Promise<boolean> {
    const { key } = lease;
    const encode = keepsBody ? encodeHead : encodeEntry;
    const value = encode(entry, this.keys.source, isUpstreamIndexed(key, entry));
    const isStoredWith = linked !== undefined && indexedTags(linked.key, linked.entry).length === 0;
    // A linked entry with indexed tags is put separately.
    if (linked && !isStoredWith) await this.put(linked.key, linked.entry);
    const along = isStoredWith ? { ...linked, value: encodeEntry(linked.entry, this.keys.source) } : undefined;
    const atOnce = keepsBody ? FRESHEN_TAGGED : FILL_TAGGED;
    let reply = await this.storeAtOnce(atOnce, lease, entry, value, along);
    if (reply === undefined) {
      if (along) await this.put(along.key, along.entry);
      if (!(await this.indexTags(lease, entry))) return false;
      const args = [...this.storing(lease, entry), value];
      reply = await this.commands.run(keepsBody ? FRESHEN : FILL, this.pair(key, lease.selection), args);
    } else if (along && reply === 1) this.onStored(along.entry, along.value.length);
    if (reply === 1 && !keepsBody) this.onStored(entry, value.length);
    return reply === 1;
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    const tags = indexedTags(key, entry);
    const value = encodeEntry(entry, this.keys.source, isUpstreamIndexed(key, entry));
    const args = [this.lifeMs(entry), value, key];
    const pair = this.pair(key);
    const atOnce = await this.commands.runAcross(PUT, [...pair, ...tags.map((tag) => this.keys.tagIndex(tag))], args);
    if (atOnce === undefined) {
      await this.index(key, entry, tags);
      await this.commands.run(PUT, pair, args);
    }
    this.onStored(entry, value.length);
  }

  /** Undefined if the keys are on several nodes. */
  private async storeAtOnce(
    script: Script,
    lease: Lease,
    entry: CacheEntry,
    value: Buffer,
    linked: (LinkedEntry & { readonly value: Buffer }) | undefined,
  ): Promise<RedisReply | undefined> {
    const { key, sequence, ledger = '' } = lease;
    const tags = indexedTags(key, entry);
    return this.commands.runAcross(
      script,
      [
        ...this.pair(key, lease.selection),
        this.keys.ledger,
        ...(linked ? this.pair(linked.key) : []),
        ...tags.map((tag) => this.keys.tagIndex(tag)),
      ],
      [
        ...[...this.storing(lease, entry), value, sequence, ledger, key],
        ...(linked ? [this.lifeMs(linked.entry), linked.value] : ['', '']),
        ...tags,
      ],
    );
  }

  private pair(key: string, selection?: string): [string, string] {
    return [this.keys.lease(key, selection), this.keys.entry(key)];
  }

  private storing(lease: Lease, entry: CacheEntry): (string | number)[] {
    return [lease.token, lease.baseId, this.lifeMs(entry)];
  }

  private lifeMs(entry: CacheEntry): number {
    return Math.max(1, Math.ceil(endOfLife(entry) - this.clock.now()));
  }

  /** Steps a to c of the class comment. False: one of the names was invalidated since the lease was granted. */
  private async indexTags(lease: Lease, entry: CacheEntry): Promise<boolean> {
    const tags = indexedTags(lease.key, entry);
    const names = [`k:${lease.key}`, ...tags.map((tag) => `t:${tag}`)];
    if (await this.ledger.isUnpurged(lease, names)) {
      await this.index(lease.key, entry, tags);
      if (await this.ledger.isUnpurged(lease, names)) return true;
      // A remaining entry may have been out of its index when it was invalidated, and is back in it by b.
      if (tags.length > 0 && lease.baseId !== '')
        await this.commands.run(DISCARD, [this.keys.entry(lease.key)], [lease.baseId]);
    }
    await this.leases.release(lease);
    return false;
  }

  private async index(key: string, entry: CacheEntry, tags: readonly string[]): Promise<void> {
    const args = [this.lifeMs(entry), key];
    await Promise.all(tags.map((tag) => this.commands.run(INDEX, [this.keys.tagIndex(tag)], args)));
  }
}

/** The tag that the key itself begins with needs no index: an invalidation finds it by the prefix. */
export function indexedTags(key: string, entry: EntryMetadata): readonly string[] {
  if (isUpstreamIndexed(key, entry)) return entry.tags;
  const own = tagOfUpstream(entry.upstream);
  return entry.tags.filter((tag) => tag !== own);
}

function isUpstreamIndexed(key: string, { upstream }: EntryMetadata): boolean {
  return !key.startsWith(prefixOfUpstream(upstream));
}
