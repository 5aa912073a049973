import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '../server/api-decorators';
import { ApiProblems, EXAMPLE_UPSTREAM } from '../server/api-docs';
import { AppError } from '../kernel/app-error';
import { Clock } from '../kernel/clock';
import { Upstreams } from '../upstream';
import { AdminGuard } from './admin.guard';
import { noQuery } from './admin.schemas';
import { BudgetDocument } from './budget.documents';
import { budgetView } from './budget-view';

/** The remaining rate limits of an upstream, and the requests that the cache has saved. */
@ApiTags('admin')
@ApiBearerAuth('admin')
@Controller()
@UseGuards(AdminGuard)
export class BudgetController {
  constructor(
    private readonly upstreams: Upstreams,
    private readonly clock: Clock,
  ) {}

  @Get(':upstream-budget')
  @ApiOperation({ summary: 'The remaining rate limits of the upstream, by credential' })
  @ApiParam({ name: 'upstream', type: String, example: EXAMPLE_UPSTREAM })
  @ApiOkResponse({ type: BudgetDocument })
  @ApiProblems('admin-unauthorized', 'too-many-attempts', 'request-invalid', 'route-not-found')
  async show(@Query({ schema: noQuery }) _query: object, @Param('upstream') upstream: string): Promise<BudgetDocument> {
    const found = this.upstreams.all().find(({ definition }) => definition.name === upstream);
    if (!found) {
      const known = this.upstreams.all().map(({ definition }) => `/${definition.name}-budget`);
      const others = known.length === 0 ? '' : ` There is ${known.join(', ')}.`;
      throw new AppError('route-not-found', `There is no such budget.${others}`);
    }
    const { budget } = found;
    return budgetView(budget, await budget.shared.list(), this.clock.now());
  }
}
