import { LRUCache } from 'lru-cache';
import { atMost } from '../../../kernel/at-most';
import type { RedisReply } from '../../../redis/redis-link';
import type { CacheEntry } from '../../model/cache-entry';
import type { Found, FoundOrLease, LeaseAnswer, LeaseRequest } from '../cache-store';
import { decodeEntry, decodeHead, MAX_HEAD_BYTES } from '../entry-codec';
import { ifAvailable } from '../if-available';
import { looksLikeMember } from '../../model/resource-index';
import { slotOf, STATE_ITEMS, type LedgerState, type PurgeLedger } from './purge-ledger';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import type { RedisLeases } from './redis-leases';
import { indexedTags } from './redis-writes';
import { DISCARD } from './entry-scripts';
import { FIND } from './lease-scripts';

export interface ReadsListener {
  /** The value of an entry's key has a foreign format; it is removed. Called once for each key. */
  readonly onGarbage: (redisKey: string) => void;
  /**
   * An entry is missing from the index of one of its tags, which was evicted or deleted: it is removed, because no invalidation would find
   * it.
   */
  readonly onUnindexed: (redisKey: string) => void;
}

const REMEMBERED = 10_000;

/**
 * Reads entries from Redis.
 *
 * Its one invariant: an entry is returned only if each of its tags has it in its index, so that an invalidation by tag would have found
 * it. Redis may evict an index and keep the entry.
 */
