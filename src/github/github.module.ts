import { HttpModule, HttpService } from '@nestjs/axios';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { githubConfig, upstreamConfig } from '../config/slices';
import { UpstreamClient } from '../upstream';
import { GithubController } from './github.controller';
import { GithubGateway } from './github.gateway';
import { GithubService } from './github.service';
import { GithubWebhook } from './github.webhook';
import { githubUpstream } from './github.upstream';

/** GitHub's REST API: the reference upstream. Another upstream is a copy of this folder. */
@Module({
  imports: [HttpModule],
  controllers: [GithubController],
  providers: [
    GithubService,
    GithubGateway,
    GithubWebhook,
    {
      provide: UpstreamClient,
      inject: [HttpService, githubConfig.KEY, upstreamConfig.KEY],
      useFactory: (
        http: HttpService,
        github: ConfigType<typeof githubConfig>,
        limits: ConfigType<typeof upstreamConfig>,
      ): UpstreamClient => new UpstreamClient(http, githubUpstream(github, limits)),
    },
  ],
})
export class GithubModule implements OnApplicationShutdown {
  constructor(private readonly client: UpstreamClient) {}

  onApplicationShutdown(): void {
    this.client.close();
  }
}
