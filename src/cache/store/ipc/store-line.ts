import { PendingReplies } from '../../../kernel/pending-replies';
import { StoreUnavailableError, type LeaseAnswer } from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { ifAvailable } from '../if-available';
import { PING_MS, TRUST_MS, type StoreMessage, type StorePart, type StorePort } from './store-messages';

/**
 * A worker's end of the line to the process that keeps the store: calls with a deadline, and the changes that it pushes. A worker that was
 * suspended asks the process before it uses a copy. A worker that loses the line ends.
 */
export class StoreLine {
  readonly changes = new ChangeSignal();
  private readonly replies = new PendingReplies();
  private isOpen = true;
  /** When the last answered ping was sent (`performance.now()`): every message posted before it has arrived. */
  private syncedUntil = -Infinity;
  private readonly pings: NodeJS.Timeout;

  constructor(
    private readonly port: StorePort,
    private readonly timeoutMs: number,
  ) {
    port.onMessage((message) => this.receive(message));
    port.onClose(() => this.close());
    this.pings = setInterval(() => this.ping(), PING_MS).unref();
    this.ping();
  }

  /** Whether every change up to about now has been received: while the process answers the pings. */
  get isCoherent(): boolean {
    return this.isOpen && performance.now() - this.syncedUntil < TRUST_MS;
  }

  call(part: StorePart, operation: string, args: readonly unknown[]): Promise<unknown> {
    if (!this.isOpen) return Promise.reject(new StoreUnavailableError(CLOSED));
    return this.replies.request(
      this.timeoutMs,
      (id) => this.port.post({ store: 'call', id, part, operation, args }),
      unavailable(`the primary process did not answer within ${this.timeoutMs} ms`),
    );
  }

  close(): void {
    this.isOpen = false;
    clearInterval(this.pings);
    this.replies.settleAll(unavailable(CLOSED));
  }

  private ping(): void {
    this.port.post({ store: 'ping', sentAt: performance.now() });
  }

  private receive(message: StoreMessage): void {
    if (message.store === 'change') this.changes.emit(message.change);
    if (message.store === 'pong') this.syncedUntil = message.sentAt;
    if (message.store === 'sync') this.port.post({ store: 'ack', id: message.id });
    if (message.store !== 'result') return;
    const { id, value, failure } = message;
    const isAwaited = this.replies.settle(id, failure === undefined ? () => value : unavailable(failure));
    if (!isAwaited) this.releaseLate(value);
  }

  /** A lease that arrived after its caller stopped waiting. */
  private releaseLate(value: unknown): void {
    const answer = value as Partial<LeaseAnswer> | undefined;
    if (answer?.kind === 'granted' && answer.lease)
      void ifAvailable(() => this.call('entries', 'release', [answer.lease]));
  }
}

const CLOSED = 'the line to the primary process is closed';

function unavailable(problem: string): () => never {
  return () => {
    throw new StoreUnavailableError(problem);
  };
}
