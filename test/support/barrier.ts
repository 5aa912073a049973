/**
 * Order in concurrent tests without sleeping. A `Gate` holds whoever waits until the test opens it; a `Barrier` holds its
 * parties until the last of them has arrived.
 */
export class Gate {
  private held: (() => void)[] = [];
  private watchers: { count: number; notify: () => void }[] = [];
  private isOpen = false;

  /** How many callers stand before the gate now. */
  get waiting(): number {
    return this.held.length;
  }

  /** Resolves when the gate is open; at once if it already is. */
  wait(): Promise<void> {
    if (this.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      this.held.push(resolve);
      this.watchers = this.watchers.filter(({ count, notify }) => {
        if (this.held.length < count) return true;
        notify();
        return false;
      });
    });
  }

  /** Resolves when at least `count` callers stand before the gate: the moment at which a race is set up. */
  untilWaiting(count: number): Promise<void> {
    if (this.held.length >= count) return Promise.resolve();
    return new Promise((notify) => this.watchers.push({ count, notify }));
  }

  /** Lets everyone through, now and later. */
  open(): void {
    this.isOpen = true;
    this.letThrough(this.held.length);
  }

  /** Lets the first `count` waiting callers through and stays closed. */
  letThrough(count: number): void {
    for (const release of this.held.splice(0, count)) release();
  }

  /** Holds later callers again. */
  close(): void {
    this.isOpen = false;
  }
}

export class Barrier {
  private readonly gate = new Gate();
  private arrived = 0;

  constructor(private readonly parties: number) {}

  get waiting(): number {
    return this.gate.waiting;
  }

  /** Resolves for all parties at once, when the last one has arrived. */
  wait(): Promise<void> {
    this.arrived += 1;
    if (this.arrived >= this.parties) this.gate.open();
    return this.gate.wait();
  }
}
