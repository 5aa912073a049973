import { Module } from '@nestjs/common';
import { CacheMetrics } from './cache.metrics';
import { MetricsController } from './metrics.controller';
import { OutcomeLog } from './outcome.log';
import { OutcomeSpan } from './outcome.span';
import { RefreshLog } from './refresh.log';

/** Listens to the outcomes of the cache, which knows nothing of it. */
@Module({ controllers: [MetricsController], providers: [CacheMetrics, OutcomeLog, OutcomeSpan, RefreshLog] })
export class MetricsModule {
  // asked for, so that all listen from the start
  constructor(
    readonly metrics: CacheMetrics,
    readonly log: OutcomeLog,
    readonly spans: OutcomeSpan,
    readonly refreshes: RefreshLog,
  ) {}
}
