import { MAX_LOG_LINES } from '../cache-store';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';

/** A log without new lines expires after 30 days. */
const KEEP_MS = 2_592_000_000;

/** Logs that all replicas share: a list each, newest line first, cut to its last lines. */
export class RedisLogs {
  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
  ) {}

  async append(log: string, line: string): Promise<void> {
    const key = this.keys.log(log);
    await this.commands.send(key, ['LPUSH', key, line]);
    await Promise.all([
      this.commands.send(key, ['LTRIM', key, '0', String(MAX_LOG_LINES - 1)]),
      this.commands.send(key, ['PEXPIRE', key, String(KEEP_MS)]),
    ]);
  }

  async read(log: string, limit: number): Promise<readonly string[]> {
    const key = this.keys.log(log);
    const lines = await this.commands.sendOrReply(key, ['LRANGE', key, '0', String(limit - 1)]);
    return Array.isArray(lines) ? lines.map(String) : [];
  }
}
