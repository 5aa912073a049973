import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CacheEvents, StoreHealth, type CacheEvent } from '../cache';

/** Prometheus metrics, in a registry of their own: nothing global, so that two applications in one process do not meet. */
@Injectable()
export class CacheMetrics {
  readonly registry = new Registry();
  private readonly requests = new Counter({
    name: 'larder_requests_total',
    help: 'Requests that came through the cache, by what became of them.',
    labelNames: ['upstream', 'outcome', 'tier'] as const,
    registers: [this.registry],
  });
  private readonly failures = new Counter({
    name: 'larder_failures_total',
    help: 'Requests with an error or a stale answer because of one, by error code.',
    labelNames: ['upstream', 'code'] as const,
    registers: [this.registry],
  });
  private readonly duration = new Histogram({
    name: 'larder_request_duration_seconds',
    help: 'Time from the interceptor to the answer.',
    labelNames: ['upstream', 'outcome'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });

  constructor(events: CacheEvents, store: StoreHealth) {
    collectDefaultMetrics({ register: this.registry });
    events.subscribe((event) => this.count(event));
    this.gauge('larder_store_up', 'Whether the store can be used: 1, or 0 while Redis is down.', () =>
      store.get().isUp ? 1 : 0,
    );
    this.gauge('larder_l1_entries', 'Entries in memory in front of Redis.', () => store.get().l1Entries ?? 0);
    this.gauge('larder_l1_bytes', 'What they take, about.', () => store.get().l1Bytes ?? 0);
  }

  private count({ upstream, outcome, tier, failure, durationMs }: CacheEvent): void {
    this.requests.inc({ upstream, outcome, tier });
    this.duration.observe({ upstream, outcome }, durationMs / 1_000);
    if (failure !== undefined) this.failures.inc({ upstream, code: failure });
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
