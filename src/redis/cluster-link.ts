import type { createCluster } from 'redis';
import { withDeadline } from './deadline';
import { BINARY_REPLIES, nodeClientOptions, retryDelayMs, type RedisSettings } from './redis-client-options';
import type { NodeAddress } from './redis-endpoint';
import { RedisLink, type CommandArguments, type RedisReply } from './redis-link';
import { loadRedis } from './redis-package';
import { asUnavailable } from './reply-errors';
import { RedisUnavailableError } from './redis-unavailable.error';
import { describe } from './watched-client';

const HEARTBEAT_MS = 200;
const CONNECT_MS = 2_000;
/** A cluster client that does not come to terms with a changed cluster is replaced after so long. */
const REBUILD_AFTER_MS = 1_000;

type Cluster = ReturnType<typeof createCluster>;

/**
 * The link to a Redis Cluster. Up means that every primary answered its last heartbeat: an invalidation by tag or prefix
 * concerns all of them, and is not promised by some.
 */
export class ClusterLink extends RedisLink {
  readonly isCluster = true;
  private cluster: Cluster | undefined;
  private up = false;
  private down = 'not connected yet';
  private closed = false;
  private beating = false;
  private connectedAt = 0;
  private known: readonly NodeAddress[];
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly settings: RedisSettings) {
    super();
    this.known = settings.endpoint.nodes;
    this.heartbeat = setInterval(() => void this.beat(), HEARTBEAT_MS);
    void this.beat();
  }

  get isUp(): boolean {
    return this.up;
  }

  get problem(): string | undefined {
    return this.up ? undefined : this.down;
  }

  primaries(): readonly NodeAddress[] {
    return this.cluster?.masters.map(({ host, port }) => ({ host, port })) ?? [];
  }

  send(key: string, args: CommandArguments): Promise<RedisReply> {
    return this.sendBy((cluster) => cluster.sendCommand<RedisReply>(key, false, [...args], BINARY_REPLIES));
  }

  sendTo(node: NodeAddress, args: CommandArguments): Promise<RedisReply> {
    return this.sendBy(async (cluster) => {
      const master = cluster.masters.find(({ host, port }) => host === node.host && port === node.port);
      if (!master) throw new RedisUnavailableError(`${node.host}:${node.port} is no primary any more`);
      const client = await cluster.nodeClient(master);
      return client.sendCommand<RedisReply>([...args], BINARY_REPLIES);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.heartbeat);
    await this.discard();
  }

  private async sendBy(call: (cluster: Cluster) => Promise<RedisReply>): Promise<RedisReply> {
    const { cluster } = this;
    if (!cluster || !this.up) throw new RedisUnavailableError(this.down);
    const { commandTimeoutMs } = this.settings;
    try {
      return await withDeadline(call(cluster), commandTimeoutMs, () =>
        this.fall(`no answer within ${commandTimeoutMs} ms`),
      );
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  private async beat(): Promise<void> {
    if (this.beating || this.closed) return;
    this.beating = true;
    try {
      const cluster = this.cluster ?? (await this.connect());
      const pings = cluster.masters.map(async (master) => (await cluster.nodeClient(master)).sendCommand(['PING']));
      if (pings.length === 0) throw new RedisUnavailableError('the cluster has no primaries');
      await withDeadline(Promise.all(pings), this.settings.commandTimeoutMs, () => undefined);
      this.known = this.primaries();
      this.rise();
    } catch (error) {
      this.fall(describe(error));
      if (performance.now() - this.connectedAt > REBUILD_AFTER_MS) await this.discard();
    } finally {
      this.beating = false;
    }
  }

  private async connect(): Promise<Cluster> {
    const redis = await loadRedis();
    const seeds = [...this.known, ...this.settings.endpoint.nodes];
    const options = seeds.map((node) => nodeClientOptions(this.settings, node));
    const { socket, ...defaults } = nodeClientOptions(this.settings, { host: '', port: 0 });
    const { host, port, ...connection } = socket as Record<string, unknown>;
    const cluster = redis.createCluster({
      rootNodes: options,
      defaults: { ...defaults, socket: { ...connection, reconnectStrategy: retryDelayMs } },
      topologyRefreshOnReconnectionAttemptStrategy: 200,
    }) as unknown as Cluster;
    // Whether the cluster can be used is for the heartbeat to say; a node that is no primary any more may fail as it likes.
    const reasons = new Set<string>();
    cluster.on('error', (error: Error) => reasons.add(describe(error)));
    cluster.on('node-error', (error: Error, node: NodeAddress) => {
      const isPrimary = this.primaries().some(({ host, port }) => host === node.host && port === node.port);
      if (isPrimary) this.fall(describe(error));
    });
    try {
      await withDeadline(cluster.connect(), CONNECT_MS, () => undefined);
    } catch (error) {
      cluster.destroy();
      // For several nodes the client says only that none can be used, in an order that changes.
      throw new RedisUnavailableError([describe(error), ...[...reasons].sort()].join('; '), { cause: error });
    }
    if (this.closed) {
      cluster.destroy();
      throw new RedisUnavailableError('closed');
    }
    this.connectedAt = performance.now();
    this.cluster = cluster;
    return cluster;
  }

  private async discard(): Promise<void> {
    const { cluster } = this;
    this.cluster = undefined;
    if (this.up) this.fall('the cluster client is made anew');
    if (!cluster?.isOpen) return;
    if (this.closed) await withDeadline(cluster.close(), CONNECT_MS, () => undefined).catch(() => cluster.destroy());
    else cluster.destroy();
  }

  private rise(): void {
    if (this.up || this.closed) return;
    this.up = true;
    this.notify(true);
  }

  private fall(problem: string): void {
    const wasUp = this.up;
    this.up = false;
    const isNews = wasUp || problem !== this.down;
    this.down = problem;
    if (isNews) this.notify(false);
  }
}
