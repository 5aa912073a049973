import type { Clock } from '../../kernel/clock';
import type { RedisReply } from '../../redis/redis-link';
import { MOST_NOTE_MS, type Note, type NoteAnswer } from '../core/cache-store';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { NOTE } from './scripts';

/**
 * Short texts that replicas leave each other, a hash for each group. Fields have no expiry of their own before Redis 7.4: each
 * text says in front when it ends, and who reads them all takes out what has.
 */
export class RedisNotes {
  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly clock: Clock,
  ) {}

  async write(group: string, name: string, seen: string | undefined, text: string, ttlMs: number): Promise<NoteAnswer> {
    const now = Math.round(this.clock.now());
    const endsAt = now + Math.round(Math.min(ttlMs, MOST_NOTE_MS));
    const before = seen === undefined ? '' : `:${seen}`; // none is not the same as an empty one
    const args = [this.keys.ofSource(name), before, `${endsAt}:${text}`, now, MOST_NOTE_MS];
    const there = await this.commands.run(NOTE, [this.keys.notes(group)], args);
    return there === null ? { kind: 'left' } : { kind: 'changed', text: this.live(there) };
  }

  async read(group: string, name: string): Promise<string | undefined> {
    const key = this.keys.notes(group);
    return this.live(await this.commands.sendOrReply(key, ['HGET', key, this.keys.ofSource(name)]));
  }

  async readAll(group: string): Promise<readonly Note[]> {
    const key = this.keys.notes(group);
    const pairs = pairsOf(await this.commands.sendOrReply(key, ['HGETALL', key]));
    const own = this.keys.ofSource('');
    const live: Note[] = [];
    const over: string[] = [];
    for (const [name, value] of pairs) {
      const text = this.live(value);
      if (text === undefined) over.push(name);
      else if (name.startsWith(own)) live.push([name.slice(own.length), text]);
    }
    if (over.length > 0) await this.commands.send(key, ['HDEL', key, ...over]);
    return live;
  }

  private live(value: RedisReply | undefined): string | undefined {
    if (!Buffer.isBuffer(value) && typeof value !== 'string') return undefined;
    const [, endsAt, text] = /^(\d{1,15}):([^]*)$/.exec(value.toString()) ?? [];
    return Number(endsAt) > this.clock.now() ? text : undefined;
  }
}

/** HGETALL's reply, a map in RESP3: the client makes an object of it. */
function pairsOf(reply: unknown): readonly (readonly [string, RedisReply])[] {
  return typeof reply === 'object' && reply !== null ? Object.entries(reply as Record<string, RedisReply>) : [];
}
