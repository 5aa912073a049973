import type { Clock } from '../../kernel/clock';
import type { RedisReply } from '../../redis/redis-link';
import { endOfLife, type CacheEntry } from '../core/cache-entry';
import { prefixOfUpstream, tagOfUpstream } from '../core/cache-key';
import type { Beside, Lease } from '../core/cache-store';
import { encodeEntry, encodeHead } from '../core/entry-codec';
import type { RedisCommands } from './redis-commands';
import type { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import type { RedisLeases } from './redis-leases';
import { FILL, FILL_TAGGED, FRESHEN, INDEX, PUT } from './scripts';

/**
 * Entries on their way into Redis. Its one invariant is that of the scripts: a fill under a void lease stores nothing.
 *
 * Tags may be of other slots than the entry, so that a fill meets an invalidation by tag in this order:
 *
 *   fill                                        invalidation
 *   a. index the key under each tag             1. sequence + 1
 *   b. read the tags' marks; one newer than     2. mark the tag with it
 *      the lease's sequence: do not store       3. for each indexed key: unlink lease, unlink entry
 *   c. store, if the lease still stands
 *
 * If b does not see the mark of 2, then a was before 3, and 3 finds the key: lease void before c, or entry gone after it.
 */
export class RedisWrites {
  /** @param onStored told of each whole value: so many bytes, head and body */
  constructor(
    private readonly commands: RedisCommands,
    private readonly invalidation: RedisInvalidation,
    private readonly leases: RedisLeases,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
    private readonly onStored: (entry: CacheEntry, bytes: number) => void,
  ) {}

  async fill(lease: Lease, entry: CacheEntry, beside?: Beside): Promise<boolean> {
    const atOnce = await this.fillAtOnce(lease, entry, beside);
    if (atOnce !== undefined) return atOnce;
    if (beside) await this.put(beside.key, beside.entry);
    if (!(await this.indexTags(lease, entry))) return false;
    const value = encodeEntry(entry, this.keys.source);
    const args = [...this.storing(lease, entry), value];
    return this.stored(await this.commands.run(FILL, this.pair(lease.key), args), [entry, value]);
  }

  async freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    if (!(await this.indexTags(lease, entry))) return false;
    const args = [...this.storing(lease, entry), encodeHead(entry, this.keys.source)];
    return (await this.commands.run(FRESHEN, this.pair(lease.key), args)) === 1;
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    await Promise.all(this.indexedTags(key, entry).map((tag) => this.index(tag, key, entry)));
    const value = encodeEntry(entry, this.keys.source);
    this.stored(await this.commands.run(PUT, this.pair(key), [this.lifeMs(entry), value]), [entry, value]);
  }

  /** Steps a to c of the class comment in one instant: there is no order for an invalidation to come between. */
  private async fillAtOnce(lease: Lease, entry: CacheEntry, beside: Beside | undefined): Promise<boolean | undefined> {
    if (!this.commands.spansSlots) return undefined;
    const { key, sequence } = lease;
    const now = Math.round(this.clock.now());
    const value = encodeEntry(entry, this.keys.source);
    const along = beside && { ...beside, value: encodeEntry(beside.entry, this.keys.source) };
    const tags = this.indexedTags(key, entry).flatMap((tag) => [this.keys.tagIndex(tag), this.keys.tagMark(tag)]);
    const reply = await this.commands.runAcross(
      FILL_TAGGED,
      [...this.pair(key), ...(along ? this.pair(along.key) : []), ...tags],
      [
        ...[...this.storing(lease, entry), value, sequence, now, now + this.lifeMs(entry), key],
        ...(along ? [this.lifeMs(along.entry), along.value] : []),
      ],
    );
    if (reply === undefined) return undefined;
    return this.stored(reply, [entry, value], ...(along ? [[along.entry, along.value] as const] : []));
  }

  /** Tells of whole values, where the script has stored them. */
  private stored(reply: RedisReply, ...values: readonly (readonly [entry: CacheEntry, value: Buffer])[]): boolean {
    if (reply !== 1) return false;
    for (const [entry, value] of values) this.onStored(entry, value.length);
    return true;
  }

  private pair(key: string): [string, string] {
    return [this.keys.lease(key), this.keys.entry(key)];
  }

  private storing(lease: Lease, entry: CacheEntry): (string | number)[] {
    return [lease.token, lease.baseId, this.lifeMs(entry)];
  }

  private lifeMs(entry: CacheEntry): number {
    return Math.max(1, Math.ceil(endOfLife(entry) - this.clock.now()));
  }

  /** Steps a and b of the class comment; index and mark of a tag share a slot and so are done in the order sent. False: a tag was invalidated since the lease was given. */
  private async indexTags(lease: Lease, entry: CacheEntry): Promise<boolean> {
    const marks = await Promise.all(
      this.indexedTags(lease.key, entry).map(async (tag) => {
        const [, mark] = await Promise.all([this.index(tag, lease.key, entry), this.invalidation.readMark(tag)]);
        return mark;
      }),
    );
    if (marks.every((mark) => mark <= lease.sequence)) return true;
    await this.leases.release(lease);
    return false;
  }

  /** The tag that the key itself begins with needs no index: an invalidation finds it by the prefix. */
  private indexedTags(key: string, { tags, upstream }: CacheEntry): readonly string[] {
    if (!key.startsWith(prefixOfUpstream(upstream))) return tags;
    const own = tagOfUpstream(upstream);
    return tags.filter((tag) => tag !== own);
  }

  private async index(tag: string, key: string, entry: CacheEntry): Promise<void> {
    const now = Math.round(this.clock.now());
    await this.commands.run(INDEX, [this.keys.tagIndex(tag)], [now, now + this.lifeMs(entry), key]);
  }
}
