import type { RedisLink } from './redis-link';

const MAX_MESSAGE_BYTES = 65_536;

/**
 * Messages between replicas on a pub/sub channel of their own. They may be lost at any time: only for short-lived information. Does
 * nothing without Redis.
 */
export class ReplicaMessages {
  private readonly listeners: ((message: string) => void)[] = [];

  constructor(
    private readonly link?: RedisLink,
    private readonly channel = '',
  ) {}

  /** Settles in any case. */
  async publish(message: string): Promise<void> {
    if (!this.link?.isUp) return;
    await this.link.send(this.channel, ['PUBLISH', this.channel, message]).catch(() => undefined);
  }

  subscribe(listener: (message: string) => void): void {
    this.listeners.push(listener);
  }

  /** A message of the channel, including this process's own. */
  receive(message: Buffer): void {
    if (message.length > MAX_MESSAGE_BYTES) return;
    const text = message.toString('utf8');
    for (const listener of this.listeners) listener(text);
  }
}
