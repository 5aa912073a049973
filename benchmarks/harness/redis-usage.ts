import type { RedisProcess } from '../../test/support/redis-process';

/** Keys and what they take together, in bytes. */
export interface KeyUsage {
  readonly count: number;
  readonly bytes: number;
}

/** MEMORY USAGE of the string and hash keys that the Lua pattern finds, all nested values counted. */
export async function keyUsage(redis: RedisProcess, pattern: string): Promise<KeyUsage> {
  const script = `
local count, bytes = 0, 0
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local type = redis.call('TYPE', key).ok
    if string.find(key, ARGV[1]) and (type == 'string' or type == 'hash') then
      count = count + 1
      bytes = bytes + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)
    end
  end
until cursor == '0'
return count .. ' ' .. bytes`;
  const [count, bytes] = (await redis.command('EVAL', script, '0', pattern)).split(' ').map(Number);
  return { count: count ?? 0, bytes: bytes ?? 0 };
}

/** What Redis has allocated, clients' buffers and scripts too. */
export async function usedMemory(redis: RedisProcess): Promise<number> {
  const info = await redis.command('INFO', 'memory');
  return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1]) + Number(/used_memory_overhead:(\d+)/.exec(info)?.[1]);
}
