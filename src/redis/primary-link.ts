import { nodeClientOptions, type RedisSettings } from './redis-client-options';
import type { NodeAddress } from './redis-endpoint';
import { RedisLink, type CommandArguments, type RedisReply } from './redis-link';
import { asUnavailable } from './reply-errors';
import { RedisUnavailableError } from './redis-unavailable.error';
import { SentinelPrimary } from './sentinel-primary';
import { WatchedClient } from './watched-client';

/** The link to one primary: a single Redis, or the one that Sentinel names. */
export class PrimaryLink extends RedisLink {
  readonly isCluster = false;
  private readonly client: WatchedClient;
  private readonly sentinel: SentinelPrimary | undefined;
  private address: NodeAddress | undefined;

  constructor(settings: RedisSettings) {
    super();
    const { mode, nodes } = settings.endpoint;
    const [node] = nodes;
    if (!node) throw new Error('REDIS_ENDPOINT_URI names no host');
    const onMoved = (): void => this.client.reconnect('Sentinel named another primary');
    this.sentinel = mode === 'sentinel' ? new SentinelPrimary(settings, onMoved) : undefined;
    this.client = new WatchedClient(
      () => {
        this.address = this.sentinel ? this.sentinel.get() : node;
        return nodeClientOptions(settings, this.address);
      },
      settings.commandTimeoutMs,
      {
        ...(this.sentinel && { prepare: requirePrimary }),
        onUp: () => this.notify(true),
        onDown: () => this.notify(false),
      },
    );
  }

  get isUp(): boolean {
    return this.client.isUp;
  }

  get problem(): string | undefined {
    return this.client.problem;
  }

  primaries(): readonly NodeAddress[] {
    return this.address ? [this.address] : [];
  }

  async send(_key: string, args: CommandArguments): Promise<RedisReply> {
    try {
      return await this.client.send(args);
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  sendTo(_node: NodeAddress, args: CommandArguments): Promise<RedisReply> {
    return this.send('', args);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.sentinel?.close();
  }
}

/** A demoted primary still answers; it must not be taken for the primary. */
export async function requirePrimary(client: WatchedClient): Promise<void> {
  const role = await client.sendEarly(['ROLE']);
  if (Array.isArray(role) && String(role[0]) !== 'master') throw new RedisUnavailableError('the node is a replica');
}
