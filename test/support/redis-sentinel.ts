import { RedisProcess } from './redis-process';
import type { RespArgument } from './resp-connection';
import type { RespValue } from './resp-reader';
import { waitUntil } from './wait-until';

const MASTER_NAME = 'mymaster';
const SENTINEL_COUNT = 3;

export interface RedisSentinelOptions {
  /** Of the data nodes; the sentinels know it too. */
  password?: string;
  /** Of the sentinels themselves. */
  sentinelPassword?: string;
  downAfterMs?: number;
  failoverTimeoutMs?: number;
}

/** One primary, one replica and three sentinels of quorum two: the smallest set that fails over. */
export class RedisSentinelSet {
  private constructor(
    readonly dataNodes: readonly RedisProcess[],
    readonly sentinels: readonly RedisProcess[],
  ) {}

  /** Resolves when every sentinel knows the replica and the two others: about three seconds. */
  static async start(options: RedisSentinelOptions = {}): Promise<RedisSentinelSet> {
    const started: RedisProcess[] = [];
    const keep = async (process: Promise<RedisProcess>): Promise<RedisProcess> => {
      started.push(await process);
      return process;
    };
    try {
      const { password } = options;
      const primary = await keep(RedisProcess.start(dataNode(password)));
      const replica = await keep(RedisProcess.start(dataNode(password, `replicaof 127.0.0.1 ${primary.port}`)));
      await waitUntil(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'), {
        what: `the replica on port ${replica.port} to be in sync`,
      });
      const configLines = sentinelLines(primary.port, options);
      const sentinels = await Promise.all(
        Array.from({ length: SENTINEL_COUNT }, () =>
          keep(RedisProcess.start({ isSentinel: true, password: options.sentinelPassword, configLines })),
        ),
      );
      const set = new RedisSentinelSet([primary, replica], sentinels);
      await set.untilAcquainted();
      return set;
    } catch (error) {
      await Promise.all(started.map((process) => process.stop()));
      throw error;
    }
  }

  get uri(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`;
  }

  /** The primary that the serving sentinels name, once they name the same. */
  async primary(): Promise<RedisProcess> {
    const ports = await this.namedPorts();
    const node = this.dataNodes.find(({ port }) => port === ports[0]);
    if (node === undefined || new Set(ports).size > 1) {
      throw new Error(`The sentinels do not agree on a primary of this set: ${ports.join(', ')}`);
    }
    return node;
  }

  /** Runs a command on the current primary. */
  async command(...args: RespArgument[]): Promise<string> {
    return (await this.primary()).command(...args);
  }

  /** SIGKILL to the primary; returns it, so that it can be restarted: it comes back as a replica. */
  async killPrimary(): Promise<RedisProcess> {
    const node = await this.primary();
    await node.kill();
    return node;
  }

  /** Resolves with the port of the new primary, when every serving sentinel names it and it takes writes. */
  async waitForFailover(): Promise<number> {
    let port = 0;
    await waitUntil(
      async () => {
        const node = await this.primary();
        port = node.port;
        return node.isServing && (await node.command('INFO', 'replication')).includes('role:master');
      },
      { what: 'the sentinels to agree on a new primary', pollMs: 25 },
    );
    return port;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.dataNodes].map((process) => process.stop()));
  }

  private async namedPorts(): Promise<number[]> {
    const serving = this.sentinels.filter(({ isServing }) => isServing);
    const answers = await Promise.all(
      serving.map((sentinel) => sentinel.query('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)),
    );
    return answers.map((answer) => (Array.isArray(answer) ? Number(answer[1]) : 0));
  }

  private async untilAcquainted(): Promise<void> {
    await waitUntil(async () => (await Promise.all(this.sentinels.map(isAcquainted))).every(Boolean), {
      what: 'the sentinels to know the replica and each other',
      pollMs: 25,
    });
  }
}

async function isAcquainted(sentinel: RedisProcess): Promise<boolean> {
  const facts = factsOf(await sentinel.query('SENTINEL', 'MASTER', MASTER_NAME));
  if (facts.get('flags') !== 'master' || facts.get('num-other-sentinels') !== String(SENTINEL_COUNT - 1)) return false;
  const replicas = await sentinel.query('SENTINEL', 'REPLICAS', MASTER_NAME);
  const replica = Array.isArray(replicas) && replicas.length === 1 ? factsOf(replicas[0]!) : undefined;
  return replica?.get('flags') === 'slave' && replica.get('master-link-status') === 'ok';
}

function factsOf(reply: RespValue): Map<string, string> {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])));
}

function dataNode(password: string | undefined, ...configLines: string[]) {
  const auth = password === undefined ? [] : [`masterauth ${JSON.stringify(password)}`];
  return { password, configLines: [...auth, ...configLines] };
}

function sentinelLines(primaryPort: number, options: RedisSentinelOptions): string[] {
  const { password, downAfterMs = 500, failoverTimeoutMs = 3000 } = options;
  return [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${primaryPort} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} ${failoverTimeoutMs}`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${JSON.stringify(password)}`]),
    ...(options.sentinelPassword === undefined
      ? []
      : [`sentinel sentinel-pass ${JSON.stringify(options.sentinelPassword)}`]),
  ];
}
