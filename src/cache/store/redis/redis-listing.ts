import { AppError } from '../../../kernel/app-error';
import type { RedisLink, RedisReply } from '../../../redis/redis-link';
import type { Clock } from '../../../kernel/clock';
import { prefixOfUpstream, upstreamOfTag } from '../../model/cache-key';
import { matchesGlob } from '../glob';
import type { EntryCount, EntryListing, InvalidationTarget, KeyPage, ListedEntry } from '../cache-store';
import { decodeHead, HEAD_GLANCE_BYTES, headLengthOf } from '../entry-codec';
import { hasPrefix } from '../invalidation-target';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';

const SCANS_PER_PAGE = 50;
const HEADS_AT_ONCE = 50;
/** The limit of a count: 100,000 keys of Redis, in steps between which Redis serves other commands. */
const SCANS_PER_COUNT = 100;
const COUNT_BATCH = '1000';

/** Entries for operators: metadata and sizes, never a body; a page costs a bounded number of SCANs. */
export class RedisListing implements EntryListing {
  /** @param ready rejects while Redis may have older data than it had */
  constructor(
    private readonly link: RedisLink,
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
    private readonly ready: () => Promise<void>,
  ) {}

  async inspect(key: string): Promise<ListedEntry | undefined> {
    const redisKey = this.keys.entry(key);
    const [glance, ttlMs] = await Promise.all([
      this.readHead(redisKey, HEAD_GLANCE_BYTES),
      this.commands.sendOrReply(redisKey, ['PTTL', redisKey]),
    ]);
    if (!glance) return undefined;
    const length = headLengthOf(glance) ?? 0;
    const value = length > glance.length ? ((await this.readHead(redisKey, length)) ?? glance) : glance;
    const head = decodeHead(value, this.keys.source);
    if (!head) return undefined;
    const { metadata, bodyLength, softPurgeMark } = head;
    return {
      key,
      metadata,
      bodyBytes: bodyLength,
      expiresInMs: Number(ttlMs),
      ...(softPurgeMark && { softPurgeMark }),
    };
  }

  private async readHead(redisKey: string, bytes: number): Promise<Buffer | undefined> {
    const value = await this.commands.sendOrReply(redisKey, ['GETRANGE', redisKey, '0', String(bytes - 1)]);
    return Buffer.isBuffer(value) ? value : undefined;
  }

  async list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    await this.ready();
    return tag === undefined ? this.listAll(match, cursor, limit) : this.listByTag(tag, match, cursor, limit);
  }

  async count(target: InvalidationTarget): Promise<EntryCount> {
    await this.ready();
    if (target.kind === 'prefix') return this.countByPrefix(target.prefix);
    if (target.kind === 'key') {
      const redisKey = this.keys.entry(target.key);
      const ttlMs = Number(await this.commands.send(redisKey, ['PTTL', redisKey]));
      return { count: ttlMs === -2 ? 0 : 1, isExact: true };
    }
    const upstream = upstreamOfTag(target.tag);
    if (upstream !== undefined) return this.countByPrefix(prefixOfUpstream(upstream));
    const index = this.keys.tagIndex(target.tag);
    const now = String(Math.round(this.clock.now()));
    const count = await this.commands.sendOrReply(index, ['ZCOUNT', index, now, '+inf']);
    return { count: Number(count ?? 0), isExact: true };
  }

  private async listAll(match: string, cursor: string | undefined, limit: number): Promise<KeyPage> {
    const nodes = this.link.primaries();
    let [at, scan] = parseCursor(cursor);
    const items: ListedEntry[] = [];
    for (let scans = 0; scans < SCANS_PER_PAGE && items.length < limit; scans++) {
      const node = nodes[at];
      if (!node) return { items };
      const args = ['SCAN', scan, 'MATCH', this.keys.scanByGlob(match), 'COUNT', String(Math.max(limit, 100))];
      const [next, found] = (await this.commands.sendTo(node, args)) as [RedisReply, RedisReply[]];
      const keys = found.flatMap((redisKey) => this.keys.parse(String(redisKey))?.key ?? []);
      items.push(...(await this.inspectAll(keys)));
      scan = String(next);
      if (scan === '0') at += 1;
    }
    return at < nodes.length ? { items, cursor: `${at}-${scan}` } : { items };
  }

  /** One step through the tag's index. */
  private async listByTag(tag: string, match: string, cursor: string | undefined, limit: number): Promise<KeyPage> {
    const index = this.keys.tagIndex(tag);
    const [, from = '0'] = /^t-(\d{1,20})$/.exec(cursor ?? '') ?? [];
    const reply = await this.commands.sendOrReply(index, ['ZSCAN', index, from, 'COUNT', String(limit)]);
    if (!Array.isArray(reply)) return { items: [] };
    const [next, found] = reply as [RedisReply, RedisReply[]];
    const keys = keysIn(found).filter((key) => matchesGlob(match, key));
    const items = await this.inspectAll(keys);
    return String(next) === '0' ? { items } : { items, cursor: `t-${String(next)}` };
  }

  /** In small steps: a thousand heads in one command would be late, and a late command means that Redis is down. */
  private async inspectAll(keys: readonly string[]): Promise<ListedEntry[]> {
    const items: ListedEntry[] = [];
    for (let at = 0; at < keys.length; at += HEADS_AT_ONCE) {
      const listed = await Promise.all(keys.slice(at, at + HEADS_AT_ONCE).map((key) => this.inspect(key)));
      items.push(...listed.filter((item) => item !== undefined));
    }
    return items;
  }

  private async countByPrefix(prefix: string): Promise<EntryCount> {
    const { entries } = this.keys.scanByPrefix(prefix);
    let scans = 0;
    let count = 0;
    for (const node of this.link.primaries()) {
      let cursor = '0';
      do {
        if (scans++ === SCANS_PER_COUNT) return { count, isExact: false };
        const args = ['SCAN', cursor, 'MATCH', entries, 'COUNT', COUNT_BATCH];
        const [next, found] = (await this.commands.sendTo(node, args)) as [RedisReply, RedisReply[]];
        count += found.filter((one) => hasPrefix(this.keys.parse(String(one))?.key ?? '', prefix)).length;
        cursor = String(next);
      } while (cursor !== '0');
    }
    return { count, isExact: true };
  }
}

/** As in a ZSCAN reply, keys and scores alternate. */
function keysIn(found: readonly RedisReply[]): string[] {
  return found.filter((_one, at) => at % 2 === 0).map(String);
}

/** The primary's number and its SCAN cursor. */
function parseCursor(cursor: string | undefined): [number, string] {
  const [, node, scan] = /^(\d{1,4})-(\d{1,20})$/.exec(cursor ?? '0-0') ?? [];
  if (node !== undefined && scan !== undefined && BigInt(scan) < 2n ** 64n) return [Number(node), scan];
  throw new AppError('request-invalid', 'cursor must be the cursor of an earlier page, or left out for the first one.');
}
