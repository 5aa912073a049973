import { nodeClientOptions, type RedisSettings } from './redis-client-options';
import type { RedisLink } from './redis-link';
import { RedisUnavailableError } from './redis-unavailable.error';
import { WatchedClient, type Channel } from './watched-client';

/**
 * Receives the messages of pub/sub channels (https://redis.io/docs/latest/develop/pubsub/), on a connection of its own to one primary: in
 * a Cluster a message reaches every node. At most once: a message published during a reconnect is lost.
 */
export function subscribeChannels(
  settings: RedisSettings,
  link: RedisLink,
  channels: readonly Channel[],
  onDown: (problem: string) => void,
): WatchedClient {
  const optionsOf = () => {
    const [node] = link.primaries();
    if (!node) throw new RedisUnavailableError('no primary is known yet');
    return nodeClientOptions(settings, node);
  };
  return new WatchedClient(optionsOf, settings.commandTimeoutMs, { channels, onDown });
}
