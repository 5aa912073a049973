import type { RedisReply } from '../../../redis/redis-link';
import { MAX_SHARED_VALUE_TTL_MS, type SharedValue, type CompareAndSetResult } from '../cache-store';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { NOTE, READ_NOTE, READ_NOTES } from './scripts';

/**
 * Short texts that replicas share, a hash for each group. Fields have no expiry of their own before Redis 7.4: each text begins with its
 * end, by Redis' own time, and reading all removes expired ones.
 */
export class RedisSharedValues {
  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
  ) {}

  async write(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    const before = seen === undefined ? '' : `:${seen}`; // none is not the same as an empty one
    const args = [
      this.keys.ofSource(name),
      before,
      text,
      Math.round(Math.min(ttlMs, MAX_SHARED_VALUE_TTL_MS)),
      MAX_SHARED_VALUE_TTL_MS,
    ];
    const there = await this.commands.run(NOTE, [this.keys.sharedValues(group)], args);
    return there === null ? { kind: 'stored' } : { kind: 'conflict', text: textOf(there) };
  }

  async read(group: string, name: string): Promise<string | undefined> {
    return textOf(await this.commands.run(READ_NOTE, [this.keys.sharedValues(group)], [this.keys.ofSource(name)]));
  }

  async readAll(group: string): Promise<readonly SharedValue[]> {
    const reply = (await this.commands.run(READ_NOTES, [this.keys.sharedValues(group)], [])) as readonly RedisReply[];
    const own = this.keys.ofSource('');
    const values: SharedValue[] = [];
    for (let at = 0; at + 1 < reply.length; at += 2) {
      const text = textOf(reply[at + 1] ?? '');
      const name = String(reply[at]);
      if (text !== undefined && name.startsWith(own)) values.push([name.slice(own.length), text]);
    }
    return values;
  }
}

/** The text in `:text`, empty for none. */
function textOf(reply: RedisReply): string | undefined {
  const text = String(reply);
  return text === '' ? undefined : text.slice(1);
}
