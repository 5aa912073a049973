import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Registry, type Aggregator, type Metric } from 'prom-client';
import { AppError } from '../kernel/app-error';
import { isWorker, requestAllMetrics, serveOwnMetrics } from '../workers/worker-channel';
import type { Sample } from './outcome-table';

/** Gauges of the library that are named like counters; their parts, without `_total`, stay. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * The Prometheus metrics of this process, in a registry of their own: nothing global, so that two applications in one process do not
 * meet. Beside the library's own metrics it has those whose samples are read at a scrape.
 */
@Injectable()
export class MetricRegistry extends Registry {
  constructor() {
    super();
    collectDefaultMetrics({ register: this });
    for (const name of MISNAMED) this.removeSingleMetric(name);
    if (isWorker()) serveOwnMetrics(() => this.getMetricsAsJSON());
  }

  /** All metrics as a text; of all workers where there are several. */
  async read(): Promise<string> {
    if (!isWorker()) return this.metrics();
    try {
      return await requestAllMetrics();
    } catch (error) {
      const message = 'The primary process did not return the metrics in time. Try again shortly.';
      throw new AppError('deadline-exceeded', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  counter(name: string, help: string, read: () => Sample[]): void {
    this.register('counter', name, help, read);
  }

  /** @param read undefined for no sample */
  gauge(name: string, help: string, read: () => number | undefined, aggregator: Aggregator = 'sum'): void {
    const sample = (): Sample[] => {
      const value = read();
      return value === undefined ? [] : [{ labels: {}, value }];
    };
    this.register('gauge', name, help, sample, aggregator);
  }

  /** A metric whose samples are read at a scrape. */
  register(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    read: () => Sample[],
    aggregator: Aggregator = type === 'gauge' ? 'min' : 'sum',
  ): void {
    const described = { name, help, type, aggregator };
    const metric = {
      ...described,
      get: () => Promise.resolve({ ...described, values: read() }),
      reset: () => undefined,
    };
    this.registerMetric(metric as unknown as Metric);
  }
}

/** A sample for each member. */
export function countsBy(label: string, counts: object, labels: Sample['labels'] = {}): Sample[] {
  return (Object.entries(counts) as [string, number][]).map(([name, value]) => ({
    ...{ labels: { ...labels, [label]: name }, value },
  }));
}
