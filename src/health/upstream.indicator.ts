import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { Upstreams } from '../upstream';

/**
 * The circuit breaker of each upstream. An open one is not a reason to restart the service or to send it no requests: stored responses are
 * served.
 */
@Injectable()
export class UpstreamIndicator {
  constructor(private readonly upstreams: Upstreams) {}

  check(): HealthIndicatorResult {
    const indicated = this.upstreams
      .all()
      .map(({ definition, breaker }) => [definition.name, { status: 'up', breaker: breaker.state }]);
    return Object.fromEntries(indicated) as HealthIndicatorResult;
  }
}
