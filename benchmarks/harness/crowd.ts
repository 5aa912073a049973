import { Agent } from 'node:http';
import { request } from '../../test/support/raw-http';

/** How a wave of simultaneous clients fared. */
export interface Wave {
  readonly latenciesMs: readonly number[];
  /** How often each status was answered; 0 for no answer. */
  readonly statuses: Readonly<Record<number, number>>;
}

const headers = { 'user-agent': 'larder-benchmarks' };

/** Many clients, each with an open connection, spread over the replicas. */
export class Crowd {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });

  constructor(
    private readonly urls: readonly string[],
    private readonly size: number,
  ) {}

  /** Opens the connections, so that the wave that counts does not pay for it. */
  async connect(): Promise<void> {
    await this.ask('/payload/16');
  }

  /** All ask at once; resolves when the last has its answer. */
  async ask(path: string): Promise<Wave> {
    const latenciesMs: number[] = [];
    const statuses: Record<number, number> = {};
    const one = async (url: string): Promise<void> => {
      const startedAt = performance.now();
      const status = await this.statusOf(`${url}${path}`);
      latenciesMs.push(performance.now() - startedAt);
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    const clients = Array.from({ length: this.size }, (_, at) => one(this.urls[at % this.urls.length] ?? ''));
    await Promise.all(clients);
    return { latenciesMs, statuses };
  }

  leave(): void {
    this.agent.destroy();
  }

  private async statusOf(url: string): Promise<number> {
    try {
      return (await request(url, { agent: this.agent, headers, timeoutMs: 20_000 })).status;
    } catch {
      return 0; // told as "no answer" in the table
    }
  }
}
