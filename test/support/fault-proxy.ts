import { createServer, type Server, type Socket } from 'node:net';
import type { FaultMode } from './fault-mode';
import { freePort } from './free-port';
import { ProxiedConnection } from './proxied-connection';

/**
 * A TCP proxy in front of a server on 127.0.0.1, which breaks the network in a chosen way. A mode holds for the connections
 * there are and for those to come, until the next mode is set; every mode listens again after `cut`.
 */
export class FaultProxy {
  private readonly open = new Set<ProxiedConnection>();
  private mode: FaultMode = { kind: 'pass' };
  private listener: Server | undefined;
  private isCut = false;
  private acceptedCount = 0;

  private constructor(
    readonly port: number,
    readonly targetPort: number,
  ) {}

  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(await freePort(), targetPort);
    await proxy.pass();
    return proxy;
  }

  get uri(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Connections that clients hold now. */
  connections(): number {
    return [...this.open].filter(({ isOpen }) => isOpen).length;
  }

  /** Connections that clients have made since the start. */
  accepted(): number {
    return this.acceptedCount;
  }

  /** Bytes pass untouched. */
  pass(): Promise<void> {
    return this.setMode({ kind: 'pass' });
  }

  /** Resets every connection and refuses new ones. */
  async cut(): Promise<void> {
    const closing = this.listener;
    this.listener = undefined;
    this.isCut = true;
    this.dropConnections();
    await new Promise<void>((resolve) => {
      if (closing === undefined) resolve();
      else closing.close(() => resolve());
    });
  }

  /** Resets the connections there are; new ones are accepted. */
  dropConnections(): void {
    for (const connection of this.open) connection.destroy();
  }

  /** Swallows everything both ways and says nothing. The connections of this time stay dead for good; new ones recover. */
  halfOpen(): Promise<void> {
    return this.setMode({ kind: 'halfOpen' });
  }

  /** Holds everything both ways, and delivers it when the mode changes. */
  stall(): Promise<void> {
    return this.setMode({ kind: 'stall' });
  }

  /** Every byte comes `ms` later, each way; order and throughput stay. */
  delay(ms: number): Promise<void> {
    return this.setMode({ kind: 'delay', ms });
  }

  /** A few bytes at a time, each way. */
  dribble(bytesPerTick = 1, tickMs = 1): Promise<void> {
    return this.setMode({ kind: 'dribble', bytesPerTick, tickMs });
  }

  /** Random bytes, or the given ones, instead of each reply; the next mode resets the connections that had some. */
  garbage(bytes?: Buffer): Promise<void> {
    return this.setMode({ kind: 'garbage', bytes });
  }

  /** Tells all clients something that the server has not said, between two of its answers. */
  say(bytes: Buffer): void {
    for (const connection of this.open) connection.say(bytes);
  }

  stop(): Promise<void> {
    return this.cut();
  }

  private async setMode(mode: FaultMode): Promise<void> {
    this.mode = mode;
    this.isCut = false;
    for (const connection of this.open) connection.setMode(mode);
    this.listener ??= await this.listen();
  }

  private listen(): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => resolve(server));
    });
  }

  private accept(client: Socket): void {
    if (this.isCut) {
      client.resetAndDestroy();
      return;
    }
    this.acceptedCount += 1;
    this.open.add(new ProxiedConnection(client, this.targetPort, this.mode, (gone) => this.open.delete(gone)));
  }
}
