import { Controller, Get, Param } from '@nestjs/common';
import { z } from 'zod';
import { ApiOkResponse, ApiOperation, ApiParam, ApiProperty, ApiTags } from '../server/api-decorators';
import { ApiCacheHeaders, ApiProblems } from '../server/api-docs';
import { AppError, CurrentLoad, InjectUpstream, ProjectionOf, UpstreamClient, type HandlerLoad } from '../upstream';
import { stackExchange } from './stackexchange.definition';

/** The answer, and its shape for OpenAPI. */
class QuestionCount {
  @ApiProperty({ example: 'redis', description: 'The tag, as Stack Overflow writes it.' })
  tag!: string;

  @ApiProperty({ example: 25_431, description: 'How many questions have the tag.' })
  questions!: number;

  @ApiProperty({ example: true, description: 'Whether the cache answered without a request to Stack Exchange.' })
  cached?: boolean;
}

const TAG = /^(?!\.{1,2}$)[a-z0-9+#.-]{1,35}$/i;
const tags = z.object({ items: z.array(z.object({ name: z.string(), count: z.int().nonnegative() })).max(1) });

function infoPath(tag: unknown): string {
  if (typeof tag === 'string' && TAG.test(tag)) return `/tags/${encodeURIComponent(tag)}/info?site=stackoverflow`;
  throw new AppError('tag-invalid', 'A tag has up to 35 letters, digits and any of "+#.-". Encode # as %23.');
}

@ApiTags('tags')
@Controller('tags')
export class StackExchangeController {
  constructor(@InjectUpstream(stackExchange) private readonly client: UpstreamClient) {}

  @Get(':tag')
  @ProjectionOf(stackExchange, ({ tag }) => infoPath(tag), { hitFlagName: 'cached' })
  @ApiOperation({ summary: 'How many questions of Stack Overflow have a tag' })
  @ApiParam({ name: 'tag', example: 'redis', description: 'A tag of Stack Overflow; `c#` is written `c%23`.' })
  @ApiOkResponse({ type: QuestionCount, headers: ApiCacheHeaders })
  @ApiProblems('tag-invalid', 'tag-not-found', 'upstream-rate-limited', 'upstream-error', 'upstream-invalid')
  countQuestions(@Param('tag') tag: string, @CurrentLoad() load: HandlerLoad) {
    return this.client.project(load, (source): QuestionCount => {
      const [found] = source.json(tags).items;
      if (!found) throw new AppError('tag-not-found', `Stack Overflow has no tag "${tag}". Check the spelling.`);
      return { tag: found.name, questions: found.count };
    });
  }
}
