import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { EntryCount, InvalidationMessage } from '../cache';
import {
  ApiBearerAuth,
  ApiExcludeEndpoint,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiTags,
} from '../server/api-decorators';
import { ApiProblems, EXAMPLE_UPSTREAM } from '../server/api-docs';
import { AppError } from '../kernel/app-error';
import { AdminGuard } from './admin.guard';
import {
  countQuery,
  invalidationBody,
  listQuery,
  modeQuery,
  noQuery,
  purgeQuery,
  type CountQuery,
  type ListQuery,
  type ModeQuery,
  type PurgeQuery,
} from './admin.schemas';
import { AdminService } from './admin.service';
import type { AdminAction } from './admin-action';
import { EntriesService } from './entries.service';
import { SORT_FIELDS } from './entry-filter';
import { EntryCountDocument, EntryDetailsDocument, EntryPageDocument, InvalidatedDocument } from './entry.documents';
import { JsonBodyGuard } from './json-body.guard';
import { namedKeys } from './named-keys';

const KEY_PARAMETER = {
  name: 'path',
  type: String,
  example: `${EXAMPLE_UPSTREAM}:-:/users/redis`,
  description:
    'The key from `Cache-Status`, including its query. Percent-encoded or literal: both readings are tried. `%sha256:…` has to be encoded.',
};
const MODE_PARAMETER = {
  name: 'mode',
  required: false,
  enum: ['purge', 'stale'],
  description: '`stale`: kept for the case that the API fails, and validated before any other use.',
};
const ADMIN_PROBLEMS = ['admin-unauthorized', 'too-many-attempts', 'request-invalid', 'cache-unavailable'] as const;

