import type { RedisLink } from './redis-link';

/** How much Redis holds, of all its primaries: its keys, whosever they are, and its memory. Null: it refuses to say. */
export interface RedisUsage {
  readonly entries: number | null;
  readonly usedBytes: number | null;
}

export async function readRedisUsage(link: RedisLink): Promise<RedisUsage> {
  const sumOf = async (args: readonly string[], read: (reply: string) => number): Promise<number | null> => {
    try {
      const replies = await Promise.all(link.primaries().map((node) => link.sendTo(node, args)));
      const numbers = replies.map((reply) => read(String(reply)));
      return numbers.length > 0 && numbers.every(Number.isFinite) ? numbers.reduce((sum, one) => sum + one, 0) : null;
    } catch {
      return null; // away, or not allowed: the figure is left out; the connection reports the problem
    }
  };
  const [entries, usedBytes] = await Promise.all([
    sumOf(['DBSIZE'], Number),
    sumOf(['INFO', 'memory'], (reply) => Number(/^used_memory:(\d+)/m.exec(reply)?.[1] ?? NaN)),
  ]);
  return { entries, usedBytes };
}
