import { PendingReplies } from '../../../kernel/pending-replies';
import { TRUST_MS, type StorePort } from './store-messages';

/**
 * How far one worker has received the changes, as known to the host.
 *
 * A worker uses its copies for `TRUST_MS` from its last answered ping, by its own clock; the host counts the same span from when it got
 * that ping, which is later. A worker that has not received a change by then (suspended, or not started yet) does not use its copies:
 *
 *   1. the worker pings at 0, and is suspended from 10 on
 *   2. another invalidates at 100; the first sends no ack
 *   3. at `TRUST_MS` and a little the host answers 2: if the worker resumes now, it asks the host before it uses a copy
 */
export class WorkerAcks {
  private readonly acks = new PendingReplies<void>();
  private trustedUntil = -Infinity;

  constructor(private readonly port: StorePort) {
    port.onMessage((message) => {
      if (message.store === 'ping') {
        this.trustedUntil = performance.now() + TRUST_MS;
        port.post({ store: 'pong', sentAt: message.sentAt });
      }
      if (message.store === 'ack') this.acks.settle(message.id, done);
    });
    port.onClose(() => {
      this.trustedUntil = -Infinity;
      this.acks.settleAll(done);
    });
  }

  /** Settles when the worker has received everything posted before, or does not use its copies any more. */
  waitForAck(): Promise<void> {
    const leftMs = this.trustedUntil - performance.now();
    if (leftMs < 0) return Promise.resolve();
    return this.acks.request(leftMs + 1, (id) => this.port.post({ store: 'sync', id }), done);
  }
}

const done = (): void => undefined;
