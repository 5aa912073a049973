import { Controller, Get } from '@nestjs/common';
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { StoreHealth } from '../cache';
import { ApiOkResponse, ApiOperation, ApiTags } from '../server/api-decorators';
import { ApiProblems } from '../server/api-docs';
import { Upstreams } from '../upstream';

const store = { status: 'up', state: 'degraded', store: 'redis', problem: 'no answer within 100 ms' };

/** Redis down is degraded, not dead: the service answers from memory and the API, and must not be restarted for it. */
@ApiTags('operations')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly store: StoreHealth,
    private readonly upstreams: Upstreams,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'How the service, its store and its upstreams are; 200 also while Redis or an upstream is down',
  })
  @ApiOkResponse({
    description:
      '`details.store.state` is `up` or `degraded`, with the reason. Each upstream has its `breaker`: `closed`, `half-open` or `open`.',
    example: { status: 'ok', info: { store }, error: {}, details: { store } },
  })
  @ApiProblems('request-invalid')
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.checkStore(), () => this.checkUpstreams()]);
  }

  @Get('live')
  @ApiOperation({ summary: 'Whether the process answers at all' })
  @ApiOkResponse({ example: { status: 'ok' } })
  @ApiProblems('request-invalid')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({ summary: 'Whether it can take requests' })
  @ApiOkResponse({ example: { status: 'ok', info: { store }, error: {}, details: { store } } })
  @ApiProblems('request-invalid')
  ready(): Promise<HealthCheckResult> {
    return this.check();
  }

  private checkStore(): HealthIndicatorResult {
    const { isUp, ...state } = this.store.get();
    return this.indicators.check('store').up({ state: isUp ? 'up' : 'degraded', ...state });
  }

  /** An open breaker is not a reason to restart the service or to send it no requests: stored responses are served. */
  private checkUpstreams(): HealthIndicatorResult {
    const indicated = this.upstreams
      .all()
      .map(({ definition, breaker }) => [definition.name, { status: 'up', breaker: breaker.state }]);
    return Object.fromEntries(indicated) as HealthIndicatorResult;
  }
}
