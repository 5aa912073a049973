import type { RedisReply } from '../../../redis/redis-link';
import {
  MAX_LOG_LINES,
  MAX_SHARED_VALUE_TTL_MS,
  type CompareAndSetResult,
  type SharedState,
  type SharedValue,
} from '../cache-store';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { script } from './lua';

/** A log without new lines expires after 30 days. */
const KEEP_LOG_MS = 2_592_000_000;

/** Shared values live by Redis' own time: the clocks of replicas differ. A value is `endsAt:text`. */
const NOTE_FUNCTIONS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function live(note)
  local endsAt, text = string.match(note or '', '^(%d+)(:.*)$')
  return endsAt and tonumber(endsAt) > now and text or ''
end`;

/**
 * KEYS shared values; ARGV name, seen, text, ttlMs, lifeMs. `seen` is `:text`, empty for none; so is the reply: the text stored instead.
 * False: stored.
 */
const NOTE = script(`#!lua flags=allow-oom${NOTE_FUNCTIONS}
local there = live(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if there ~= ARGV[2] then return there end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[4])) .. ':' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return false`);

/** KEYS shared values; ARGV name. `:text`, empty for none. */
const READ_NOTE = script(`#!lua flags=no-writes${NOTE_FUNCTIONS}
local note = redis.pcall('HGET', KEYS[1], ARGV[1])
return type(note) == 'string' and live(note) or ''`);

/** KEYS shared values. Name and `:text` of each live one; removes expired ones. */
const READ_NOTES = script(`#!lua flags=allow-oom${NOTE_FUNCTIONS}
local all = redis.pcall('HGETALL', KEYS[1])
if all.err then return {} end
local notes = {}
for at = 1, #all, 2 do
  local text = live(all[at + 1])
  if text == '' then redis.call('HDEL', KEYS[1], all[at])
  else
    notes[#notes + 1] = all[at]
    notes[#notes + 1] = text
  end
end
return notes`);

/**
 * Claims, a key each; short texts, a hash for each group; logs, a list each, newest line first.
 *
 * Fields of a hash have no expiry of their own before Redis 7.4: each text begins with its end, by Redis' own time, and reading all of
 * them removes expired ones.
 */
export class RedisState implements SharedState {
  /** @param ready rejects while Redis may have older data than it had; logs go on */
  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly ready: () => Promise<void>,
  ) {}

  async claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    await this.ready();
    const key = this.keys.claim(name);
    const unlessClaimed = mode === 'renew' ? [] : ['NX'];
    return (await this.commands.send(key, ['SET', key, '1', ...unlessClaimed, 'PX', String(ttlMs)])) !== null;
  }

  async isClaimed(name: string): Promise<boolean> {
    await this.ready();
    const key = this.keys.claim(name);
    return (await this.commands.send(key, ['GET', key])) !== null;
  }

  async compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    await this.ready();
    const before = seen === undefined ? '' : `:${seen}`; // none is not the same as an empty one
    const lifeMs = Math.round(Math.min(ttlMs, MAX_SHARED_VALUE_TTL_MS));
    const args = [this.keys.ofSource(name), before, text, lifeMs, MAX_SHARED_VALUE_TTL_MS];
    const there = await this.commands.run(NOTE, [this.keys.sharedValues(group)], args);
    return there === null ? { kind: 'stored' } : { kind: 'conflict', text: textOf(there) };
  }

  async read(group: string, name: string): Promise<string | undefined> {
    await this.ready();
    return textOf(await this.commands.run(READ_NOTE, [this.keys.sharedValues(group)], [this.keys.ofSource(name)]));
  }

  async readAll(group: string): Promise<readonly SharedValue[]> {
    await this.ready();
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

  async appendToLog(log: string, line: string): Promise<void> {
    const key = this.keys.log(log);
    await this.commands.send(key, ['LPUSH', key, line]);
    await Promise.all([
      this.commands.send(key, ['LTRIM', key, '0', String(MAX_LOG_LINES - 1)]),
      this.commands.send(key, ['PEXPIRE', key, String(KEEP_LOG_MS)]),
    ]);
  }

  async readLog(log: string, limit: number): Promise<readonly string[]> {
    const key = this.keys.log(log);
    const lines = await this.commands.sendOrReply(key, ['LRANGE', key, '0', String(limit - 1)]);
    return Array.isArray(lines) ? lines.map(String) : [];
  }
}

/** The text in `:text`, empty for none. */
function textOf(reply: RedisReply): string | undefined {
  const text = String(reply);
  return text === '' ? undefined : text.slice(1);
}
