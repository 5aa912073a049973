import { Injectable } from '@nestjs/common';
import { Counter, exponentialBuckets, Histogram } from 'prom-client';
import { CacheEvents, InvalidationChannel, StoreHealth, type CacheEvent } from '../cache';
import { FastPath, PreparedResponses } from '../cache/fast-path';
import { kindOfProblem } from '../kernel/problem-table';
import { countsBy, MetricRegistry } from './metric-registry';
import { OutcomeTable } from './outcome-table';

/** The code for a 5xx response of the upstream or of a handler, beside the codes of problems. */
const PASSED_ON = 'passed-on';
/** Classes may be made at run time: further methods count as `other`. */
const MAX_METHODS = 500;
/** 256 B to 16 MiB. */
const ENTRY_BYTES = exponentialBuckets(256, 4, 9);

/** The metrics of requests, methods, the store and the fast path. */
@Injectable()
export class CacheMetrics {
  private readonly outcomes = new OutcomeTable();
  private readonly failures: Counter<'upstream' | 'code' | 'status'>;

  constructor(
    registry: MetricRegistry,
    events: CacheEvents,
    store: StoreHealth,
    channel: InvalidationChannel,
    prepared: PreparedResponses,
    fastPath: FastPath,
  ) {
    const registers = [registry];
    this.failures = new Counter({
      name: 'larder_failures_total',
      help: 'Requests answered with an error, or with a stale response because of it, by error code and class of the status sent.',
      labelNames: ['upstream', 'code', 'status'] as const,
      registers,
    });
    const refreshFailures = new Counter({
      name: 'larder_refresh_failures_total',
      help: 'Background refreshes that failed, by error code; requests got stale responses.',
      labelNames: ['upstream', 'code'] as const,
      registers,
    });
    const methodCalls = new Counter({
      name: 'larder_method_calls_total',
      help: 'Calls of methods with @Cacheable, by outcome.',
      labelNames: ['method', 'outcome'] as const,
      registers,
    });
    const redisEntryBytes = new Histogram({
      name: 'larder_redis_entry_bytes',
      help: 'Size of each value stored in Redis for an entry, head and body, in bytes.',
      labelNames: ['upstream', 'kind'] as const,
      buckets: ENTRY_BYTES,
      registers,
    });
    const methods = new Set<string>();
    registry.counter('larder_requests_total', 'Requests to the cache, by outcome.', () => this.outcomes.counts());
    const durations = 'larder_request_duration_seconds';
    registry.register('histogram', durations, 'Duration of requests to the cache in seconds.', () =>
      this.outcomes.histogram(durations),
    );
    registry.counter(
      'larder_invalidation_messages_total',
      'Messages on the Redis channel of invalidations, by result.',
      () => countsBy('result', channel.counts),
    );
    registry.counter(
      'larder_bookkeeping_lost_total',
      'Bookkeeping in Redis that was evicted, deleted or replaced by older data; the entries concerned count as misses.',
      () => countsBy('what', events.bookkeepingLost),
    );
    events.subscribe((event) => this.count(event));
    events.onRefreshed(({ upstream, failure }) => {
      if (failure !== undefined) refreshFailures.inc({ upstream, code: failure });
    });
    events.onMethodCalled(({ method, outcome }) => {
      if (methods.size < MAX_METHODS) methods.add(method);
      methodCalls.inc({ method: methods.has(method) ? method : 'other', outcome });
    });
    events.onStored(({ bytes, ...labels }) => redisEntryBytes.observe(labels, bytes));
    const up = 'Whether the store can be used: 1, or 0 while Redis is down for any worker.';
    registry.gauge('larder_store_up', up, () => (store.get().isUp ? 1 : 0), 'min');
    registry.gauge('larder_l1_entries', 'Number of entries in memory (L1).', () => store.get().l1Entries ?? 0);
    registry.gauge('larder_l1_bytes', 'Estimated size of in-memory entries in bytes.', () => store.get().l1Bytes ?? 0);
    registry.gauge(
      'larder_prepared_responses_bytes',
      'Estimated size of prepared responses in memory, in addition to the entries, in bytes.',
      () => (store.get().l1PreparedBytes ?? 0) + prepared.bytes,
    );
    registry.gauge(
      'larder_hit_pointers_bytes',
      'Estimated size of the table that leads requests to their hits on the fast path, in bytes.',
      () => fastPath.bytes,
    );
    registry.gauge(
      'larder_stale_runway_seconds',
      'How long half of the recently used responses can still be served if the upstream fails now, in seconds; no sample without responses.',
      () => {
        const left = store.readRunway();
        return left && Math.round(left.p50 / 1_000);
      },
      'min',
    );
    registry.gauge(
      'larder_fast_path_routes_off',
      'Routes whose hits do not use the fast path, because a hook, middleware, guard or interceptor runs for them.',
      () => fastPath.routesOff,
      'max',
    );
  }

  private count(event: CacheEvent): void {
    this.outcomes.add(event);
    const { upstream, status: sent, failure = sent !== undefined && sent >= 500 ? PASSED_ON : undefined } = event;
    if (failure === undefined) return;
    const status = `${Math.floor((sent ?? kindOfProblem(failure).status) / 100)}xx`;
    this.failures.inc({ upstream, code: failure, status });
  }
}
