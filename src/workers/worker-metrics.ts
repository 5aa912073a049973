import { AggregatorRegistry } from 'prom-client';

/** A metric of one process, as the library's `getMetricsAsJSON()` tells it. */
export interface ToldMetric {
  readonly name: string;
  readonly type: string;
}

/** Asks one worker; rejects when it does not answer in time, or dies. */
export type AskWorker = () => Promise<readonly ToldMetric[]>;

/**
 * The metrics of all workers of one service together.
 *
 * Its one invariant: no counter goes back. What a worker has counted, as far as it was told, still counts when the worker is slow
 * or gone; its gauges go with it.
 */
export class WorkerMetrics {
  private readonly workers = new Map<number, AskWorker>();
  private readonly last = new Map<number, readonly ToldMetric[]>();
  private ended: readonly ToldMetric[] = [];

  /** From when the worker serves: one that still starts would let everybody wait. */
  join(id: number, ask: AskWorker): void {
    this.workers.set(id, ask);
  }

  leave(id: number): void {
    this.workers.delete(id);
    const told = this.last.get(id);
    this.last.delete(id);
    if (told) this.ended = sumsOf([this.ended, told]);
  }

  /** As a text for Prometheus. */
  async read(): Promise<string> {
    await Promise.all([...this.workers].map(([id, ask]) => this.hear(id, ask)));
    return AggregatorRegistry.aggregate([...this.last.values(), this.ended] as object[]).metrics();
  }

  private async hear(id: number, ask: AskWorker): Promise<void> {
    const told = await ask().catch(() => undefined); // what it told before stands
    if (told && this.workers.has(id)) this.last.set(id, told);
  }
}

/** The sums of what only grows. */
function sumsOf(all: readonly (readonly ToldMetric[])[]): readonly ToldMetric[] {
  const growing = all.map((told) => told.filter(({ type }) => type === 'counter' || type === 'histogram'));
  return AggregatorRegistry.aggregate(growing).getMetricsAsArray() as unknown as ToldMetric[];
}
