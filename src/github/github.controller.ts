import { Controller, Get, Param } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '../server/api-decorators';
import { ApiCacheHeaders, ApiNotModified, ApiProblems } from '../server/api-docs';
import { CurrentLoad, ProjectionOf, type HandlerLoad, type Projected } from '../upstream';
import { parseAccountName } from './account-name';
import { RepositoryCountDocument } from './github.documents';
import { github } from './github.definition';
import { GithubService, userPath, type RepositoryCount } from './github.service';

@ApiTags('repositories')
@Controller('repos')
export class GithubController {
  constructor(private readonly github: GithubService) {}

  @Get(':account')
  @ProjectionOf(github, ({ account }) => userPath(parseAccountName(account)), { name: 'repos', hitFlagName: 'cached' })
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
    @Param('account', { transform: parseAccountName }) account: string,
    @CurrentLoad() load: HandlerLoad,
  ): Promise<Projected<RepositoryCount>> {
    return this.github.countRepositories(account, load);
  }
}
