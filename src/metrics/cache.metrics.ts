import { Injectable } from '@nestjs/common';
import {
  collectDefaultMetrics,
  Counter,
  exponentialBuckets,
  Histogram,
  Registry,
  type Aggregator,
  type Metric,
} from 'prom-client';
import { OutcomeTable, type Sample } from './outcome-table';
import { BUDGET_DIMENSIONS, Upstreams, type ResourceLimit } from '../upstream';
import { AppError } from '../kernel/app-error';
import { Clock } from '../kernel/clock';
import { kindOfProblem } from '../kernel/problem-table';
import { requestAllMetrics, isWorker, serveOwnMetrics } from '../workers/worker-channel';
import { CacheEvents, InvalidationChannel, StoreHealth, type CacheEvent } from '../cache';
import { FastPath, PreparedResponses } from '../cache/fast-path';

const MAX_CREDENTIALS = 100;
/** The code for a 5xx response of the upstream or of a handler, beside the codes of problems. */
const PASSED_ON = 'passed-on';
/** Classes may be made at run time: further methods count as `other`. */
const MAX_METHODS = 500;
/** Gauges of the library that are named like counters; their parts, without `_total`, stay. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];
/** 256 B to 16 MiB. */
const ENTRY_BYTES = exponentialBuckets(256, 4, 9);

/** Prometheus metrics, in a registry of their own: nothing global, so that two applications in one process do not meet. */
@Injectable()
export class CacheMetrics {
  readonly registry = new Registry();
  private readonly outcomes = new OutcomeTable();
  private readonly failures = new Counter({
    name: 'larder_failures_total',
    help: 'Requests answered with an error, or with a stale response because of it, by error code and class of the status sent.',
    labelNames: ['upstream', 'code', 'status'] as const,
    registers: [this.registry],
  });
  private readonly refreshFailures = new Counter({
    name: 'larder_refresh_failures_total',
    help: 'Background refreshes that failed, by error code; requests got stale responses.',
    labelNames: ['upstream', 'code'] as const,
    registers: [this.registry],
  });
  private readonly methodCalls = new Counter({
    name: 'larder_method_calls_total',
    help: 'Calls of methods with @Cacheable, by outcome.',
    labelNames: ['method', 'outcome'] as const,
    registers: [this.registry],
  });
  private readonly methods = new Set<string>();
  private readonly redisEntryBytes = new Histogram({
    name: 'larder_redis_entry_bytes',
    help: 'Size of each value stored in Redis for an entry, head and body, in bytes.',
    labelNames: ['upstream', 'kind'] as const,
    buckets: ENTRY_BYTES,
    registers: [this.registry],
  });

  constructor(
    events: CacheEvents,
    store: StoreHealth,
    channel: InvalidationChannel,
    prepared: PreparedResponses,
    fastPath: FastPath,
    private readonly upstreams: Upstreams,
    private readonly clock: Clock,
  ) {
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
    if (isWorker()) serveOwnMetrics(() => this.registry.getMetricsAsJSON());
    this.counter('larder_requests_total', 'Requests to the cache, by outcome.', () => this.outcomes.counts());
    const durations = 'larder_request_duration_seconds';
    this.register('histogram', durations, 'Duration of requests to the cache in seconds.', () =>
      this.outcomes.histogram(durations),
    );
    this.counter(
      'larder_invalidation_messages_total',
      'Messages on the Redis channel of invalidations, by result.',
      () => countsBy('result', channel.counts),
    );
    this.counter('larder_webhook_deliveries_total', 'Webhook deliveries, by result.', () =>
      upstreams
        .all()
        .flatMap(({ definition: { name: upstream }, deliveries }) =>
          deliveries.all().map(({ count, ...labels }) => ({ labels: { upstream, ...labels }, value: count })),
        ),
    );
    this.counter(
      'larder_bookkeeping_lost_total',
      'Bookkeeping in Redis that was evicted, deleted or replaced by older data; the entries concerned count as misses.',
      () => countsBy('what', events.bookkeepingLost),
    );
    this.registerBudgets();
    events.subscribe((event) => this.count(event));
    events.onRefreshed(({ upstream, failure }) => {
      if (failure !== undefined) this.refreshFailures.inc({ upstream, code: failure });
    });
    events.onMethodCalled(({ method, outcome }) => {
      if (this.methods.size < MAX_METHODS) this.methods.add(method);
      this.methodCalls.inc({ method: this.methods.has(method) ? method : 'other', outcome });
    });
    events.onStored(({ bytes, ...labels }) => this.redisEntryBytes.observe(labels, bytes));
    const up = 'Whether the store can be used: 1, or 0 while Redis is down for any worker.';
    this.gauge('larder_store_up', up, () => (store.get().isUp ? 1 : 0), 'min');
    this.gauge('larder_l1_entries', 'Number of entries in memory (L1).', () => store.get().l1Entries ?? 0);
    this.gauge('larder_l1_bytes', 'Estimated size of in-memory entries in bytes.', () => store.get().l1Bytes ?? 0);
    this.gauge(
      'larder_prepared_responses_bytes',
      'Estimated size of prepared responses in memory, in addition to the entries, in bytes.',
      () => (store.get().l1PreparedBytes ?? 0) + prepared.bytes,
    );
    this.gauge(
      'larder_hit_pointers_bytes',
      'Estimated size of the table that leads requests to their hits on the fast path, in bytes.',
      () => fastPath.bytes,
    );
    this.gauge(
      'larder_stale_runway_seconds',
      'How long half of the recently used responses can still be served if the upstream fails now, in seconds; no sample without responses.',
      () => {
        const left = store.readRunway(clock.now());
        return left && Math.round(left.p50 / 1_000);
      },
      'min',
    );
    this.gauge(
      'larder_fast_path_routes_off',
      'Routes whose hits do not use the fast path, because a hook, middleware, guard or interceptor runs for them.',
      () => fastPath.routesOff,
      'max',
    );
  }

