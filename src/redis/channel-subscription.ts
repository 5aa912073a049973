import { nodeClientOptions, type RedisSettings } from './redis-client-options';
import type { RedisLink } from './redis-link';
import { RedisUnavailableError } from './redis-unavailable.error';
import { WatchedClient, type Channel } from './watched-client';

/**
 * Receives the messages of pub/sub channels (https://redis.io/docs/latest/develop/pubsub/), on a connection of its own to one primary: in
 * a Cluster a message reaches every node. At most once: a message published during a reconnect is lost.
 */
export class ChannelSubscription {
  private readonly client: WatchedClient;

  constructor(
    settings: RedisSettings,
    link: RedisLink,
    channels: readonly Channel[],
    onDown?: (problem: string) => void,
  ) {
    this.client = new WatchedClient(
      () => {
        const [node] = link.primaries();
        if (!node) return Promise.reject(new RedisUnavailableError('no primary is known yet'));
        return Promise.resolve(nodeClientOptions(settings, node));
      },
      settings.commandTimeoutMs,
      { channels, ...(onDown && { onDown }) },
    );
  }

  get isUp(): boolean {
    return this.client.isUp;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
