import type { NodeAddress } from './redis-endpoint';

/** Where the one primary is, now. */
export abstract class PrimarySource {
  abstract get(): Promise<NodeAddress>;
  /** Calls the listener when the primary is another node than before. */
  abstract onMoved(listener: () => void): void;
  abstract close(): Promise<void>;
}

/** A primary that stays where the configuration says. */
export class FixedPrimary extends PrimarySource {
  constructor(private readonly address: NodeAddress) {
    super();
  }

  get(): Promise<NodeAddress> {
    return Promise.resolve(this.address);
  }

  onMoved(): void {
    // it never does
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
