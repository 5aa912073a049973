import { Controller, Get, Param, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  CacheRule,
  IsBackground,
  NothingStored,
  NotModified,
  ResponseCacheInterceptor,
  CacheableResult,
  StoredValidators,
  type Validators,
} from '../cache';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '../server/api-decorators';
import { ApiCacheHeaders, ApiNotModified, ApiProblems } from '../server/api-docs';
import { projectionOf } from '../upstream';
import { parseAccountName } from './account-name';
import { AccountNamePipe } from './account-name.pipe';
import { RepositoryCountDocument } from './github.documents';
import { githubTags } from './github-tags';
import { github } from './github.definition';
import { GithubService, userPath, type RepositoryCount } from './github.service';

const accountOf = (request: FastifyRequest): string =>
  parseAccountName((request.params as { account?: unknown }).account);

@ApiTags('repositories')
@Controller('repos')
@UseInterceptors(ResponseCacheInterceptor)
export class GithubController {
  constructor(private readonly github: GithubService) {}

  @Get(':account')
  @CacheRule({
    ...projectionOf(github, (request) => userPath(accountOf(request))),
    key: () => 'repos',
    byUrl: true,
    tags: (request) => githubTags(userPath(accountOf(request))),
    hitFlagName: 'cached',
  })
  @ApiOperation({
    summary: "An account's number of public repositories",
    description:
      'Asks GitHub once, then answers from the cache until the TTL ends; `cached` says which of the two it was.',
  })
  @ApiParam({ name: 'account', example: 'redis', description: 'A GitHub user or organization; case does not matter.' })
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'The `ETag` of an earlier answer: 304 if it still holds.',
  })
  @ApiOkResponse({ type: RepositoryCountDocument, headers: ApiCacheHeaders })
  @ApiNotModified()
  @ApiProblems(
    'account-invalid',
    'account-not-found',
    'upstream-rate-limited',
    'upstream-error',
    'upstream-invalid',
    'upstream-unreachable',
    'upstream-unauthorized',
    'upstream-too-large',
    'upstream-paused',
    'upstream-timeout',
    'deadline-exceeded',
  )
  countRepositories(
    @Param('account', AccountNamePipe) account: string,
    @StoredValidators() validators: Validators | undefined,
    @IsBackground() isBackground: boolean,
    @NothingStored() nothingStored: boolean,
  ): Promise<CacheableResult<RepositoryCount> | NotModified> {
    return this.github.countRepositories(account, { validators, isBackground, nothingStored });
  }
}
