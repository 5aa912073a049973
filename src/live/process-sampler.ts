import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { CacheEvents, StoreHealth, type CacheEvent, type CacheOutcome } from '../cache';
import { cacheConfig } from '../config/slices';
import { Clock } from '../kernel/clock';
import { serviceVersion } from '../kernel/project-root';
import { Upstreams } from '../upstream';
import { isWorker } from '../workers/worker-channel';
import { BUCKETS, bucketOf } from './latency-histogram';
import type { ProcessSample } from './process-sample';

/** How often Redis is asked for its size, and the entries in memory for their runway, in milliseconds. */
const MEASURE_EVERY_MS = 5_000;
const MAX_CREDENTIALS = 20;
const MAX_BUDGETS = 100;

interface Totals {
  readonly calls: number;
  readonly notModified: number;
  readonly saved: number;
}

type Measured = Pick<ProcessSample, 'runwayMs'> & Pick<ProcessSample['store'], 'usedBytes' | 'entries'>;

const NOTHING_MEASURED: Measured = { runwayMs: null, usedBytes: null, entries: null };

/**
 * Counts the requests of this process, a second at a time. It listens to outcomes only between `start` and `stop`: without a viewer it
 * costs nothing.
 */
@Injectable()
export class ProcessSampler {
  private readonly counts = new Map<CacheOutcome, Uint32Array>();
  private readonly version = serviceVersion();
  private readonly startedAt: number;
  private unsubscribe: (() => void) | undefined;
  private before: Totals = { calls: 0, notModified: 0, saved: 0 };
  private measured = NOTHING_MEASURED;
  private measuredAt = -Infinity;

  constructor(
    private readonly events: CacheEvents,
    private readonly health: StoreHealth,
    private readonly upstreams: Upstreams,
    private readonly clock: Clock,
    @Inject(cacheConfig.KEY) private readonly settings: ConfigType<typeof cacheConfig>,
  ) {
    this.startedAt = Math.round(clock.now() - process.uptime() * 1_000);
  }

  start(): void {
    if (this.unsubscribe) return;
    this.counts.clear();
    this.before = this.totals();
    this.unsubscribe = this.events.subscribe((event) => this.count(event));
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
    this.measured = NOTHING_MEASURED;
    this.measuredAt = -Infinity;
  }

  /** The counts since the last call, as those of the second `at`. */
  take(replica: string, at: number): ProcessSample {
    this.measureSometimes();
    const requests: Record<string, number> = {};
    const latency: Record<string, number[]> = {};
    for (const [outcome, counts] of this.counts) {
      const pairs: number[] = [];
      let total = 0;
      counts.forEach((count, bucket) => {
        if (count > 0) pairs.push(bucket, count);
        total += count;
      });
      if (total === 0) continue;
      requests[outcome] = total;
      latency[outcome] = pairs;
      counts.fill(0);
    }
    const { usedBytes, entries, runwayMs } = this.measured;
    const { store: kind, isUp, problem, l1Entries = 0, l1Bytes = 0 } = this.health.get();
    return {
      ...{ replica, pid: isWorker() ? process.ppid : process.pid, startedAt: this.startedAt, version: this.version },
      ...{ at, requests, latency },
      upstream: this.takeUpstream(),
      l1: { entries: l1Entries, bytes: l1Bytes, maxBytes: this.settings.l1.maxBytes },
      store: { kind, isUp, problem: problem ?? null, usedBytes, entries },
      budgets: this.readBudgets(),
      breakers: this.upstreams
        .all()
        .map(({ definition, breaker }) => ({ upstream: definition.name, state: breaker.state })),
      runwayMs,
    };
  }

  private count({ outcome, durationMs }: CacheEvent): void {
    let counts = this.counts.get(outcome);
    if (!counts) {
      counts = new Uint32Array(BUCKETS);
      this.counts.set(outcome, counts);
    }
    const bucket = bucketOf(durationMs);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }

  private takeUpstream(): Totals {
    const { before } = this;
    const now = this.totals();
    this.before = now;
    return {
      calls: now.calls - before.calls,
      notModified: now.notModified - before.notModified,
      saved: now.saved - before.saved,
    };
  }

  private totals(): Totals {
    let totals = { calls: 0, notModified: 0, saved: 0 };
    for (const { budget } of this.upstreams.all()) {
      const { counts, savings } = budget;
      totals = {
        calls: totals.calls + counts.sent,
        notModified: totals.notModified + counts.notModified,
        saved: totals.saved + savings.stored + savings.collapsed,
      };
    }
    return totals;
  }

  private readBudgets(): ProcessSample['budgets'] {
    return this.upstreams
      .limits(MAX_CREDENTIALS, this.clock.now())
      .slice(0, MAX_BUDGETS)
      .map(({ limit: { limit, remaining, resetAt }, ...names }) => ({ ...names, limit, remaining, resetAt }));
  }

  /** In the background: a slow Redis holds no sample up. */
  private measureSometimes(): void {
    const now = performance.now();
    if (now - this.measuredAt < MEASURE_EVERY_MS) return;
    this.measuredAt = now;
    const runwayMs = this.health.readRunway() ?? null;
    this.measured = { ...this.measured, runwayMs };
    void this.health.readUsage().then((usage) => {
      if (this.unsubscribe)
        this.measured = { runwayMs, usedBytes: usage?.usedBytes ?? null, entries: usage?.entries ?? null };
    });
  }
}
