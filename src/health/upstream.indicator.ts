import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { Breakers } from '../upstream';

/**
 * The circuit breaker of each upstream. An open one is not a reason to restart the service or to send it no requests: stored responses are
 * served.
 */
@Injectable()
export class UpstreamIndicator {
  constructor(private readonly breakers: Breakers) {}

  check(): HealthIndicatorResult {
    const upstreams = this.breakers.all().map(({ upstream, state }) => [upstream, { status: 'up', breaker: state }]);
    return Object.fromEntries(upstreams) as HealthIndicatorResult;
  }
}
