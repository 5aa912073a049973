import { Controller, Get, Header, Inject } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { adminConfig, cacheConfig, redisConfig, serviceConfig } from '../config/slices';
import { ApiOkResponse, ApiOperation, ApiTags } from '../server/api-decorators';
import { ApiProblems } from '../server/api-docs';
import { serviceVersion } from '../kernel/project-root';
import { MAX_SAMPLES } from '../live/figures-history';
import { Upstreams } from '../upstream';
import { PageFactsDocument } from './page.documents';
import { PageFacts } from './page.facts';

/** The facts about the service for the page at `/` and for any other client. */
@ApiTags('operations')
@Controller('page.json')
export class PageFactsController {
  private readonly version = serviceVersion();

  constructor(
    private readonly facts: PageFacts,
    private readonly upstreams: Upstreams,
    @Inject(serviceConfig.KEY) private readonly service: ConfigType<typeof serviceConfig>,
    @Inject(adminConfig.KEY) private readonly admin: ConfigType<typeof adminConfig>,
    @Inject(redisConfig.KEY) private readonly redis: ConfigType<typeof redisConfig>,
    @Inject(cacheConfig.KEY) private readonly cache: ConfigType<typeof cacheConfig>,
  ) {}

  @Get()
  @Header('cache-control', 'no-cache')
  @ApiOperation({ summary: 'The facts for a page in front of the service: its routes, and the features that are on' })
  @ApiOkResponse({ type: PageFactsDocument })
  @ApiProblems('request-invalid')
  show(): PageFactsDocument {
    const { swaggerEnabled } = this.service;
    const [first] = this.upstreams.all();
    const paths = first?.definition.openApi?.paths ?? [];
    return {
      version: this.version,
      gatewayPrefix: first?.settings.routePrefix ?? '',
      swagger: swaggerEnabled ? '/docs' : null,
      openapi: swaggerEnabled ? '/docs-json' : null,
      metrics: '/metrics',
      admin: this.admin.tokens.length > 0 || !this.admin.isProduction,
      redis: this.redis.endpoint !== undefined,
      ttlSeconds: this.cache.ttlMs / 1_000,
      maxAgeOfFigures: MAX_SAMPLES,
      paths: paths.map(({ path, summary }) => ({ path, summary })),
      demo: this.facts.demo,
    };
  }
}
