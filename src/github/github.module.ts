import { HttpModule, HttpService } from '@nestjs/axios';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { CacheStore } from '../cache';
import { githubConfig, upstreamConfig } from '../config/slices';
import { Clock } from '../kernel/clock';
import { breakerOf, Breakers, Budgets, RateBudget, UpstreamBreaker, UpstreamClient } from '../upstream';
import { githubLimits } from './github-limits';
import { GithubController } from './github.controller';
import { GithubCredentials } from './github.credentials';
import { GithubGateway } from './github.gateway';
import { GithubService } from './github.service';
import { GithubWebhook } from './github.webhook';
import { githubUpstream } from './github.upstream';

/** How long an answer may hold one of the places while its client reads it, in milliseconds: slow readers must not hold them all. */
const LONGEST_BODY_MS = 2_000;

/** GitHub's REST API: the reference upstream. Another upstream is a copy of this folder. */
@Module({
  imports: [HttpModule],
  controllers: [GithubController],
  providers: [
    GithubService,
    GithubCredentials,
    {
      provide: RateBudget,
      inject: [CacheStore, Clock, Budgets, githubConfig.KEY, upstreamConfig.KEY],
      useFactory: (
        store: CacheStore,
        clock: Clock,
        budgets: Budgets,
        { reserve, maxConcurrency, pointsPerMinute }: ConfigType<typeof githubConfig>,
        { timeoutMs }: ConfigType<typeof upstreamConfig>,
      ): RateBudget => {
        const times = { deadlineMs: timeoutMs, bodyMs: Math.min(timeoutMs, LONGEST_BODY_MS) };
        const options = {
          upstream: 'github',
          adapter: githubLimits,
          reserve,
          maxConcurrency,
          pointsPerMinute,
          ...times,
        };
        const budget = new RateBudget(options, store, clock);
        budgets.add(budget);
        return budget;
      },
    },
    GithubGateway,
    GithubWebhook,
    {
      provide: UpstreamBreaker,
      inject: [githubConfig.KEY, upstreamConfig.KEY],
      useFactory: (
        github: ConfigType<typeof githubConfig>,
        limits: ConfigType<typeof upstreamConfig>,
      ): UpstreamBreaker => breakerOf(githubUpstream(github, limits)),
    },
    {
      provide: UpstreamClient,
      inject: [HttpService, UpstreamBreaker, githubConfig.KEY, upstreamConfig.KEY],
      useFactory: (
        http: HttpService,
        breaker: UpstreamBreaker,
        github: ConfigType<typeof githubConfig>,
        limits: ConfigType<typeof upstreamConfig>,
      ): UpstreamClient => new UpstreamClient(http, githubUpstream(github, limits), breaker),
    },
  ],
})
export class GithubModule implements OnApplicationShutdown {
  constructor(
    private readonly client: UpstreamClient,
    gateway: GithubGateway,
    breakers: Breakers,
  ) {
    breakers.add(client.name, () => client.breakerState);
    breakers.add(client.name, () => gateway.breakerState);
  }

  onApplicationShutdown(): void {
    this.client.close();
  }
}
