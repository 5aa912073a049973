/** A load under way and whether the caller started it. */
export interface Flight<T> {
  readonly result: Promise<T>;
  readonly isLeader: boolean;
}

/**
 * One call per key in this process. A finished flight is removed in the same turn that settles it, and only if it is still
 * the key's own; a detached flight goes on for those who are on board and is joined by nobody.
 */
export class SingleFlight<T> {
  private readonly flights = new Map<string, Promise<T>>();

  get size(): number {
    return this.flights.size;
  }

  has(key: string): boolean {
    return this.flights.has(key);
  }

  run(key: string, call: () => Promise<T>): Flight<T> {
    const underWay = this.flights.get(key);
    if (underWay) return { result: underWay, isLeader: false };
    const result = call().finally(() => {
      if (this.flights.get(key) === result) this.flights.delete(key);
    });
    this.flights.set(key, result);
    return { result, isLeader: true };
  }

  detach(key: string): void {
    this.flights.delete(key);
  }

  detachAll(): void {
    this.flights.clear();
  }
}
