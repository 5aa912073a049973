import { sentinelClientOptions, type RedisSettings } from './redis-client-options';
import type { NodeAddress } from './redis-endpoint';
import { RedisUnavailableError } from './redis-unavailable.error';
import { WatchedClient } from './watched-client';

const POLL_MS = 250;

/**
 * Asks the sentinels where the primary is, again and again, the next one when one fails
 * (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
 */
export class SentinelPrimary {
  private readonly sentinel: WatchedClient;
  private readonly poll: NodeJS.Timeout;
  private turn = 0;
  private address: NodeAddress | undefined;

  /** @param onMoved called when the primary is another node than before */
  constructor(
    private readonly settings: RedisSettings,
    private readonly onMoved: () => void,
  ) {
    const { nodes } = settings.endpoint;
    this.sentinel = new WatchedClient(
      () => {
        const node = nodes[this.turn++ % nodes.length];
        if (!node) throw new RedisUnavailableError('no sentinel is configured');
        return sentinelClientOptions(settings, node);
      },
      settings.commandTimeoutMs,
      {},
    );
    this.poll = setInterval(() => void this.look(), POLL_MS);
  }

  /** @throws RedisUnavailableError while no sentinel has said it */
  get(): NodeAddress {
    if (!this.address) throw new RedisUnavailableError(this.unknown());
    return this.address;
  }

  async close(): Promise<void> {
    clearInterval(this.poll);
    await this.sentinel.close();
  }

  private async look(): Promise<void> {
    if (!this.sentinel.isUp) return;
    const name = this.settings.endpoint.sentinelName ?? '';
    const found = await this.sentinel.send(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]).catch(() => undefined);
    if (!Array.isArray(found)) return; // this sentinel does not know it, or did not answer: ask again
    const [host, port] = found.map(String);
    if (host === undefined || (host === this.address?.host && Number(port) === this.address.port)) return;
    const wasKnown = this.address !== undefined;
    this.address = { host, port: Number(port) };
    if (wasKnown) this.onMoved();
  }

  private unknown(): string {
    const { sentinelName } = this.settings.endpoint;
    return `the sentinels have not said where "${sentinelName ?? ''}" is (${this.sentinel.problem ?? 'asked'})`;
  }
}
