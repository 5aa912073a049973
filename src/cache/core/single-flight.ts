/** A load under way and whether the caller started it. */
export interface Flight<T> {
  readonly result: Promise<T>;
  readonly isLeader: boolean;
}

interface UnderWay<T> extends FlightOptions {
  readonly result: Promise<T>;
}

export interface FlightOptions {
  /** The soft-purge mark that the caller saw: a flight under a lower one began before, and is not joined. */
  readonly indexMark?: number;
  /** The key of the resource that it loads a part of: a change of it detaches the flight. */
  readonly resource?: string;
}

/**
 * One call per key in this process. A finished flight is removed in the same turn that settles it, and only if it is still
 * the key's own; a detached flight goes on for those who are on board and is joined by nobody.
 */
export class SingleFlight<T> {
  private readonly flights = new Map<string, UnderWay<T>>();

  get size(): number {
    return this.flights.size;
  }

  has(key: string): boolean {
    return this.flights.has(key);
  }

  run(key: string, call: () => Promise<T>, options: FlightOptions = {}): Flight<T> {
    const underWay = this.flights.get(key);
    if (underWay && (underWay.indexMark ?? 0) >= (options.indexMark ?? 0))
      return { result: underWay.result, isLeader: false };
    const result = call().finally(() => {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    });
    const flight = { ...options, result };
    this.flights.set(key, flight);
    return { result, isLeader: true };
  }

  detach(key: string): void {
    this.flights.delete(key);
    for (const [name, { resource }] of this.flights) if (resource === key) this.flights.delete(name);
  }

  detachAll(): void {
    this.flights.clear();
  }
}
