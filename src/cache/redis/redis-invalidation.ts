import type { Clock } from '../../kernel/clock';
import type { NodeAddress } from '../../redis/redis-endpoint';
import type { RedisLink, RedisReply } from '../../redis/redis-link';
import { encodeInstant } from '../core/entry-codec';
import { prefixOfUpstream, upstreamOfTag } from '../core/cache-key';
import { StoreUnavailableError, type InvalidationMode, type InvalidationTarget } from '../core/cache-store';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { MARK, NEXT, STALE, UNINDEX } from './scripts';

/** Keys looked at in one step; between two steps Redis serves others. */
const BATCH = '250';
/** No load takes longer, so that a mark so old concerns none (`UPSTREAM_TIMEOUT_MS` is at most this). */
const LONGEST_LOAD_MS = 300_000;

/**
 * Invalidation by key, tag and prefix, in small steps (SCAN, ZSCAN, UNLINK; never KEYS, never FLUSHDB), and the sequence
 * that counts them.
 */
export class RedisInvalidation {
  /** The highest sequence ever seen here: a Redis that knows a lower one has lost an invalidation. */
  private highest = 0;
  private noting: Promise<void> | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
  ) {}

  invalidate(target: InvalidationTarget, mode: InvalidationMode): Promise<number> {
    switch (target.kind) {
      case 'key':
        return this.byKey(target.key, mode);
      case 'tag':
        return this.byTag(target.tag, mode);
      case 'prefix':
        return this.byPrefix(target.prefix, mode);
    }
  }

  async readSequence(): Promise<number> {
    return this.learn(await this.commands.sendOrReply(this.keys.sequence, ['GET', this.keys.sequence]));
  }

  /** Learns a sequence that Redis told; of none it is 0. */
  learn(sequence: RedisReply | undefined): number {
    const number = Number(sequence ?? 0);
    this.highest = Math.max(this.highest, number);
    return number;
  }

  async readMark(tag: string): Promise<number> {
    const mark = this.keys.tagMark(tag);
    return Number((await this.commands.sendOrReply(mark, ['GET', mark])) ?? 0);
  }

  /** Learns the sequence that another replica has raised. Told in the background: without an answer the next one tells. */
  noteSequence(): Promise<void> {
    this.noting ??= this.readSequence()
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailableError)) throw error;
      })
      .finally(() => {
        this.noting = undefined;
      });
    return this.noting;
  }

  /** The number of entries removed because Redis went back in time, or undefined if it did not. */
  async purgeIfRewound(): Promise<number | undefined> {
    const sequence = Number((await this.commands.sendOrReply(this.keys.sequence, ['GET', this.keys.sequence])) ?? 0);
    if (sequence >= this.highest) return undefined;
    const purged = await this.sweep('', 'purge');
    await this.commands.send(this.keys.sequence, ['SET', this.keys.sequence, String(this.highest)]);
    return purged;
  }

  private async byKey(key: string, mode: InvalidationMode): Promise<number> {
    const [, count] = await Promise.all([this.next(), this.drop(key, mode)]);
    return count;
  }

  private async byTag(tag: string, mode: InvalidationMode): Promise<number> {
    const sequence = await this.next();
    await this.commands.run(MARK, [this.keys.tagMark(tag)], [sequence, LONGEST_LOAD_MS]);
    const index = this.keys.tagIndex(tag);
    let count = 0;
    let cursor = '0';
    do {
      const reply = await this.commands.sendOrReply(index, ['ZSCAN', index, cursor, 'COUNT', BATCH]);
      if (!Array.isArray(reply)) break; // not ours: the next fill under the tag replaces it
      const [next, found] = reply as [RedisReply, RedisReply[]];
      const pairs = toPairs(found);
      const dropped = await Promise.all(pairs.map(({ key }) => this.drop(key, mode)));
      count += dropped.reduce((sum, gone) => sum + gone, 0);
      if (mode === 'purge' && pairs.length > 0) {
        await this.commands.run(
          UNINDEX,
          [index],
          pairs.flatMap(({ score, key }) => [score, key]),
        );
      }
      cursor = String(next);
    } while (cursor !== '0');
    const upstream = upstreamOfTag(tag);
    return upstream === undefined ? count : count + (await this.sweep(prefixOfUpstream(upstream), mode));
  }

  private async byPrefix(prefix: string, mode: InvalidationMode): Promise<number> {
    await this.next();
    return this.sweep(prefix, mode);
  }

  /**
   * Leases first, to the end, then entries. A load that was under way at the start is either still under way when its lease
   * is met, and stores nothing, or has stored before the second pass began, which then meets the entry.
   */
  private async sweep(prefix: string, mode: InvalidationMode): Promise<number> {
    const { leases, entries } = this.keys.scanByPrefix(prefix);
    const nodes = this.link.primaries();
    for (const node of nodes) await this.scan(node, leases, (redisKey) => this.unlink(redisKey));
    let count = 0;
    for (const node of nodes) {
      count += await this.scan(node, entries, (redisKey) => {
        const parsed = this.keys.parse(redisKey);
        return parsed ? this.drop(parsed.key, mode) : Promise.resolve(0);
      });
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

  /** Lease first: a fill between the two finds its lease void, a fill before both finds its entry gone. */
  private async drop(key: string, mode: InvalidationMode): Promise<number> {
    const entry = this.keys.entry(key);
    const lease = this.keys.lease(key);
    if (mode === 'stale')
      return Number(await this.commands.run(STALE, [lease, entry], [encodeInstant(this.clock.now())]));
    const [, count] = await Promise.all([this.unlink(lease), this.unlink(entry)]);
    return count;
  }

  private async unlink(redisKey: string): Promise<number> {
    return Number(await this.commands.send(redisKey, ['UNLINK', redisKey]));
  }

  private async next(): Promise<number> {
    return this.learn(await this.commands.run(NEXT, [this.keys.sequence], [this.highest]));
  }
}

/** A ZSCAN reply: RESP3 clients get it flat as in RESP2, the score a string. */
function toPairs(found: readonly RedisReply[]): { readonly key: string; readonly score: string }[] {
  const pairs: { key: string; score: string }[] = [];
  for (let i = 0; i + 1 < found.length; i += 2) pairs.push({ key: String(found[i]), score: String(found[i + 1]) });
  return pairs;
}