/** Inspects the cache and invalidates. After a 2xx response no replica serves the old value. */
@ApiTags('admin')
@ApiBearerAuth('admin')
@Controller('admin/cache')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(
    private readonly admin: AdminService,
    private readonly entries: EntriesService,
  ) {}

  @Get('entries')
  @ApiOperation({ summary: 'Lists entries, a page at a time' })
  @ApiQuery({
    name: 'match',
    required: false,
    example: `${EXAMPLE_UPSTREAM}:*`,
    description: 'A glob over the keys: `*` and `?`.',
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    example: 100,
    description: '1 to 1000; a page may hold somewhat more or fewer.',
  })
  @ApiQuery({ name: 'cursor', required: false, description: 'Of the page before.' })
  @ApiQuery({ name: 'tag', required: false, description: 'Only entries that carry the tag: read from its index.' })
  @ApiQuery({ name: 'partition', required: false, description: '`-`: of callers without a credential.' })
  @ApiQuery({ name: 'status', required: false, type: Number })
  @ApiQuery({ name: 'freshness', required: false, enum: ['fresh', 'stale'] })
  @ApiQuery({ name: 'sort', required: false, enum: SORT_FIELDS, description: 'Within the page.' })
  @ApiQuery({ name: 'order', required: false, enum: ['asc', 'desc'] })
  @ApiOkResponse({ type: EntryPageDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  list(@Query({ schema: listQuery }) query: ListQuery): Promise<EntryPageDocument> {
    return this.entries.list(query);
  }

  @Get('entries/*')
  @ApiOperation({ summary: 'Shows one entry' })
  @ApiParam(KEY_PARAMETER)
  @ApiQuery({ name: 'body', required: false, enum: ['true', 'false'], description: 'The last of the parameters.' })
  @ApiOkResponse({ type: EntryDetailsDocument })
  @ApiProblems(...ADMIN_PROBLEMS, 'entry-not-found')
  async show(@Req() { raw }: FastifyRequest): Promise<EntryDetailsDocument> {
    const { keys, withBody } = namedKeys(raw.url ?? '');
    const entry = await this.entries.find(keys, withBody);
    if (!entry)
      throw new AppError(
        'entry-not-found',
        `Nothing is cached under "${keys.at(-1) ?? ''}". GET /admin/cache/entries lists the keys.`,
      );
    return entry;
  }

  @Get('count')
  @ApiOperation({ summary: 'Counts what an invalidation would meet' })
  @ApiQuery({ name: 'key', required: false })
  @ApiQuery({ name: 'tag', required: false })
  @ApiQuery({ name: 'account', required: false, example: 'redis' })
  @ApiQuery({ name: 'prefix', required: false })
  @ApiQuery({ name: 'all', required: false, enum: ['true'] })
  @ApiOkResponse({ type: EntryCountDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  count(@Query({ schema: countQuery }) query: CountQuery): Promise<EntryCount> {
    return this.entries.count(query);
  }

  @Delete('entries/*')
  @ApiOperation({ summary: 'Invalidates one key' })
  @ApiQuery(MODE_PARAMETER)
  @ApiParam(KEY_PARAMETER)
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteEntry(@Req() request: FastifyRequest): Promise<InvalidatedDocument> {
    const { keys, mode } = namedKeys(request.raw.url ?? '');
    return this.admin.invalidate({ keys: [...keys], mode }, actionOf(request));
  }

  @Delete('accounts/:account')
  @ApiOperation({ summary: 'Invalidates everything stored for an account' })
  @ApiQuery(MODE_PARAMETER)
  @ApiParam({ name: 'account', type: String, example: 'redis' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteAccount(
    @Param('account') account: string,
    @Query({ schema: modeQuery }) { mode }: ModeQuery,
    @Req() request: FastifyRequest,
  ): Promise<InvalidatedDocument> {
    return this.admin.invalidate({ accounts: [account], mode }, actionOf(request));
  }

  @Delete('tags/*')
  @ApiOperation({ summary: 'Invalidates all entries that carry a tag' })
  @ApiQuery(MODE_PARAMETER)
  @ApiParam({ name: 'path', type: String, description: 'The tag.', example: 'account:redis' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteTag(
    @Query({ schema: modeQuery }) { mode }: ModeQuery,
    @Req() request: FastifyRequest,
  ): Promise<InvalidatedDocument> {
    const { keys } = namedKeys(request.raw.url?.split('?', 1)[0] ?? '');
    return this.admin.invalidate({ tags: [...keys], mode }, actionOf(request));
  }

  @Delete(['entries', 'tags', 'accounts'])
  @ApiExcludeEndpoint()
  deleteUnnamed(): never {
    throw new AppError(
      'request-invalid',
      'Name what to invalidate: DELETE /admin/cache/entries/KEY, /admin/cache/tags/TAG or /admin/cache/accounts/ACCOUNT.',
    );
  }

  @Delete()
  @ApiOperation({ summary: 'Invalidates by prefix of the key, or everything' })
  @ApiQuery(MODE_PARAMETER)
  @ApiQuery({ name: 'prefix', required: false, example: `${EXAMPLE_UPSTREAM}:` })
  @ApiQuery({ name: 'all', required: false, enum: ['true'], description: 'Instead of a prefix.' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  deleteMany(
    @Query({ schema: purgeQuery }) { prefix = '', mode }: PurgeQuery,
    @Req() request: FastifyRequest,
  ): Promise<InvalidatedDocument> {
    return this.admin.invalidate({ prefixes: [prefix], mode }, actionOf(request));
  }

  @Post('invalidations')
  @UseGuards(JsonBodyGuard)
  @HttpCode(200)
  @ApiOperation({ summary: 'Invalidates a batch of keys, tags, accounts and prefixes' })
  @ApiOkResponse({ type: InvalidatedDocument })
  @ApiProblems(...ADMIN_PROBLEMS)
  invalidate(
    @Query({ schema: noQuery }) _query: object,
    @Body({ schema: invalidationBody }) message: InvalidationMessage,
    @Req() request: FastifyRequest,
  ): Promise<InvalidatedDocument> {
    return this.admin.invalidate(message, actionOf(request));
  }
}

/** @throws Error for a route without `AdminGuard` */
function actionOf({ adminAction }: FastifyRequest): AdminAction {
  if (!adminAction) throw new Error('The request has not passed AdminGuard.');
  return adminAction;
}
