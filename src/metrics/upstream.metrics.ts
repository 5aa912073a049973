import { Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock';
import { BUDGET_DIMENSIONS, Upstreams, type ResourceLimit } from '../upstream';
import { countsBy, MetricRegistry } from './metric-registry';

const MAX_CREDENTIALS = 100;

/** The metrics of upstreams: the requests sent to them, the requests saved, the remaining limits, and webhook deliveries. */
@Injectable()
export class UpstreamMetrics {
  constructor(
    private readonly registry: MetricRegistry,
    private readonly upstreams: Upstreams,
    private readonly clock: Clock,
  ) {
    registry.counter('larder_webhook_deliveries_total', 'Webhook deliveries, by result.', () =>
      upstreams
        .all()
        .flatMap(({ definition: { name: upstream }, deliveries }) =>
          deliveries.all().map(({ count, ...labels }) => ({ labels: { upstream, ...labels }, value: count })),
        ),
    );
    registry.counter(
      'larder_upstream_requests_total',
      'Requests to the upstream, including requests held back for its rate limit, by result.',
      () =>
        upstreams.all().flatMap(({ definition: { name: upstream }, budget: { counts } }) => [
          { labels: { upstream, result: 'answered' }, value: counts.sent - counts.notModified },
          { labels: { upstream, result: 'not_modified' }, value: counts.notModified },
          { labels: { upstream, result: 'held_back' }, value: counts.heldBack },
        ]),
    );
    registry.register(
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
      registry.counter(
        `larder_upstream_requests_by_${by}_total`,
        `Requests to the upstream by ${by}; at most 100 by name, the rest as other.`,
        () =>
          upstreams
            .all()
            .flatMap(({ definition: { name: upstream }, budget: { users } }) =>
              users.by(by).map(([name, value]) => ({ labels: { upstream, [by]: name }, value })),
            ),
      );
    registry.counter(
      'larder_upstream_requests_saved_total',
      'Requests answered without a request to the upstream.',
      () =>
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
    this.registry.register('gauge', name, help, () =>
      this.upstreams
        .limits(MAX_CREDENTIALS, this.clock.now())
        .map(({ limit, ...labels }) => ({ labels, value: read(limit) })),
    );
  }
}
