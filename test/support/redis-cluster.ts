import { formCluster, introduce, untilHealthy } from './cluster-formation';
import { ownerOf, parseClusterNodes } from './cluster-view';
import { freeClusterPort } from './free-port';
import { RedisProcess } from './redis-process';
import { SlotMove } from './slot-move';
import { waitUntil } from './wait-until';

export interface RedisClusterOptions {
  primaries?: number;
  replicasPerPrimary?: number;
  clusterNodeTimeoutMs?: number;
  password?: string;
  config?: Readonly<Record<string, string>>;
}

/**
 * A real Redis Cluster on this machine, by default three primaries with a replica each. Its questions are put to the nodes
 * that run; a node that was killed or frozen is left out until it is restarted or thawed.
 */
export class RedisCluster {
  private constructor(
    private readonly members: RedisProcess[],
    private readonly options: RedisClusterOptions,
  ) {}

  /** Resolves when every node says cluster_state:ok and every replica is in sync: about three seconds. */
  static async start(options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const { primaries = 3, replicasPerPrimary = 1 } = options;
    const count = primaries * (1 + replicasPerPrimary);
    const started = await Promise.allSettled(Array.from({ length: count }, () => startNode(options)));
    const members = started.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
    const cluster = new RedisCluster(members, options);
    try {
      const failure = started.find((result) => result.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
      await formCluster(members, primaries);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get nodes(): readonly RedisProcess[] {
    return this.members;
  }

  get uri(): string {
    return `redis+cluster://${this.members.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  get password(): string | undefined {
    return this.options.password;
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.anyNode().command('CLUSTER', 'KEYSLOT', key));
  }

  /** The node that serves the key's slot, killed or not, as a serving node sees it. */
  async primaryFor(key: string): Promise<RedisProcess> {
    const slot = await this.slotOf(key);
    const owner = ownerOf(slot, parseClusterNodes(await this.anyNode().command('CLUSTER', 'NODES')));
    const node = this.members.find(({ port }) => port === owner?.port);
    if (node === undefined) throw new Error(`No node of this cluster owns slot ${slot} of ${key}`);
    return node;
  }

  /** The nodes that serve slots or could, without replicas. */
  async primaries(): Promise<RedisProcess[]> {
    const view = parseClusterNodes(await this.anyNode().command('CLUSTER', 'NODES'));
    const ports = new Set(view.filter(({ isPrimary, isFailing }) => isPrimary && !isFailing).map(({ port }) => port));
    return this.members.filter(({ port, isServing }) => isServing && ports.has(port));
  }

  /** Runs a command on the key's primary. */
  async commandFor(key: string, ...args: (string | number)[]): Promise<string> {
    return (await this.primaryFor(key)).command(...args);
  }

  /** SIGKILL to the key's primary; returns it, so that it can be restarted. */
  async killPrimaryFor(key: string): Promise<RedisProcess> {
    const node = await this.primaryFor(key);
    await node.kill();
    return node;
  }

  /** Resolves when the serving nodes agree that one of them serves every slot; no replica has to be left. */
  async waitForFailover(): Promise<void> {
    await untilHealthy(this.serving());
  }

  /** Starts moving a slot, and leaves it half-way: for ASK. */
  async beginSlotMove(slot: number, to: RedisProcess): Promise<SlotMove> {
    return SlotMove.begin(slot, await this.primaries(), to);
  }

  /** Moves a slot with its keys to another primary: for MOVED. */
  async moveSlot(slot: number, to: RedisProcess): Promise<void> {
    const move = await this.beginSlotMove(slot, to);
    await move.migrateKeys();
    await move.finish();
  }

  /** Moves the key's slot to some other primary, and returns that. */
  async moveSlotOf(key: string): Promise<RedisProcess> {
    const from = await this.primaryFor(key);
    const to = (await this.primaries()).find((node) => node !== from);
    if (to === undefined) throw new Error('The cluster has no other primary to move a slot to');
    await this.moveSlot(await this.slotOf(key), to);
    return to;
  }

  /** Adds an empty primary, which clients learn of by their next look at the topology. */
  async addPrimary(): Promise<RedisProcess> {
    const serving = this.serving();
    const added = await startNode(this.options);
    this.members.push(added);
    await introduce([...serving, added]);
    await waitUntil(async () => (await added.command('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
      what: `the added node ${added.port} to find the cluster in order`,
    });
    return added;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((node) => node.stop()));
  }

  private serving(): RedisProcess[] {
    return this.members.filter(({ isServing }) => isServing);
  }

  private anyNode(): RedisProcess {
    const [node] = this.serving();
    if (node === undefined) throw new Error('No node of the cluster runs');
    return node;
  }
}

async function startNode({
  clusterNodeTimeoutMs = 1500,
  password,
  config,
}: RedisClusterOptions): Promise<RedisProcess> {
  const port = await freeClusterPort();
  return RedisProcess.start({
    port,
    password,
    config: {
      'cluster-enabled': 'yes',
      'cluster-node-timeout': String(clusterNodeTimeoutMs),
      ...(password === undefined ? {} : { masterauth: password }),
      ...config,
    },
  });
}
