import { startDeadline } from './deadline';

/** Messages to another process that wait for their replies, each under a number. */
export class PendingReplies<Reply = unknown> {
  private readonly waiting = new Map<number, (reply: () => Reply) => void>();
  private last = 0;

  /**
   * @param send sends the message under its number
   * @param late gives the result in place of a reply that does not arrive in time, or throws
   */
  request(timeoutMs: number, send: (id: number) => void, late: () => Reply): Promise<Reply> {
    const id = ++this.last;
    return new Promise((resolve) => {
      const cancel = startDeadline(timeoutMs, () => this.settle(id, late));
      this.waiting.set(id, (reply) => {
        cancel();
        this.waiting.delete(id);
        resolve(Promise.resolve().then(reply));
      });
      send(id);
    });
  }

  /** @returns whether anything still waited for it */
  settle(id: number, reply: () => Reply): boolean {
    const settle = this.waiting.get(id);
    settle?.(reply);
    return settle !== undefined;
  }

  settleAll(reply: () => Reply): void {
    for (const settle of [...this.waiting.values()]) settle(reply);
  }
}