  /** All metrics as a text; of all workers where there are several. */
  async read(): Promise<string> {
    if (!isWorker()) return this.registry.metrics();
    try {
      return await requestAllMetrics();
    } catch (error) {
      const message = 'The primary process did not return the metrics in time. Try again shortly.';
      throw new AppError('deadline-exceeded', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  private count(event: CacheEvent): void {
    this.outcomes.add(event);
    const { upstream, status: sent, failure = sent !== undefined && sent >= 500 ? PASSED_ON : undefined } = event;
    if (failure === undefined) return;
    const status = `${Math.floor((sent ?? kindOfProblem(failure).status) / 100)}xx`;
    this.failures.inc({ upstream, code: failure, status });
  }

  /** The requests sent to upstreams, the requests saved, and the remaining limits. */
  private registerBudgets(): void {
    const { upstreams } = this;
    this.counter(
      'larder_upstream_requests_total',
      'Requests to the upstream, including requests held back for its rate limit, by result.',
      () =>
        upstreams.all().flatMap(({ definition: { name: upstream }, budget: { counts } }) => [
          { labels: { upstream, result: 'answered' }, value: counts.sent - counts.notModified },
          { labels: { upstream, result: 'not_modified' }, value: counts.notModified },
          { labels: { upstream, result: 'held_back' }, value: counts.heldBack },
        ]),
    );
    this.register(
      'gauge',
      'larder_upstream_requests_in_flight',
      'Current requests to the upstream, in progress (active) or queued (waiting).',
      () =>
        upstreams.all().flatMap(({ definition: { name: upstream }, budget: { load } }) => [
          { labels: { upstream, state: 'active' }, value: load.active },
          { labels: { upstream, state: 'waiting' }, value: load.waiting },
        ]),
      'sum',
    );
    for (const by of BUDGET_DIMENSIONS)
      this.counter(
        `larder_upstream_requests_by_${by}_total`,
        `Requests to the upstream by ${by}; at most 100 by name, the rest as other.`,
        () =>
          upstreams
            .all()
            .flatMap(({ definition: { name: upstream }, budget: { users } }) =>
              users.by(by).map(([name, value]) => ({ labels: { upstream, [by]: name }, value })),
            ),
      );
    this.counter('larder_upstream_requests_saved_total', 'Requests answered without a request to the upstream.', () =>
      upstreams
        .all()
        .flatMap(({ definition: { name: upstream }, budget }) => countsBy('by', budget.savings, { upstream })),
    );
    this.limitGauge('larder_rate_limit', 'Rate limit as the upstream last announced it.', ({ limit }) => limit);
    this.limitGauge(
      'larder_rate_limit_remaining',
      'Remaining requests of the rate limit.',
      ({ remaining }) => remaining,
    );
    this.limitGauge(
      'larder_rate_limit_reset_timestamp_seconds',
      'Unix time when the rate limit resets.',
      ({ resetAt }) => Math.ceil(resetAt / 1_000),
    );
  }

  /**
   * By credential (a partition's id, never a token) and resource, while its window lasts; for the most recent credentials only, because labels cost memory. Each worker
   * knows a limit by its own responses: the minimum is the best estimate.
   */
  private limitGauge(name: string, help: string, read: (limit: ResourceLimit) => number): void {
    this.register('gauge', name, help, () =>
      this.upstreams
        .limits(MAX_CREDENTIALS, this.clock.now())
        .map(({ limit, ...labels }) => ({ labels, value: read(limit) })),
    );
  }

  private counter(name: string, help: string, read: () => Sample[]): void {
    this.register('counter', name, help, read);
  }

  /** @param read undefined for no sample */
  private gauge(name: string, help: string, read: () => number | undefined, aggregator: Aggregator = 'sum'): void {
    const sample = (): Sample[] => {
      const value = read();
      return value === undefined ? [] : [{ labels: {}, value }];
    };
    this.register('gauge', name, help, sample, aggregator);
  }

  /** A metric of our own in the library's registry, which asks for its samples at a scrape. */
  private register(
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
    this.registry.registerMetric(metric as unknown as Metric);
  }
}

/** A sample for each member. */
function countsBy(label: string, counts: object, labels: Sample['labels'] = {}): Sample[] {
  return (Object.entries(counts) as [string, number][]).map(([name, value]) => ({
    ...{ labels: { ...labels, [label]: name }, value },
  }));
}
