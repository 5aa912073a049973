import type { CacheEvent } from '../cache';

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

interface Row {
  readonly labels: Readonly<Pick<CacheEvent, 'upstream' | 'outcome' | 'tier'>>;
  /** The count of each bucket alone; one more for values above the last. */
  readonly buckets: Float64Array;
  count: number;
  sumSeconds: number;
}

/** One value of a metric, as prom-client's registry formats it. */
export interface Sample {
  /** Of a histogram: with `_bucket`, `_sum` or `_count`; else the metric's own. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Counts and durations of requests by upstream, outcome and tier: plain numbers in a table, because every hit is counted here and must
 * cost next to nothing; read only for a scrape.
 */
export class OutcomeTable {
  private readonly rows = new Map<string, Row>();
  /** The row of the event before: the next one is most often of the same kind. */
  private last: Row | undefined;

  add(event: CacheEvent): void {
    const row = this.rowOf(event);
    const seconds = event.durationMs / 1_000;
    row.count += 1;
    row.sumSeconds += seconds;
    let at = 0;
    while (at < BUCKETS.length && seconds > (BUCKETS[at] ?? 0)) at++;
    row.buckets[at] = (row.buckets[at] ?? 0) + 1;
  }

  counts(): Sample[] {
    return [...this.rows.values()].map(({ labels, count }) => ({ labels, value: count }));
  }

  /** Cumulative buckets, sum and count, as a Prometheus histogram has them. */
  histogram(metricName: string): Sample[] {
    return [...this.rows.values()].flatMap(({ labels, buckets, count, sumSeconds }) => [
      ...BUCKETS.map((le, at) => ({
        metricName: `${metricName}_bucket`,
        labels: { ...labels, le },
        value: buckets.subarray(0, at + 1).reduce((sum, count) => sum + count, 0),
      })),
      { metricName: `${metricName}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
      { metricName: `${metricName}_sum`, labels, value: sumSeconds },
      { metricName: `${metricName}_count`, labels, value: count },
    ]);
  }

  private rowOf({ upstream, outcome, tier }: CacheEvent): Row {
    const last = this.last?.labels;
    if (this.last && last?.outcome === outcome && last.tier === tier && last.upstream === upstream) return this.last;
    const name = `${upstream} ${outcome} ${tier}`;
    let row = this.rows.get(name);
    if (row === undefined) {
      const buckets = new Float64Array(BUCKETS.length + 1);
      row = { labels: { upstream, outcome, tier }, buckets, count: 0, sumSeconds: 0 };
      this.rows.set(name, row);
    }
    this.last = row;
    return row;
  }
}
