import { Module } from '@nestjs/common';
import { UpstreamModule } from '../upstream';
import { GithubController } from './github.controller';
import { github } from './github.definition';
import { GithubService } from './github.service';

/** GitHub's REST API, and the repository counts that are derived from it. */
@Module({
  imports: [UpstreamModule.register(github, { controllers: [GithubController], providers: [GithubService] })],
})
export class GithubModule {}
