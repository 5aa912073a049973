import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '../server/api-decorators';
import { ApiProblems, EXAMPLE_UPSTREAM } from '../server/api-docs';
import { MetricRegistry } from './metric-registry';

@ApiTags('operations')
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: MetricRegistry) {}

  @Get()
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @ApiOperation({ summary: 'Prometheus metrics, of all workers together' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ example: `larder_requests_total{upstream="${EXAMPLE_UPSTREAM}",outcome="HIT",tier="l1"} 1` })
  @ApiProblems('request-invalid')
  read(): Promise<string> {
    return this.metrics.read();
  }
}
