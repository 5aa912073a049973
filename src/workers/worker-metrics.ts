import { AggregatorRegistry } from 'prom-client';

/** A metric of one process, as the library's `getMetricsAsJSON()` returns it. */
export interface WorkerMetric {
  readonly name: string;
  readonly type: string;
}

/** Asks one worker; rejects when it does not answer in time, or dies. */
export type ReadWorkerMetrics = () => Promise<readonly WorkerMetric[]>;

/**
 * The metrics of all workers of one service together.
 *
 * Its one invariant: no counter decreases. The counters that a worker has reported still count when it is slow or gone; its gauges go with
 * it.
 */
export class WorkerMetrics {
  private readonly workers = new Map<number, ReadWorkerMetrics>();
  private readonly last = new Map<number, readonly WorkerMetric[]>();
  private ended: readonly WorkerMetric[] = [];

  /** From when the worker serves: one that still starts would let everybody wait. */
  join(id: number, readMetrics: ReadWorkerMetrics): void {
    this.workers.set(id, readMetrics);
  }

  leave(id: number): void {
    this.workers.delete(id);
    const metrics = this.last.get(id);
    this.last.delete(id);
    if (metrics) this.ended = sumsOf([this.ended, metrics]);
  }

  /** As a text for Prometheus. */
  async read(): Promise<string> {
    await Promise.all([...this.workers].map(([id, readMetrics]) => this.collect(id, readMetrics)));
    return AggregatorRegistry.aggregate([...this.last.values(), this.ended] as object[]).metrics();
  }

  private async collect(id: number, readMetrics: ReadWorkerMetrics): Promise<void> {
    const metrics = await readMetrics().catch(() => undefined); // its last metrics stay
    if (metrics && this.workers.has(id)) this.last.set(id, metrics);
  }
}

/** The sums of what only grows. */
function sumsOf(all: readonly (readonly WorkerMetric[])[]): readonly WorkerMetric[] {
  const growing = all.map((metrics) => metrics.filter(({ type }) => type === 'counter' || type === 'histogram'));
  return AggregatorRegistry.aggregate(growing).getMetricsAsArray() as unknown as WorkerMetric[];
}
