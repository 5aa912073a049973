import { Injectable } from '@nestjs/common';
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Registry, type Metric } from 'prom-client';
import { OutcomeTable, type Sample } from './outcome-table';
import { AppError } from '../kernel/app-error';
import { askForMetrics, isWorker } from '../workers/worker-channel';
import { CacheEvents, InvalidationChannel, StoreHealth, type CacheEvent } from '../cache';

/** Prometheus metrics, in a registry of their own: nothing global, so that two applications in one process do not meet. */
@Injectable()
export class CacheMetrics {
  readonly registry = new Registry();
  private readonly outcomes = new OutcomeTable();
  private readonly failures = new Counter({
    name: 'larder_failures_total',
    help: 'Requests with an error or a stale answer because of one, by error code.',
    labelNames: ['upstream', 'code'] as const,
    registers: [this.registry],
  });

  constructor(events: CacheEvents, store: StoreHealth, channel: InvalidationChannel) {
    collectDefaultMetrics({ register: this.registry });
    if (isWorker()) {
      AggregatorRegistry.setRegistries([this.registry]);
      new AggregatorRegistry(); // hears the primary ask
    }
    this.register(
      'larder_requests_total',
      'counter',
      'Requests that came through the cache, by what became of them.',
      (name) => this.outcomes.counts(name),
    );
    this.register('larder_request_duration_seconds', 'histogram', 'Time in the service.', (name) =>
      this.outcomes.histogram(name),
    );
    const messages = 'larder_invalidation_messages_total';
    this.register(messages, 'counter', 'Messages on the Redis channel of invalidations, by what became of them.', () =>
      (Object.entries(channel.counts) as [string, number][]).map(([result, value]) => ({ metricName: messages, labels: { result }, value })),
    );
    events.subscribe((event) => this.count(event));
    this.gauge('larder_store_up', 'Whether the store can be used: 1, or 0 while Redis is down.', () =>
      store.get().isUp ? 1 : 0,
    );
    this.gauge('larder_l1_entries', 'Entries in memory in front of Redis.', () => store.get().l1Entries ?? 0);
    this.gauge('larder_l1_bytes', 'What they take, about.', () => store.get().l1Bytes ?? 0);
  }

  /** All metrics as a text; of all workers where there are several. */
  async read(): Promise<string> {
    if (!isWorker()) return this.registry.metrics();
    try {
      return await askForMetrics();
    } catch (error) {
      const message = 'A worker did not tell its metrics in time. Try again shortly.';
      throw new AppError('deadline-exceeded', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  private count(event: CacheEvent): void {
    this.outcomes.add(event);
    if (event.failure !== undefined) this.failures.inc({ upstream: event.upstream, code: event.failure });
  }

  /** A metric of our own in the library's registry, which asks for its samples at a scrape. */
  private register(name: string, type: 'counter' | 'histogram', help: string, read: (name: string) => Sample[]): void {
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: () => Promise.resolve({ name, help, type, aggregator: 'sum', values: read(name) }),
      reset: () => undefined,
    };
    this.registry.registerMetric(metric as unknown as Metric);
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
