import type { Clock } from '../../kernel/clock';
import type { KeyTracking } from '../../redis/key-tracking';
import type { RedisLink, RedisReply } from '../../redis/redis-link';
import { endOfLife, type CacheEntry } from '../core/cache-entry';
import {
  SharedStore,
  type Beside,
  StoreUnavailableError,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTarget,
  type KeyPage,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type ListedEntry,
  type LoadFailure,
  type Note,
  type NoteAnswer,
  type StoreChange,
} from '../core/cache-store';
import { prefixOfUpstream, tagOfUpstream } from '../core/cache-key';
import { ChangeSignal } from '../core/change-signal';
import { decodeEntry, encodeEntry, encodeHead } from '../core/entry-codec';
import { OverdueInvalidations } from './overdue-invalidations';
import { refusalIn, RedisCommands } from './redis-commands';
import { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import { RedisLeases } from './redis-leases';
import { RedisListing } from './redis-listing';
import { RedisNotes } from './redis-notes';
import { FILL, FILL_TAGGED, FRESHEN, INDEX, PUT } from './scripts';

export interface RedisStoreListener {
  /** Something under an entry's key was not written by us; it is removed. Told once for each key. */
  readonly onGarbage: (redisKey: string) => void;
  /** Redis answers with an error, such as OOM or READONLY. Told once for each kind. */
  readonly onRefused: (reply: string) => void;
  /** Redis has less than it once had (a restart with old data): all entries are removed. */
  readonly onRewound: (entries: number) => void;
  /** Redis has not confirmed an invalidation: nothing is read of it until it has. Told once, until all are settled. */
  readonly onOverdue: () => void;
  /** So many invalidations that Redis had not confirmed are made up for. */
  readonly onSettled: (invalidations: number) => void;
  /** A whole value was stored for the entry, head and body: so many bytes. */
  readonly onStored: (entry: CacheEntry, bytes: number) => void;
}

const RETRY_MS = 500;

/**
 * Entries and leases in Redis. Its one invariant is that of the scripts: a fill under a void lease stores nothing.
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
export class RedisStore extends SharedStore {
  private readonly changes = new ChangeSignal();
  private readonly commands: RedisCommands;
  private readonly invalidation: RedisInvalidation;
  private readonly leases: RedisLeases;
  private readonly listing: RedisListing;
  private readonly noteBook: RedisNotes;
  private readonly overdue = new OverdueInvalidations();
  private readonly garbageTold = new Set<string>();
  private tracking: KeyTracking | undefined;
  private isRecovered = false;
  private unrecovered = 'not recovered yet';
  /** Runs while an invalidation is overdue. */
  private retry: NodeJS.Timeout | undefined;
  private recovering: Promise<boolean> | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
    private readonly listener: RedisStoreListener,
  ) {
    super();
    this.commands = new RedisCommands(link, (reply) => listener.onRefused(reply));
    this.invalidation = new RedisInvalidation(link, this.commands, keys, clock);
    this.leases = new RedisLeases(link, this.commands, this.invalidation, keys);
    this.listing = new RedisListing(link, this.commands, keys);
    this.noteBook = new RedisNotes(this.commands, keys, clock);
    link.onTransition((isUp) => {
      this.isRecovered = false;
      if (isUp) void this.recover();
    });
  }

  /** Gives the store its ears: `KeyTracking` needs the store's listener, and the store needs to know whether it hears. */
  listen(track: (listener: { onKey: (key: string) => void; onGap: () => void }) => KeyTracking): void {
    this.tracking = track({
      onKey: (redisKey) => this.hear(redisKey),
      onGap: () => this.changes.emit({ kind: 'everything' }),
    });
  }

  get isCoherent(): boolean {
    return this.isRecovered && this.tracking !== undefined && this.tracking.isCoherent;
  }

  peek(): undefined {
    return undefined;
  }

  async find(key: string): Promise<Found | undefined> {
    await this.ready();
    const redisKey = this.keys.entry(key);
    const value = await this.commands.sendOrReply(redisKey, ['GET', redisKey]);
    if (value === null) return undefined;
    return this.foundIn(value, redisKey);
  }

  /** One round trip. A Redis that refuses the script (a replica) may still find. */
  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    await this.ready();
    try {
      const answer = await this.leases.findOrAcquire(request);
      if ('lease' in answer) return answer;
      const found = await this.foundIn(answer.value, this.keys.entry(request.key));
      return found ? { found } : {};
    } catch (error) {
      if (!refusalIn(error)) throw error;
      const found = await this.find(request.key);
      return found ? { found } : {};
    }
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    await this.ready();
    return this.leases.acquire(request);
  }

  renew(lease: Lease, leaseMs: number): Promise<void> {
    return this.leases.renew(lease, leaseMs);
  }

  async fill(lease: Lease, entry: CacheEntry, beside?: Beside): Promise<boolean> {
    if (!this.link.isCluster) return this.fillAtOnce(lease, entry, beside);
    if (beside) await this.put(beside.key, beside.entry);
    if (!(await this.indexTags(lease, entry))) return false;
    const value = encodeEntry(entry);
    const args = [...this.storing(lease, entry), value];
    return this.stored(await this.commands.run(FILL, this.pair(lease.key), args), [entry, value]);
  }

  /** Steps a to c of the class comment in one instant: there is no order for an invalidation to come between. */
  private async fillAtOnce(lease: Lease, entry: CacheEntry, beside: Beside | undefined): Promise<boolean> {
    const { key, sequence } = lease;
    const now = Math.round(this.clock.now());
    const lifeMs = this.lifeMs(entry);
    const value = encodeEntry(entry);
    const tags = this.indexedTags(key, entry).flatMap((tag) => [this.keys.tagIndex(tag), this.keys.tagMark(tag)]);
    const args = [lease.token, lease.baseId, lifeMs, value, sequence, now, now + lifeMs, key];
    if (!beside) {
      const reply = await this.commands.run(FILL_TAGGED, [...this.pair(key), ...tags], args);
      return this.stored(reply, [entry, value]);
    }
    const alongside = encodeEntry(beside.entry);
    const reply = await this.commands.run(
      FILL_TAGGED,
      [...this.pair(key), ...tags, ...this.pair(beside.key)],
      [...args, this.lifeMs(beside.entry), alongside],
    );
    return this.stored(reply, [entry, value], [beside.entry, alongside]);
  }

  async freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    if (!(await this.indexTags(lease, entry))) return false;
    const args = [...this.storing(lease, entry), encodeHead(entry)];
    return (await this.commands.run(FRESHEN, this.pair(lease.key), args)) === 1;
  }

  release(lease: Lease): Promise<void> {
    return this.leases.release(lease);
  }

  fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    return this.leases.fail(lease, failure, pauseMs);
  }

  change(key: string, timeoutMs: number): Promise<void> {
    return this.changes.next(key, timeoutMs);
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    await this.ready();
    await Promise.all(this.indexedTags(key, entry).map((tag) => this.index(tag, key, entry)));
    const value = encodeEntry(entry);
    this.stored(await this.commands.run(PUT, this.pair(key), [this.lifeMs(entry), value]), [entry, value]);
  }

  async invalidate(target: InvalidationTarget, mode: InvalidationMode): Promise<number> {
    try {
      await this.ready();
      return await this.invalidation.invalidate(target, mode);
    } catch (error) {
      if (error instanceof StoreUnavailableError) this.owe(target, mode);
      throw error;
    }
  }

  async claim(name: string, ttlMs: number): Promise<boolean> {
    await this.ready();
    const key = this.keys.claim(name);
    return (await this.commands.send(key, ['SET', key, '1', 'NX', 'PX', String(ttlMs)])) !== null;
  }

  async isClaimed(name: string): Promise<boolean> {
    await this.ready();
    const key = this.keys.claim(name);
    return (await this.commands.send(key, ['GET', key])) !== null;
  }

  async note(group: string, name: string, seen: string | undefined, text: string, ttlMs: number): Promise<NoteAnswer> {
    await this.ready();
    return this.noteBook.write(group, name, seen, text, ttlMs);
  }

  async readNote(group: string, name: string): Promise<string | undefined> {
    await this.ready();
    return this.noteBook.read(group, name);
  }

  async notes(group: string): Promise<readonly Note[]> {
    await this.ready();
    return this.noteBook.readAll(group);
  }

  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.listing.inspect(key);
  }

  async list(match: string, cursor: string | undefined, limit: number): Promise<KeyPage> {
    await this.ready();
    return this.listing.list(match, cursor, limit);
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.retry);
    await this.tracking?.close();
    await this.link.close();
  }

  private async foundIn(value: RedisReply | undefined, redisKey: string): Promise<Found | undefined> {
    const entry = Buffer.isBuffer(value) ? decodeEntry(value) : undefined;
    if (entry) return { entry, tier: 'l2' };
    await this.discard(redisKey);
    return undefined;
  }

  /** Tells of whole values, where the script has stored them. */
  private stored(reply: RedisReply, ...values: readonly (readonly [entry: CacheEntry, value: Buffer])[]): boolean {
    if (reply !== 1) return false;
    for (const [entry, value] of values) this.listener.onStored(entry, value.length);
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
    await this.release(lease);
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

  private async discard(redisKey: string): Promise<void> {
    if (!this.garbageTold.has(redisKey)) {
      if (this.garbageTold.size >= 1000) this.garbageTold.clear();
      this.garbageTold.add(redisKey);
      this.listener.onGarbage(redisKey);
    }
    await this.commands.send(redisKey, ['UNLINK', redisKey]);
  }

  private hear(redisKey: string): void {
    if (redisKey === this.keys.sequence) {
      this.changes.emit({ kind: 'invalidation' });
      void this.invalidation.noteSequence();
      return;
    }
    const parsed = this.keys.parse(redisKey);
    if (parsed?.kind === 'entry') this.changes.emit({ kind: 'key', key: parsed.key });
    else if (parsed) this.changes.wake(parsed.key);
  }

  /**
   * After a gap in the link, or an invalidation that was not confirmed: Redis may have come back with older data than it had,
   * and what is overdue is there still. Nothing of that may be served.
   */
  private recover(): Promise<boolean> {
    this.recovering ??= this.makeUp()
      .then(() => {
        this.isRecovered = this.overdue.isEmpty;
        if (this.isRecovered) this.changes.emit({ kind: 'everything' });
        return this.isRecovered;
      })
      .catch((error: unknown) => {
        this.unrecovered = error instanceof Error ? error.message : String(error); // told by who asks; the next one tries again
        return false;
      })
      .finally(() => {
        this.recovering = undefined;
      });
    return this.recovering;
  }

  private owe(target: InvalidationTarget, mode: InvalidationMode): void {
    if (this.overdue.isEmpty) this.listener.onOverdue();
    this.overdue.add(target, mode);
    this.isRecovered = false;
    this.retry ??= setInterval(() => {
      if (this.link.isUp) void this.recover();
    }, RETRY_MS).unref();
  }

  private async makeUp(): Promise<void> {
    await this.leases.giveBackLost();
    const purged = await this.invalidation.purgeIfRewound();
    if (purged !== undefined) this.listener.onRewound(purged);
    const settled = await this.overdue.settle((target, mode) => this.invalidation.invalidate(target, mode));
    if (!this.overdue.isEmpty) return;
    clearInterval(this.retry);
    this.retry = undefined;
    if (settled > 0) this.listener.onSettled(settled);
  }

  private async ready(): Promise<void> {
    if (this.isRecovered) return;
    if (!this.link.isUp) throw new StoreUnavailableError(this.link.problem ?? 'not connected');
    if (!(await this.recover())) throw new StoreUnavailableError(this.link.problem ?? this.unrecovered);
  }
}
