import type { RedisLink, RedisReply } from '../../redis/redis-link';
import type { KeyPage, ListedEntry } from '../core/cache-store';
import { decodeMetadata } from '../core/entry-codec';
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
    const [fields, bodyBytes, ttlMs] = await Promise.all([
      this.commands.sendOrReply(redisKey, ['HMGET', redisKey, 'v', 'm', 's']),
      this.commands.sendOrReply(redisKey, ['HSTRLEN', redisKey, 'b']),
      this.commands.sendOrReply(redisKey, ['PTTL', redisKey]),
    ]);
    if (!Array.isArray(fields)) return undefined;
    const [id, metadata, staledAt] = fields as RedisReply[];
    if (!Buffer.isBuffer(id) || !Buffer.isBuffer(metadata)) return undefined;
    const decoded = decodeMetadata(id.toString(), metadata);
    if (!decoded) return undefined;
    const soft = Buffer.isBuffer(staledAt) ? { staledAt: Number(staledAt.toString()) } : {};
    return { key, metadata: decoded.metadata, bodyBytes: Number(bodyBytes), expiresInMs: Number(ttlMs), ...soft };
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
