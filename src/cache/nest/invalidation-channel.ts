import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CacheInvalidator } from '../engine/cache-invalidator';
import { invalidationMessage, targetsOf, type InvalidationMessage } from './invalidation-message';
import { OPENED_STORE, type Subscription, type OpenedStore } from '../store/store.factory';

const MAX_MESSAGE_BYTES = 1_048_576;
/** The limit of concurrent messages: further ones wait, so that requests are still answered. */
const MESSAGES_AT_ONCE = 4;

/** The results of the messages so far. */
export interface MessageCounts {
  done: number;
  malformed: number;
  failed: number;
}

/**
 * Invalidations that a trusted data source publishes on the Redis channel `{prefix}:invalidate`.
 *
 * Every replica receives every message and applies it completely: a single one is enough, and none has to know the others. A message that
 * is not an invalidation is counted and ignored.
 */
@Injectable()
export class InvalidationChannel implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly counts: MessageCounts = { done: 0, malformed: 0, failed: 0 };
  private readonly logger = new Logger('Invalidation');
  private readonly waiting: InvalidationMessage[] = [];
  private applying = 0;
  private subscription: Subscription | undefined;

  constructor(
    @Inject(OPENED_STORE) private readonly opened: OpenedStore,
    private readonly invalidator: CacheInvalidator,
  ) {}

  onApplicationBootstrap(): void {
    this.subscription = this.opened.subscribe?.((message) => this.receive(message));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.subscription?.close();
  }

  private receive(bytes: Buffer): void {
    const message = parse(bytes);
    if (!message) {
      this.counts.malformed += 1;
      this.logger.debug(`A message of ${bytes.length} bytes is no invalidation: ignored.`);
      return;
    }
    this.waiting.push(message);
    if (this.applying < MESSAGES_AT_ONCE) void this.drainQueue();
  }

  private async drainQueue(): Promise<void> {
    this.applying += 1;
    for (let message = this.waiting.shift(); message; message = this.waiting.shift()) await this.apply(message);
    this.applying -= 1;
  }

  private async apply(message: InvalidationMessage): Promise<void> {
    const targets = targetsOf(message);
    try {
      const removed = await this.invalidator.invalidate(targets, message.mode, 'channel');
      this.counts.done += 1;
      this.logger.debug(`A message: ${removed} entries removed.`);
    } catch (error) {
      // If Redis does not confirm it, it is repeated once Redis is back.
      this.counts.failed += 1;
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(`The ${targets.length} invalidations of a message are not confirmed: ${reason}`);
    }
  }
}

function parse(bytes: Buffer): InvalidationMessage | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    return invalidationMessage.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined; // not JSON: counted by the caller
  }
}