export class RedisReads {
  /** The tags of entries at their last read: on a Cluster their indexes are read in the same round trip. */
  private readonly tagsSeen = new LRUCache<string, readonly string[]>(atMost(REMEMBERED));
  private readonly reportedGarbage = new Set<string>();
  private ledgerRead: { readonly known: LedgerState; readonly state: Promise<LedgerState> } | undefined;

  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly ledger: PurgeLedger,
    private readonly leases: RedisLeases,
    private readonly listener: ReadsListener,
  ) {}

  /** One round trip. @throws RewoundError */
  async find(key: string): Promise<Found | undefined> {
    // Members have no tags, and a script would copy large bodies twice.
    if (looksLikeMember(key)) return foundIn(await this.findPlain(key, this.readLedger()));
    const redisKey = this.keys.entry(key);
    const asked = this.ledger.state;
    const args = [this.keys.tagIndexPrefix, key, slotOf(asked)];
    const reply = await this.commands.runAcross(FIND, [redisKey, this.keys.ledger], args);
    if (reply === undefined) return foundIn(await this.findPlain(key, undefined));
    const items = reply as readonly RedisReply[];
    await this.ledger.accept(asked, items);
    const [kind = '', value = ''] = items.slice(STATE_ITEMS);
    if (String(kind) === 'none') return undefined;
    const entry = await this.decode(value, redisKey);
    if (String(kind) === 'found') return foundIn(entry);
    await this.discardUnindexed(redisKey, entry);
    return undefined;
  }

  /** As `RedisLeases.acquire`; on a Cluster, where the script cannot do it, an entry without its bookkeeping is found here. */
  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const { key, seenId } = request;
    const answer = await this.leases.acquire(request);
    // Members are replaced under the lease of their load, which an invalidation by any of its tags revokes.
    if (answer.kind !== 'granted' || seenId === '' || this.commands.spansSlots || looksLikeMember(key)) return answer;
    if (await this.isIndexed(key)) return answer;
    await this.leases.release(answer.lease);
    return { kind: 'changed' };
  }

  /** The entry, or the lease; neither if the stored value had to be removed first. @throws RewoundError */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    const { key } = request;
    const isAcrossSlots = !this.commands.spansSlots;
    // The node of a tag may refuse: a lease that the key's node has granted must not be lost by that.
    const scores = isAcrossSlots ? ifAvailable(() => this.readIndexes(key, this.tagsSeen.get(key) ?? [])) : undefined;
    const [answer, seen] = await Promise.all([this.leases.findOrAcquire(request), scores]);
    if ('lease' in answer) return { lease: answer.lease };
    const redisKey = this.keys.entry(key);
    const entry = await this.decode(answer.value, redisKey);
    if (answer.isLost) await this.discardUnindexed(redisKey, entry);
    const isUsable = entry && !answer.isLost;
    const found = foundIn(isUsable && isAcrossSlots ? await this.ifIndexed(key, entry, seen) : entry);
    return isUsable && found ? { found } : {};
  }

  /**
   * Entry and indexes need not be read in one instant. An invalidation that was confirmed before has removed the entry, or did not find it
   * in the index; then only a fill can add it to the index again, and the fill checks the ledger before and after that
   * (`redis-writes.ts`).
   */
  private async findPlain(key: string, ledger: Promise<LedgerState> | undefined): Promise<CacheEntry | undefined> {
    const redisKey = this.keys.entry(key);
    const [value, seen] = await Promise.all([
      this.commands.sendOrReply(redisKey, ['GET', redisKey]),
      this.readIndexes(key, this.tagsSeen.get(key) ?? []),
      ledger,
    ]);
    if (value === null) return undefined;
    const entry = await this.decode(value, redisKey);
    return entry && this.ifIndexed(key, entry, seen);
  }

  /** Shared by members read in one turn of the event loop, while as much is known of the ledger: Redis gets all of these commands together. */
  private readLedger(): Promise<LedgerState> {
    const known = this.ledger.state;
    if (this.ledgerRead?.known === known) return this.ledgerRead.state;
    const read = { known, state: this.ledger.read() };
    this.ledgerRead = read;
    setImmediate(() => {
      if (this.ledgerRead === read) this.ledgerRead = undefined;
    });
    return read.state;
  }

  private async ifIndexed(
    key: string,
    entry: CacheEntry,
    seen: ReadonlyMap<string, boolean> | undefined,
  ): Promise<CacheEntry | undefined> {
    const tags = indexedTags(key, entry);
    if (tags.length > 0) this.tagsSeen.set(key, tags);
    const unread = tags.filter((tag) => !seen?.has(tag));
    const more = unread.length === 0 ? undefined : await this.readIndexes(key, unread);
    if (tags.every((tag) => seen?.get(tag) ?? more?.get(tag))) return entry;
    await this.discardUnindexed(this.keys.entry(key), entry);
    return undefined;
  }

  private async isIndexed(key: string): Promise<boolean> {
    const redisKey = this.keys.entry(key);
    const value = await this.commands.sendOrReply(redisKey, ['GETRANGE', redisKey, '0', String(MAX_HEAD_BYTES - 1)]);
    const head = Buffer.isBuffer(value) ? decodeHead(value, this.keys.source) : undefined;
    const tags = head ? indexedTags(key, head.metadata) : [];
    const seen = await this.readIndexes(key, tags);
    return head !== undefined && tags.every((tag) => seen.get(tag) === true);
  }

  /** Whether each of the tags has the key in its index. */
  private async readIndexes(key: string, tags: readonly string[]): Promise<ReadonlyMap<string, boolean>> {
    const pairs = tags.map(async (tag) => {
      const index = this.keys.tagIndex(tag);
      const score = await this.commands.sendOrReply(index, ['ZSCORE', index, key]);
      return [tag, score !== null && score !== undefined] as const;
    });
    return new Map(await Promise.all(pairs));
  }

  private async decode(value: RedisReply | undefined, redisKey: string): Promise<CacheEntry | undefined> {
    const entry = Buffer.isBuffer(value) ? decodeEntry(value, this.keys.source) : undefined;
    if (entry) return entry;
    if (!this.reportedGarbage.has(redisKey)) {
      if (this.reportedGarbage.size >= 1000) this.reportedGarbage.clear();
      this.reportedGarbage.add(redisKey);
      this.listener.onGarbage(redisKey);
    }
    await this.commands.send(redisKey, ['UNLINK', redisKey]);
    return undefined;
  }

  /** A Redis that accepts no writes keeps it; it still counts as a miss. */
  private async discardUnindexed(redisKey: string, entry: CacheEntry | undefined): Promise<void> {
    if (!entry) return; // had a foreign format, and is removed
    this.listener.onUnindexed(redisKey);
    await this.commands.run(DISCARD, [redisKey], [entry.id]);
  }
}

function foundIn(entry: CacheEntry | undefined): Found | undefined {
  return entry && { entry, tier: 'l2' };
}
