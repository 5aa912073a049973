import type { Clock } from '../../../kernel/clock';
import { endOfLife, type CacheEntry } from '../../model/cache-entry';
import {
  StoreUnavailableError,
  type Found,
  type InvalidationMode,
  type FillOptions,
  type InvalidationTargets,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
} from '../cache-store';
import { decodeEntry, encodeEntry, FORMAT_VERSION } from '../entry-codec';
import { ifAvailable } from '../if-available';
import { targetList } from '../invalidation-target';
import { MemoryStore } from '../memory/memory-store';
import type { MemoryLimits } from '../memory/memory-tier';
import { ANY_TAG, PurgeWords, groupsFor, type Stamp } from './purge-words';
import type { KeyValueBackend } from './key-value-backend';

/** Longer lives are without end to the backend. */
const MAX_TTL_MS = 31_536_000_000;

/**
 * Any key-value store as the second tier: entries are in the backend, and this process has copies, which it uses only once the backend has
 * confirmed them. Leases, claims, lists and logs are this process's own.
 *
 * Its one invariant: an entry counts only under the words (`purge-words.ts`) that were there before its load began, so that nothing
 * purged comes back, whichever replica purged it. While the backend does not answer, the copies of this process are used.
 */
export class KeyValueStore extends MemoryStore {
  private readonly words: PurgeWords;
  private readonly root: string;
  private readonly stamps = new WeakMap<Lease, Stamp>();

  /** @param name the beginning of all names in the backend; entries of another `source` are not found */
  constructor(
    limits: MemoryLimits,
    clock: Clock,
    private readonly backend: KeyValueBackend,
    { name, source = '' }: { readonly name: string; readonly source?: string | undefined },
  ) {
    super(limits, clock);
    this.root = `${name}:kv:${FORMAT_VERSION}:${source}`;
    this.words = new PurgeWords(backend, `${this.root}:g:`);
  }

  /** No copy is used without asking: no push reports another replica's purge. */
  override peek(_key: string): Found | undefined {
    return undefined;
  }

  override async find(key: string): Promise<Found | undefined> {
    const held = this.inMemory(key);
    let entry: CacheEntry | undefined;
    try {
      entry = await this.read(key);
    } catch (error) {
      if (error instanceof StoreUnavailableError) return held;
      throw error;
    }
    if (held && entry?.id === held.entry.id) return held;
    // Loads under way go on, and find that the entry is another.
    if (entry) this.tier.put(key, entry, true);
    else if (held && this.inMemory(key)?.entry.id === held.entry.id) this.tier.delete(key);
    return entry && { entry, tier: 'l2' };
  }

  override async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const answer = await super.acquire(request);
    if (answer.kind !== 'granted') return answer;
    const { key, tags } = request;
    await ifAvailable(async () => {
      this.stamps.set(answer.lease, await this.words.read([...groupsFor(key, tags), ANY_TAG]));
    });
    return answer;
  }

  override async fill(lease: Lease, entry: CacheEntry, options?: FillOptions): Promise<boolean> {
    const stamp = this.stamps.get(lease);
    if (stamp) {
      const isShared = await this.share(lease, stamp, entry, options).catch((error: unknown) => {
        if (error instanceof StoreUnavailableError) return true; // kept here
        throw error;
      });
      if (!isShared) {
        if (lease.selection === undefined) await this.release(lease);
        return false;
      }
    }
    const isStored = await super.fill(lease, entry, options);
    if (!isStored && stamp) await ifAvailable(() => this.removeOwn(lease.key, entry.id));
    return isStored;
  }

  override async put(key: string, entry: CacheEntry): Promise<void> {
    await this.write(key, entry, await this.words.read(groupsFor(key, entry.tags)));
    await super.put(key, entry);
  }

  /** An entry kept after a soft purge would only be found by its old words: a soft purge removes. */
  override async invalidate(targets: InvalidationTargets, _mode: InvalidationMode): Promise<number> {
    const all = targetList(targets);
    const count = await super.invalidate(all, 'purge');
    await this.words.change(all);
    const keys = all.flatMap((target) => (target.kind === 'key' ? [target.key] : []));
    await Promise.all(keys.map((key) => this.backend.delete(this.nameOf(key))));
    return count;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.backend.close();
  }

  protected override async isBehind(key: string, id: string): Promise<boolean> {
    return (await ifAvailable(async () => ((await this.read(key))?.id ?? '') === id)) ?? false;
  }

  /** @returns false where another replica has stored since, or a purge may cover a tag that only the response names */
  private async share(lease: Lease, before: Stamp, entry: CacheEntry, { linked }: FillOptions = {}): Promise<boolean> {
    const { [ANY_TAG]: anyTag, ...known } = before;
    const names = groupsFor(lease.key, [...lease.tags, ...entry.tags]).filter((name) => !(name in known));
    if (names.length > 0) {
      const { [ANY_TAG]: now, ...told } = await this.words.read([...names, ANY_TAG]);
      if (now !== anyTag) return false;
      Object.assign(known, told);
    }
    const there = await this.read(lease.key);
    if ((there?.id ?? '') !== lease.baseId && there !== undefined) return false;
    if (!(await this.isStanding(lease))) return false;
    if (linked) await this.write(linked.key, linked.entry, known);
    await this.write(lease.key, entry, known);
    return true;
  }

  private async read(key: string): Promise<CacheEntry | undefined> {
    const text = await this.backend.get(this.nameOf(key));
    const stored = typeof text === 'string' ? parse(text) : undefined;
    if (!stored || endOfLife(stored.entry) <= this.clock.now()) return undefined;
    return (await this.words.areCurrent(stored.stamp)) ? stored.entry : undefined;
  }

  private async write(key: string, entry: CacheEntry, stamp: Stamp): Promise<void> {
    const text = JSON.stringify([stamp, encodeEntry(entry).toString('base64')]);
    const ttlMs = Math.ceil(endOfLife(entry) - this.clock.now());
    if (ttlMs > 0) await this.backend.set(this.nameOf(key), text, Math.min(ttlMs, MAX_TTL_MS));
  }

  private async removeOwn(key: string, id: string): Promise<void> {
    if ((await this.read(key))?.id === id) await this.backend.delete(this.nameOf(key));
  }

  private nameOf(key: string): string {
    return `${this.root}:e:${key}`;
  }
}

/** Undefined for a text of another version: it counts as a miss. */
function parse(text: string): { readonly stamp: Stamp; readonly entry: CacheEntry } | undefined {
  try {
    const [stamp, coded] = JSON.parse(text) as [Stamp, string];
    const entry = decodeEntry(Buffer.from(coded, 'base64'));
    return entry && { stamp, entry };
  } catch {
    return undefined;
  }
}
