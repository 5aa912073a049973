import type { RedisLink, RedisReply } from '../../redis/redis-link';
import type { KeyPage, ListedEntry } from '../core/cache-store';
import { decodeHead, HEAD_GLANCE_BYTES, headLengthOf } from '../core/entry-codec';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';

const SCANS_PER_PAGE = 50;

/** Entries as an operator looks at them: metadata and sizes, never a body; a page costs a bounded number of SCANs. */
export class RedisListing {
  constructor(
    private readonly link: RedisLink,
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
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
    const { metadata, bodyLength, staledAt } = head;
    const soft = staledAt === undefined ? {} : { staledAt };
    return { key, metadata, bodyBytes: bodyLength, expiresInMs: Number(ttlMs), ...soft };
  }

  private async readHead(redisKey: string, bytes: number): Promise<Buffer | undefined> {
    const value = await this.commands.sendOrReply(redisKey, ['GETRANGE', redisKey, '0', String(bytes - 1)]);
    return Buffer.isBuffer(value) ? value : undefined;
  }

  async list(match: string, cursor: string | undefined, limit: number): Promise<KeyPage> {
    const nodes = this.link.primaries();
    let [at, scan] = parseCursor(cursor);
    const items: ListedEntry[] = [];
    for (let scans = 0; scans < SCANS_PER_PAGE && items.length < limit; scans++) {
      const node = nodes[at];
      if (!node) return { items };
      const args = ['SCAN', scan, 'MATCH', this.keys.scanByGlob(match), 'COUNT', String(Math.max(limit, 100))];
      const [next, found] = (await this.commands.sendTo(node, args)) as [RedisReply, RedisReply[]];
      const keys = found.flatMap((redisKey) => this.keys.parse(String(redisKey))?.key ?? []);
      const listed = await Promise.all(keys.map((key) => this.inspect(key)));
      items.push(...listed.filter((item) => item !== undefined));
      scan = String(next);
      if (scan === '0') at += 1;
    }
    return at < nodes.length ? { items, cursor: `${at}-${scan}` } : { items };
  }
}

/** The primary's number and its SCAN cursor. */
function parseCursor(cursor: string | undefined): [number, string] {
  const match = /^(\d{1,4})-(\d{1,20})$/.exec(cursor ?? '0-0');
  return [Number(match?.[1] ?? 0), match?.[2] ?? '0'];
}
