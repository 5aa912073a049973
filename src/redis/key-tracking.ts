import { requirePrimary } from './primary-link';
import { nodeClientOptions, type RedisSettings } from './redis-client-options';
import type { NodeAddress } from './redis-endpoint';
import type { RedisLink } from './redis-link';
import { RedisUnavailableError } from './redis-unavailable.error';
import { WatchedClient } from './watched-client';

const FOLLOW_MS = 200;
/** The maximum age of the last answered heartbeat for the received changes to count as complete. */
const TRUST_MS = 600;

export interface KeyTrackingListener {
  /** A key under the prefixes changed. */
  readonly onKey: (key: string) => void;
  /** Changes may have been missed: everything may have changed. */
  readonly onGap: () => void; // called when the gap is over, so that kept entries can serve during it
  /** One primary is out of reach, and why. */
  readonly onDeaf?: (problem: string) => void;
}

/**
 * Receives every change under some key prefixes, over one connection per primary (CLIENT TRACKING ON BCAST,
 * https://redis.io/docs/latest/develop/reference/client-side-caching/).
 *
 * Its one invariant: while `isCoherent`, every change older than 600 ms has been passed on, and on a working connection any change within
 * its network delay. An unanswered heartbeat reveals a half-open connection.
 */
export class KeyTracking {
  private readonly trackers = new Map<string, WatchedClient>();
  private readonly follow: NodeJS.Timeout;

  constructor(
    private readonly settings: RedisSettings,
    private readonly link: RedisLink,
    private readonly prefixes: readonly string[],
    private readonly listener: KeyTrackingListener,
  ) {
    this.follow = setInterval(() => this.followTopology(), FOLLOW_MS);
    link.onTransition(() => this.followTopology());
  }

  get isCoherent(): boolean {
    if (!this.link.isUp || this.trackers.size === 0) return false;
    const since = performance.now() - TRUST_MS;
    for (const tracker of this.trackers.values()) if (!tracker.isUp || tracker.repliedUntil < since) return false;
    return true;
  }

  async close(): Promise<void> {
    clearInterval(this.follow);
    await Promise.all([...this.trackers.values()].map((tracker) => tracker.close()));
  }

  private followTopology(): void {
    const wanted = new Map(this.link.primaries().map((node) => [`${node.host}:${node.port}`, node]));
    for (const [name, tracker] of this.trackers) {
      if (wanted.has(name)) continue;
      this.trackers.delete(name);
      void tracker.close(); // its keys belong to another primary now, whose new tracker reports the gap
    }
    for (const [name, node] of wanted) if (!this.trackers.has(name)) this.trackers.set(name, this.track(node));
  }

  private track(node: NodeAddress): WatchedClient {
    return new WatchedClient(() => nodeClientOptions(this.settings, node), this.settings.commandTimeoutMs, {
      prepare: (client) => this.startTracking(client),
      onUp: () => this.listener.onGap(),
      onDown: (problem) => this.listener.onDeaf?.(problem),
      onInvalidate: (key) => (key === null ? this.listener.onGap() : this.listener.onKey(key)),
    });
  }

  private async startTracking(client: WatchedClient): Promise<void> {
    if (this.settings.endpoint.mode !== 'single') await requirePrimary(client);
    // The client library turned plain tracking on; the mode can only be changed by way of OFF.
    await client.sendEarly(['CLIENT', 'TRACKING', 'OFF']);
    const prefixes = this.prefixes.flatMap((prefix) => ['PREFIX', prefix]);
    const reply = await client.sendEarly(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes]);
    if (String(reply) !== 'OK') throw new RedisUnavailableError(`CLIENT TRACKING answered ${String(reply)}`);
  }
}
