import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { ApiProblems } from '../http/api-docs';
import { StoreIndicator } from './store.indicator';

const store = { status: 'up', state: 'degraded', store: 'redis', problem: 'no answer within 100 ms' };

/** Redis down is degraded, not dead: the service answers from memory and the API, and must not be restarted for it. */
@ApiTags('operations')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly store: StoreIndicator,
  ) {}

  @Get()
  @ApiOperation({ summary: 'How the service and its store are; 200 also while Redis is down' })
  @ApiOkResponse({
    description: '`details.store.state` is `up` or `degraded`, with the reason.',
    example: { status: 'ok', info: { store }, error: {}, details: { store } },
  })
  @ApiProblems('request-invalid')
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.store.check()]);
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
}
