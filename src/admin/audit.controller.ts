import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '../server/api-decorators';
import { ApiProblems } from '../server/api-docs';
import { AdminGuard } from './admin.guard';
import { auditQuery, type AuditQuery } from './admin.schemas';
import { AuditTrail } from './audit-trail';
import { AuditDocument } from './entry.documents';

/** The log of invalidations. */
@ApiTags('admin')
@ApiBearerAuth('admin')
@Controller('admin/audit')
@UseGuards(AdminGuard)
export class AuditController {
  constructor(private readonly trail: AuditTrail) {}

  @Get()
  @ApiOperation({ summary: 'The latest invalidations by admins on all replicas, newest first; 500 are kept' })
  @ApiQuery({ name: 'limit', required: false, example: 100, description: '1 to 500.' })
  @ApiOkResponse({ type: AuditDocument })
  @ApiProblems('admin-unauthorized', 'too-many-attempts', 'request-invalid')
  async list(@Query({ schema: auditQuery }) { limit }: AuditQuery): Promise<AuditDocument> {
    return { items: await this.trail.list(limit) };
  }
}
