import type { NodeAddress } from '../../../redis/redis-endpoint';
import type { RedisLink, RedisReply } from '../../../redis/redis-link';
import { prefixOfUpstream, upstreamOfTag } from '../../model/cache-key';
import { hasPrefix } from '../invalidation-target';
import { StoreUnavailableError, type InvalidationMode, type InvalidationTarget } from '../cache-store';
import { newEntryId } from '../../model/random-id';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import type { PurgeLedger } from './purge-ledger';
import { NOTIFY_TAG, PURGE, SOFT_PURGE, UNINDEX } from './entry-scripts';

/** Keys handled in one step; between two steps Redis serves other commands. */
const BATCH = '250';
const TARGETS_AT_ONCE = 50;

/** How an entry is invalidated: removed, or soft-purged under the number of the invalidation. */
interface Dropping {
  readonly mode: InvalidationMode;
  readonly sequence: number;
}

const REMOVAL: Dropping = { mode: 'purge', sequence: 0 };

/** Invalidation by key, tag and prefix, in small steps (SCAN, ZSCAN, UNLINK; never KEYS, never FLUSHDB), and its sequence number. */
export class RedisInvalidation {
  private noting: Promise<void> | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly ledger: PurgeLedger,
  ) {}

  /** The ledger first: it refuses a load under the lease of a selection, which the removal of the key's own lease does not reach. */
  async invalidate(targets: readonly InvalidationTarget[], mode: InvalidationMode): Promise<number> {
    const sequence = await this.ledger.record(targets.flatMap(ledgerName));
    let count = 0;
    for (let at = 0; at < targets.length; at += TARGETS_AT_ONCE) {
      const some = targets.slice(at, at + TARGETS_AT_ONCE);
      const counts = await Promise.all(some.map((target) => this.dropTarget(target, { mode, sequence })));
      count += counts.reduce((sum, dropped) => sum + dropped, 0);
    }
    return count;
  }

  /** Records the sequence that another replica has raised. Runs in the background: if it fails, the next change repeats it. */
  noteSequence(): Promise<void> {
    this.noting ??= this.ledger
      .read()
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailableError)) throw error;
      })
      .finally(() => {
        this.noting = undefined;
      });
    return this.noting;
  }

  /** The number of entries removed because the data in Redis have changed unexpectedly; undefined if they have not. */
  async purgeIfRewound(): Promise<number | undefined> {
    if (!(await this.ledger.hasRewound())) {
      // Creates a missing ledger now: a lease granted without one does not say when its load began, and such a load is not waited for.
      await this.noteSequence();
      return undefined;
    }
    const purged = await this.sweep('', REMOVAL);
    await this.ledger.catchUp();
    return purged;
  }

  private dropTarget(target: InvalidationTarget, how: Dropping): Promise<number> {
    switch (target.kind) {
      case 'key':
        return this.drop(target.key, how);
      case 'tag':
        return this.dropTag(target.tag, how);
      case 'prefix':
        return this.sweep(target.prefix, how);
    }
  }

  private async dropTag(tag: string, how: Dropping): Promise<number> {
    const index = this.keys.tagIndex(tag);
    let count = 0;
    let cursor = '0';
    do {
      const reply = await this.commands.sendOrReply(index, ['ZSCAN', index, cursor, 'COUNT', BATCH]);
      if (!Array.isArray(reply)) break; // a foreign format: the next fill under the tag replaces it
      const [next, found] = reply as [RedisReply, RedisReply[]];
      const pairs = toPairs(found);
      const dropped = await Promise.all(pairs.map(({ key }) => this.drop(key, how)));
      count += dropped.reduce((sum, gone) => sum + gone, 0);
      if (how.mode === 'purge' && pairs.length > 0) {
        await this.commands.run(
          UNINDEX,
          [index],
          pairs.flatMap(({ score, key }) => [score, key]),
        );
      }
      cursor = String(next);
    } while (cursor !== '0');
    const upstream = upstreamOfTag(tag);
    const swept = upstream === undefined ? 0 : await this.sweep(prefixOfUpstream(upstream), how);
    // Last: until now a replica may have taken a copy of an entry that the index had lost.
    await this.commands.run(NOTIFY_TAG, [this.keys.tagNotice(tag)], []);
    return count + swept;
  }

  /**
   * Leases first, completely, then entries. A load under way at the start is either still under way when its lease is removed, and stores
   * nothing, or has stored before the second pass began, which then removes the entry.
   */
  private async sweep(prefix: string, how: Dropping): Promise<number> {
    const { leases, entries } = this.keys.scanByPrefix(prefix);
    const nodes = this.link.primaries();
    const under = (visit: (key: string, redisKey: string) => Promise<number>) => (redisKey: string) => {
      const parsed = this.keys.parse(redisKey);
      return parsed && hasPrefix(parsed.key, prefix) ? visit(parsed.key, redisKey) : Promise.resolve(0);
    };
    for (const node of nodes) {
      await this.scan(
        node,
        leases,
        under((_key, redisKey) => this.unlink(redisKey)),
      );
    }
    let count = 0;
    for (const node of nodes) {
      count += await this.scan(
        node,
        entries,
        under((key) => this.drop(key, how)),
      );
    }
    return count;
  }

  private async scan(node: NodeAddress, match: string, visit: (redisKey: string) => Promise<number>): Promise<number> {
    let count = 0;
    let cursor = '0';
    do {
      const reply = await this.commands.sendTo(node, ['SCAN', cursor, 'MATCH', match, 'COUNT', BATCH]);
      const [next, found] = reply as [RedisReply, RedisReply[]];
      const counts = await Promise.all(found.map((redisKey) => visit(String(redisKey))));
      count += counts.reduce((sum, gone) => sum + gone, 0);
      cursor = String(next);
    } while (cursor !== '0');
    return count;
  }

  private async drop(key: string, { mode, sequence }: Dropping): Promise<number> {
    const pair = [this.keys.lease(key), this.keys.entry(key)] as const;
    if (mode === 'stale') return Number(await this.commands.run(SOFT_PURGE, pair, [sequence, newEntryId()]));
    return Number(await this.commands.run(PURGE, pair, []));
  }

  private async unlink(redisKey: string): Promise<number> {
    return Number(await this.commands.send(redisKey, ['UNLINK', redisKey]));
  }
}

/** The ledger's field of a target; a prefix has only the count. */
function ledgerName(target: InvalidationTarget): readonly string[] {
  if (target.kind === 'prefix') return [];
  return [target.kind === 'key' ? `k:${target.key}` : `t:${target.tag}`];
}

/** A ZSCAN reply: flat for RESP3 clients as in RESP2, the score a string. */
function toPairs(found: readonly RedisReply[]): { readonly key: string; readonly score: string }[] {
  const pairs: { key: string; score: string }[] = [];
  for (let i = 0; i + 1 < found.length; i += 2) pairs.push({ key: String(found[i]), score: String(found[i + 1]) });
  return pairs;
}
