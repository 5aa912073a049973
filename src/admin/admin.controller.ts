import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { InvalidationMessage } from '../cache';
import { ApiProblems } from '../http/api-docs';
import { AppError } from '../kernel/app-error';
import { AdminGuard } from './admin.guard';
import { EntryDocument, EntryPageDocument, InvalidatedDocument } from './admin.documents';
import { invalidationBody, listQuery, purgeQuery, type ListQuery, type PurgeQuery } from './admin.schemas';
import { AdminService, type EntryPage, type Invalidated } from './admin.service';
import type { EntryView } from './entry-view';
import { JsonBodyGuard } from './json-body.guard';
import { namedKeys } from './named-keys';

const KEY_PARAMETER = {
  name: 'path',
  type: String,
  example: 'github:-:/users/redis',
  description:
    'The key as `Cache-Status` has it, its query too. Percent-encoded or as it is: both readings are looked for.',
};
const ADMIN_PROBLEMS = ['admin-unauthorized', 'too-many-attempts', 'request-invalid', 'cache-unavailable'] as const;

/** Looks into the cache and invalidates. What is answered 2xx is done: no replica answers the old value from then on. */
@ApiTags('admin')
@ApiBearerAuth('admin')
@Controller('admin/cache')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(private readonly admin: AdminService) {}

  @Get('entries')
  @ApiOperation({ summary: 'Lists entries, a page at a time' })
  @ApiQuery({ name: 'match', required: false, example: 'github:*', description: 'A glob over the keys: `*` and `?`.' })
  @ApiQuery({
    name: 'limit',
    required: false,
    example: 100,
    description: '1 to 1000; a page may hold somewhat more or fewer.',
  })
  @ApiQuery({ name: 'cursor', required: false, description: 'Of the page before.' })
  @ApiOkResponse({ type: EntryPageDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  list(@Query({ schema: listQuery }) query: ListQuery): Promise<EntryPage> {
    return this.admin.list(query);
  }

  @Get('entries/*')
  @ApiOperation({ summary: 'Shows one entry' })
  @ApiParam(KEY_PARAMETER)
  @ApiOkResponse({ type: EntryDocument })
  @ApiProblems(...ADMIN_PROBLEMS, 'entry-not-found')
  async show(@Req() { raw }: FastifyRequest): Promise<EntryView> {
    const keys = namedKeys(raw.url ?? '');
    const entry = await this.admin.find(keys);
    if (!entry)
      throw new AppError(
        'entry-not-found',
        `Nothing is cached under "${keys.at(-1) ?? ''}". GET /admin/cache/entries lists the keys.`,
      );
    return entry;
  }

  @Delete('entries/*')
  @ApiOperation({ summary: 'Invalidates one key' })
  @ApiParam(KEY_PARAMETER)
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteEntry(@Req() { raw }: FastifyRequest): Promise<Invalidated> {
    return this.admin.invalidateKeys(namedKeys(raw.url ?? ''));
  }

  @Delete('accounts/:account')
  @ApiOperation({ summary: 'Invalidates all that is known of an account' })
  @ApiParam({ name: 'account', type: String, example: 'redis' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteAccount(@Param('account') account: string): Promise<Invalidated> {
    return this.admin.invalidateAccount(account);
  }

  @Delete('tags/*')
  @ApiOperation({ summary: 'Invalidates all entries that carry a tag' })
  @ApiParam({ name: 'path', type: String, description: 'The tag.', example: 'account:redis' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteTag(@Req() { raw }: FastifyRequest): Promise<Invalidated> {
    return this.admin.invalidateTags(namedKeys(raw.url ?? ''));
  }

  @Delete()
  @ApiOperation({ summary: 'Invalidates by prefix of the key, or everything' })
  @ApiQuery({ name: 'prefix', required: false, example: 'github:' })
  @ApiQuery({ name: 'all', required: false, enum: ['true'], description: 'Instead of a prefix.' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteMany(@Query({ schema: purgeQuery }) query: PurgeQuery): Promise<Invalidated> {
    return this.admin.invalidatePrefix(query.prefix ?? '');
  }

  @Post('invalidations')
  @UseGuards(JsonBodyGuard)
  @HttpCode(200)
  @ApiOperation({ summary: 'Invalidates a batch of keys, tags, accounts and prefixes' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  invalidate(@Body({ schema: invalidationBody }) message: InvalidationMessage): Promise<Invalidated> {
    return this.admin.invalidateBatch(message);
  }
}
