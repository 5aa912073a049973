import { ErrorReply } from 'redis';
import type { NodeAddress } from '../../redis/redis-endpoint';
import type { CommandArguments, RedisLink, RedisReply } from '../../redis/redis-link';
import { RedisUnavailableError } from '../../redis/redis-unavailable.error';
import { StoreUnavailableError } from '../core/cache-store';
import type { Script } from './scripts';

/** The one door through which Redis' failures come in: each is a `StoreUnavailableError` to the cache. */
export class RedisCommands {
  constructor(private readonly link: RedisLink) {}

  send(key: string, args: CommandArguments): Promise<RedisReply> {
    return through(this.link.send(key, args));
  }

  sendTo(node: NodeAddress, args: CommandArguments): Promise<RedisReply> {
    return through(this.link.sendTo(node, args));
  }

  /** As `send`, but a reply such as WRONGTYPE is undefined: what is there is not ours. */
  async sendOrReply(key: string, args: CommandArguments): Promise<RedisReply | undefined> {
    try {
      return await this.send(key, args);
    } catch (error) {
      if (error instanceof ErrorReply) return undefined;
      throw error;
    }
  }

  /** EVALSHA, and EVAL where the node does not know the script yet. The first key tells the slot. */
  async run(
    script: Script,
    keys: readonly [string, ...string[]],
    args: readonly (string | number | Buffer)[],
  ): Promise<RedisReply> {
    const rest = [String(keys.length), ...keys, ...args.map((arg) => (typeof arg === 'number' ? String(arg) : arg))];
    try {
      return await this.send(keys[0], ['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.send(keys[0], ['EVAL', script.source, ...rest]);
    }
  }
}

async function through(reply: Promise<RedisReply>): Promise<RedisReply> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof RedisUnavailableError) throw new StoreUnavailableError(error.message, { cause: error });
    throw error;
  }
}
