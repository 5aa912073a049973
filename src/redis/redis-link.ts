import type { NodeAddress } from './redis-endpoint';

export type CommandArguments = readonly (string | Buffer)[];

/** A reply with bulk strings as Buffers. */
export type RedisReply = Buffer | string | number | boolean | null | readonly RedisReply[];

/**
 * The commands' way to Redis, whatever its deployment. Its one invariant: a command settles within its deadline, and while
 * the link is down it fails at once.
 */
export abstract class RedisLink {
  private readonly listeners: ((isUp: boolean) => void)[] = [];
  /** Whether commands are sent at all. */
  abstract readonly isUp: boolean;
  /** Whether keys of different slots are on different nodes. */
  abstract readonly isCluster: boolean;
  /** Why it is down, or undefined. */
  abstract readonly problem: string | undefined;
  /** The nodes that hold the keys now: one, or a Cluster's primaries. */
  abstract primaries(): readonly NodeAddress[];
  /** @throws RedisUnavailableError; any other error is Redis' own reply to a wrong command */
  abstract send(key: string, args: CommandArguments): Promise<RedisReply>;
  /** Sends to one of `primaries()`, for commands without a key such as SCAN. */
  abstract sendTo(node: NodeAddress, args: CommandArguments): Promise<RedisReply>;
  abstract close(): Promise<void>;

  onTransition(listener: (isUp: boolean) => void): void {
    this.listeners.push(listener);
  }

  protected notify(isUp: boolean): void {
    for (const listener of this.listeners) listener(isUp);
  }
}
