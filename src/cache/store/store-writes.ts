/** A whole value that Redis has stored for an entry. */
export interface StoreWrite {
  readonly upstream: string;
  /** `index` for the index of a resource; `response` for its members, and for every other entry. */
  readonly kind: 'response' | 'index';
  /** Head and body, as they are stored. */
  readonly bytes: number;
}

/** Publishes stores in Redis to metrics; the store itself knows none of them. */
export class StoreWrites {
  private readonly listeners: ((write: StoreWrite) => void)[] = [];

  subscribe(listener: (write: StoreWrite) => void): void {
    this.listeners.push(listener);
  }

  /** In the next turn of the event loop: the answer that waits for the write goes first. */
  publish(write: StoreWrite): void {
    setImmediate(() => {
      for (const listener of this.listeners) listener(write);
    });
  }
}
