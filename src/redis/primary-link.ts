import type { PrimarySource } from './primary-source';
import { nodeClientOptions, type RedisSettings } from './redis-client-options';
import type { NodeAddress } from './redis-endpoint';
import { RedisLink, type CommandArguments, type RedisReply } from './redis-link';
import { asUnavailable } from './reply-errors';
import { RedisUnavailableError } from './redis-unavailable.error';
import { WatchedClient } from './watched-client';

/** The link to one primary: a single Redis, or the one that Sentinel names. */
export class PrimaryLink extends RedisLink {
  readonly isCluster = false;
  private readonly client: WatchedClient;
  private readonly listeners: ((isUp: boolean) => void)[] = [];
  private address: NodeAddress | undefined;

  constructor(
    settings: RedisSettings,
    private readonly source: PrimarySource,
  ) {
    super();
    this.client = new WatchedClient(
      async () => {
        this.address = await source.get();
        return nodeClientOptions(settings, this.address);
      },
      settings.commandTimeoutMs,
      {
        ...(settings.endpoint.mode === 'sentinel' ? { prepare: requirePrimary } : {}),
        onUp: () => this.notify(true),
        onDown: () => this.notify(false),
      },
    );
    source.onMoved(() => this.client.reconnect('Sentinel named another primary'));
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

  onTransition(listener: (isUp: boolean) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.source.close();
  }

  private notify(isUp: boolean): void {
    for (const listener of this.listeners) listener(isUp);
  }
}

/** A demoted primary still answers; it must not be taken for the primary. */
export async function requirePrimary(client: WatchedClient): Promise<void> {
  const role = await client.sendEarly(['ROLE']);
  if (Array.isArray(role) && String(role[0]) !== 'master') throw new RedisUnavailableError('the node is a replica');
}
