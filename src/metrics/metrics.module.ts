import { Module } from '@nestjs/common';
import { CacheMetrics } from './cache.metrics';
import { MetricRegistry } from './metric-registry';
import { MetricsController } from './metrics.controller';
import { OutcomeLog } from './outcome.log';
import { OutcomeSpan } from './outcome.span';
import { RefreshLog } from './refresh.log';
import { UpstreamMetrics } from './upstream.metrics';

/** Listens to the outcomes of the cache, which knows nothing of it. */
@Module({
  controllers: [MetricsController],
  providers: [MetricRegistry, CacheMetrics, UpstreamMetrics, OutcomeLog, OutcomeSpan, RefreshLog],
})
export class MetricsModule {
  // asked for, so that all listen from the start
  constructor(
    readonly metrics: CacheMetrics,
    readonly upstreams: UpstreamMetrics,
    readonly log: OutcomeLog,
    readonly spans: OutcomeSpan,
    readonly refreshes: RefreshLog,
  ) {}
}
