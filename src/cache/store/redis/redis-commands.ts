import type { NodeAddress } from '../../../redis/redis-endpoint';
import type { CommandArguments, RedisLink, RedisReply } from '../../../redis/redis-link';
import { isErrorReply } from '../../../redis/redis-package';
import { RedisUnavailableError } from '../../../redis/redis-unavailable.error';
import { StoreUnavailableError } from '../cache-store';
import type { Script } from './lua';

type ScriptKeys = readonly [string, ...string[]];
type ScriptArguments = readonly (string | number | Buffer)[];

/**
 * Turns every failure of Redis into a `StoreUnavailableError`; `refusalIn` distinguishes an error reply from silence. Each kind of refusal
 * (OOM, READONLY, ...) is logged once per connection.
 */
export class RedisCommands {
  private readonly warned = new Set<string>();
  /** Not a Cluster by its endpoint, though each command's keys must share a slot: one node of a Cluster, or a proxy of several. */
  private isBoundToSlots = false;

  constructor(
    private readonly link: RedisLink,
    private readonly onRefused: (reply: string) => void,
  ) {
    link.onTransition(() => {
      this.warned.clear();
      this.isBoundToSlots = false;
    });
  }

  send(key: string, args: CommandArguments): Promise<RedisReply> {
    return this.through(this.link.send(key, args));
  }

  sendTo(node: NodeAddress, args: CommandArguments): Promise<RedisReply> {
    return this.through(this.link.sendTo(node, args));
  }

  /** As `send`, but a reply such as WRONGTYPE is undefined: another program owns the key. */
  async sendOrReply(key: string, args: CommandArguments): Promise<RedisReply | undefined> {
    try {
      return await this.link.send(key, args);
    } catch (error) {
      if (isErrorReply(error)) return undefined;
      throw this.unavailable(error);
    }
  }

  /** EVALSHA, and EVAL where the node does not know the script yet. The first key selects the slot. */
  run(script: Script, keys: ScriptKeys, args: ScriptArguments): Promise<RedisReply> {
    return this.through(this.evaluate(script, keys, args));
  }

  /** Whether a command may have keys of several slots, as far as known. */
  get spansSlots(): boolean {
    return !this.link.isCluster && !this.isBoundToSlots;
  }

  /** As `run`, with keys of several slots; undefined, without effect, if Redis refuses such commands. */
  async runAcross(script: Script, keys: ScriptKeys, args: ScriptArguments): Promise<RedisReply | undefined> {
    if (!this.spansSlots) return undefined;
    try {
      return await this.evaluate(script, keys, args);
    } catch (error) {
      if (!refusalIn(error)?.message.startsWith('CROSSSLOT')) throw this.unavailable(error);
      this.isBoundToSlots = true;
      return undefined;
    }
  }

  private async evaluate(script: Script, keys: ScriptKeys, args: ScriptArguments): Promise<RedisReply> {
    const rest = [String(keys.length), ...keys, ...args.map((arg) => (typeof arg === 'number' ? String(arg) : arg))];
    try {
      return await this.link.send(keys[0], ['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!isErrorReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.link.send(keys[0], ['EVAL', script.source, ...rest]);
    }
  }

  private async through(reply: Promise<RedisReply>): Promise<RedisReply> {
    try {
      return await reply;
    } catch (error) {
      throw this.unavailable(error);
    }
  }

  private unavailable(error: unknown): Error {
    const refusal = refusalIn(error);
    if (refusal) this.warnOnce(refusal.message);
    if (isErrorReply(error) || error instanceof RedisUnavailableError) {
      return new StoreUnavailableError(error.message, { cause: error });
    }
    return error instanceof Error ? error : new Error(String(error));
  }

  private warnOnce(message: string): void {
    const [kind = ''] = message.split(' ', 1);
    if (this.warned.has(kind)) return;
    this.warned.add(kind);
    this.onRefused(message.slice(0, 200));
  }
}

/** The error reply of Redis, or undefined without one: whether Redis has run the command is unknown then. */
export function refusalIn(error: unknown): Error | undefined {
  if (isErrorReply(error)) return error;
  return error instanceof Error && error.cause !== undefined ? refusalIn(error.cause) : undefined;
}
